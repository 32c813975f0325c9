/** A small fleet's backup, for tests. */
import type { BackedUpInput, ManifestInput } from '../../planning/build-manifest';
import { buildManifest } from '../../planning/build-manifest';
import type { Manifest } from '../../planning/manifest';

export const FROZEN = Date.UTC(2026, 10, 21, 1, 30, 0, 250);

export function backedUp(change: Partial<BackedUpInput> = {}): BackedUpInput {
  return {
    host: 'app-1',
    hostName: 'prod-app-1',
    name: 'data',
    path: '/srv/data',
    tree: 'app-1@+srv+data',
    kind: 'btrfs',
    identity: { realPath: '/srv/data', fsType: 'btrfs', fsUuid: 'aaaa', subvolume: 'data' },
    consistency: { label: 'filesystem', evidence: ['btrfs snapshot, atomic'] },
    bytes: 1000,
    files: 10,
    entries: 15,
    listingSha256: 'a'.repeat(64),
    sentBytes: 400,
    excluded: [],
    nested: [],
    skipped: [],
    startedAtMs: FROZEN + 1000,
    endedAtMs: FROZEN + 5000,
    ...change,
  };
}

export const APP_2 = {
  host: 'app-2',
  hostName: 'prod-app-2',
  name: 'data',
  path: '/srv/data',
  tree: 'app-2@+srv+data',
  kind: 'btrfs',
};

export function manifestInput(change: Partial<ManifestInput> = {}): ManifestInput {
  return {
    group: 'portal',
    deployment: 'prod',
    run: 'r20261121t012900z-4f3a2b',
    frozenAtMs: FROZEN,
    sealedAtMs: FROZEN + 60_000,
    freezeAttempts: 1,
    pauseMs: 340,
    director: { id: 'director-1', publicKeyHex: 'b'.repeat(64) },
    versions: { resurgo: '0.1.0', hostkits: { 'prod-app-1': '1' } },
    store: { name: 'vault', kind: 'btrfs', host: 'target-1' },
    previous: '20261120_013000',
    rpoS: 86_400,
    rtoS: null,
    contacts: [{ name: 'Ada', role: null, phone: '+46', mail: null }],
    notes: 'ring first',
    warnings: [],
    layouts: [],
    backedUp: [backedUp({ ...APP_2 }), backedUp()],
    missing: [],
    hosts: [
      {
        host: 'app-1',
        hostName: 'prod-app-1',
        armedAtMs: FROZEN - 300,
        pausedAtMs: FROZEN,
        snapshottedAtMs: FROZEN + 50,
        thawedAtMs: FROZEN + 90,
        pausedMs: 90,
        paused: ['web'],
        exempt: [],
        unmatched: [],
        hooks: [],
      },
    ],
    onUnreachable: 'fail',
    ...change,
  };
}

export function sampleManifest(change: Partial<ManifestInput> = {}): Manifest {
  return buildManifest(manifestInput(change));
}
