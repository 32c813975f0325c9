/** A whole machine in a backup: what its host says of its file systems decides how it is copied, and what the backup says of itself. */
import type { FakeCall } from '../../hosts/fake';
import type { LuksHeader, LuksMissing } from '../../planning/luks-headers';
import { parseManifest } from '../../planning/manifest-schema';
import { CONTROL_QUEUE } from '../../planning/queues';
import type { backup } from '../../workflows/backup';
import { backupInput, fleetRunbook, useEngine, withFleet } from './support/engine';

jest.setTimeout(120_000);

const engine = useEngine();
const RUNBOOK = fleetRunbook(1, { sources: [{ host: 'app-1', path: '/', name: 'data', snapshot: 'system' }] });
const HELD = {
  held: ['/ (btrfs)'],
  live: [] as string[],
  watched: ['/boot'],
  skipped: [{ path: '/proc', reason: 'the kernel’s' }],
};
const PARTS = [
  { path: '/', fsType: 'btrfs', fsUuid: 'aa' },
  { path: '/boot', fsType: 'ext4', fsUuid: 'bb' },
];

interface Said {
  /** How the machine was held, where its host says so. */
  machine: Partial<typeof HELD> | undefined;
  /** What has changed while it was read. */
  changed?: string[];
  /** Headers of its encrypted volumes, and those that could not be had. */
  luks?: { luksHeaders: LuksHeader[]; luksMissing: LuksMissing[] };
}

/** A backup of that machine: what its manifest says of it, and whether differences at the target were let pass. */
async function backedUp({ machine, changed = [], luks }: Said) {
  const lax: unknown[] = [];
  const intercept = ({ verb, args }: FakeCall) => {
    if (verb === 'freeze:snapshot') {
      const taken = { source: 'data', kind: 'system', name: '2 file systems' };
      return { snapshots: [{ ...taken, ...(machine === undefined ? {} : { ...HELD, ...machine }) }] };
    }
    if (verb === 'check') {
      const shown = { name: 'data', path: '/', realPath: '/', kind: 'system', fsType: 'btrfs', fsUuid: 'aa' };
      return { sources: [{ ...shown, parts: PARTS.map((part) => ({ ...part, kind: 'btrfs' })) }] };
    }
    if (verb === 'job.start' && args['kind'] === 'store-compare') lax.push(args['live']);
    if (verb !== 'job.poll' || !String(args['job']).includes('send')) return undefined;
    const counts = { bytes: 5, sentBytes: 5, files: 1, entries: 1, sha256: 'a'.repeat(64) };
    return { result: { ...counts, ...luks, changed, patterns: ['/tmp/*'] } };
  };
  return withFleet({ engine, fake: { intercept } }, async (fleet) => {
    const input = backupInput(RUNBOOK);
    await engine.env.client.workflow.execute<typeof backup>('backup', {
      workflowId: `backup/portal/${input.run}`,
      taskQueue: CONTROL_QUEUE,
      args: [input],
    });
    const sealed = fleet.host('target').backups[0]?.manifest ?? '';
    const manifest = parseManifest(Buffer.from(sealed, 'base64').toString());
    if (typeof manifest === 'string') throw new Error(manifest);
    const [source] = manifest.sources;
    if (source?.state !== 'ok') throw new Error('the machine is missing');
    return { source, lax, warnings: manifest.warnings };
  });
}

test('S7 one whose changing file systems are all held is no live copy; its backup says what was left out, and pins each file system', async () => {
  const { source, lax } = await backedUp({ machine: {} });
  expect(source).toMatchObject({ kind: 'system', label: 'crash', excluded: ['/tmp/*'], skipped: HELD.skipped });
  expect(source.identity.parts).toEqual(PARTS);
  expect(source.evidence).toContain('held by snapshots, each atomic, one after another: / (btrfs)');
  expect(lax).toEqual([false]);
});

test.each<[string, Said, string]>([
  ['a file system that is read live', { machine: { live: ['/srv'] } }, 'different moments: /srv'],
  ['what a boot reads and has changed', { machine: {}, changed: ['/boot'] }, 'changed while it was read: /boot'],
  ['a host that does not say', { machine: undefined }, 'did not say'],
])('S7 %s makes it a live copy, whose differences do not stop the seal', async (_, said, evidence) => {
  const { source, lax } = await backedUp(said);
  expect(source.label).toBe('none');
  expect(source.evidence.join('\n')).toContain(evidence);
  expect(lax).toEqual([true]);
});

test('S27 of headers of encrypted volumes the manifest has the sums alone, and a warning for one that is not there', async () => {
  const luksHeaders = [{ uuid: '21bbbc30-f67f-4fbc-a0f1-90a0695b6801', bytes: 2 ** 24, headerSha256: 'c'.repeat(64) }];
  const luksMissing = [{ volume: '/dev/sdb1', why: 'it lies on a removable disk' }];
  const { source, warnings } = await backedUp({ machine: {}, luks: { luksHeaders, luksMissing } });
  expect(source.luksHeaders).toEqual(luksHeaders);
  expect(warnings).toContainEqual(expect.stringMatching(/the header of encrypted volume \/dev\/sdb1 of app-1 is not/));
  expect((await backedUp({ machine: {} })).source).not.toHaveProperty('luksHeaders');
});
