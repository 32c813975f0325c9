/** A fleet in memory for the bench of scale: every host answers after 20 ms, as fully as a real one with three containers does. */
import { createHash } from 'node:crypto';
import { FakeHosts, type FakeCall } from '../../hosts/fake';

/** What each verb, and each phase of the freeze, takes, ms. */
export const LATENCY_MS = 20;

const CONTAINERS = ['web', 'worker', 'database'];

/** A runbook of `count` hosts with one source each. */
export function scaleRunbook({ count, parallel }: { count: number; parallel: number }): string {
  const names = Array.from({ length: count }, (_, i) => `app-${i + 1}`);
  const address = (i: number): string => `10.0.${i >> 8}.${i & 255}`;
  return JSON.stringify(
    {
      version: 1,
      hosts: Object.fromEntries([...names, 'target'].map((name, i) => [name, { address: address(i) }])),
      stores: { main: { host: 'target', kind: 'btrfs', place: '/backup' } },
      groups: {
        fleet: {
          sources: names.map((host) => ({ host, path: '/srv/data', name: 'data', snapshot: 'btrfs' })),
          target: 'main',
          transfer: { parallel },
        },
      },
    },
    null,
    1,
  );
}

/** The fleet itself. Replies are as long as a real host's: what they weigh in a history is part of what is measured. */
export function scaleFleet(): FakeHosts {
  return new FakeHosts({ latencyMs: LATENCY_MS, intercept: reply });
}

function reply({ host, verb }: FakeCall): Readonly<Record<string, unknown>> | undefined {
  const containers = CONTAINERS.map((name) => ({ id: hash(host, name), name: `${name}-1`, state: 'paused' }));
  if (verb === 'freeze' || verb === 'freeze:thaw') return { containers };
  if (verb !== 'check') return undefined;
  return {
    sources: [
      {
        ...{ name: 'data', path: '/srv/data', realPath: '/srv/data', kind: 'btrfs', fsType: 'btrfs' },
        ...{ fsUuid: uuid(host), subvolume: uuid(host), device: '/dev/vdb', mounted: true },
        ...{ usedBytes: 1_048_576, freeBytes: 2 ** 40 },
      },
    ],
    containers,
    unprotected: CONTAINERS.map((name) => `volume ${name}-scratch of container ${name}-1 lies outside any source`),
  };
}

function hash(...parts: string[]): string {
  return createHash('sha256').update(parts.join('/')).digest('hex');
}

function uuid(host: string): string {
  return hash(host, 'uuid').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5');
}
