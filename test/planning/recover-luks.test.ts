import { LUKS_FOLDER, missingHeader, withHeaders } from '../../planning/luks-headers';
import type { RecoveryPlan } from '../../planning/recover';
import { DEFAULT_RECOVERY_POLICY, planRecovery } from '../../planning/recover';
import { triedOnHeaders } from '../../planning/recover-luks';
import type { Layout } from '../../planning/layout-schema';
import { LAYOUTS } from './layout-cases';
import { foundDisk, foundMachine, sameDisks } from './layout-builder';

const NEW = 'gets a new key and the passphrase that is given; old ones open it no more';
const GIB = 2 ** 30;

function planned(layout: Layout, options: { gib?: number; newKeys?: string[] } = {}): RecoveryPlan {
  const disks = options.gib === undefined ? sameDisks(layout) : [foundDisk('vda', options.gib)];
  const policy = { ...DEFAULT_RECOVERY_POLICY, newKeys: options.newKeys ?? [] };
  return planRecovery({ layout, machine: foundMachine(layout, disks), policy, backup: '20261121_013000' });
}

const encrypted = () => {
  const layout = LAYOUTS['luks2 and lvm']();
  const [volume] = layout.luks;
  if (volume === undefined) throw new Error('no volume');
  return { layout, volume };
};
const kinds = ({ steps }: RecoveryPlan) => steps.map(({ kind }) => kind).filter((kind) => kind.startsWith('luks'));

describe('the headers of a backup', () => {
  const header = (uuid: string) => ({ uuid, bytes: 16 * 2 ** 20, headerSha256: 'a'.repeat(64) });

  test('are the layout’s by the volumes’ UUIDs, and others are nobody’s', () => {
    const { layout, volume } = encrypted();
    volume.header = null;
    const [made] = withHeaders({ layout, headers: [header('another'), header(volume.uuid)] }).luks;
    expect(made?.header).toEqual({
      file: `${LUKS_FOLDER}/${volume.uuid}.header`,
      bytes: 16 * 2 ** 20,
      sha256: 'a'.repeat(64),
    });
    expect(withHeaders({ layout, headers: [header('another')] }).luks).toEqual(layout.luks);
    expect(withHeaders({ layout, headers: [] })).toBe(layout);
  });

  test('one that is missing is warned of with what it means', () => {
    expect(missingHeader({ host: 'web-1', missing: { volume: '/dev/sdb1', why: 'it lies on a removable disk' } })).toBe(
      'the header of encrypted volume /dev/sdb1 of web-1 is not in this backup, and a recovery gives it a new key: it lies on a removable disk',
    );
  });
});

describe('an encrypted volume', () => {
  test('comes back by its header where there is one, else with a new key, and the plan says so', () => {
    const { layout, volume } = encrypted();
    const back = planned(layout);
    expect(kinds(back)).toEqual(['luks-restore']);
    expect(back.steps.find(({ kind }) => kind === 'luks-restore')?.says).toMatch(/header .* back, with its keys/);
    expect(back.warnings.join()).not.toContain('new key');
    volume.header = null;
    const anew = planned(layout);
    expect(kinds(anew)).toEqual(['luks-format']);
    expect(anew.warnings).toContainEqual(`cr_root: the backup has no header of it, so it ${NEW}`);
  });

  test('gets a new key where one is asked for, by name or UUID, and that is another plan', () => {
    const { layout, volume } = encrypted();
    for (const word of ['cr_root', volume.uuid]) {
      const plan = planned(layout, { newKeys: [word] });
      expect(kinds(plan)).toEqual(['luks-format']);
      expect(plan.warnings).toContainEqual(`cr_root: as asked for, it ${NEW}`);
      expect(plan.hash).not.toBe(planned(layout).hash);
    }
    expect(() => planned(layout, { newKeys: ['cr_home'] })).toThrow(/has no encrypted volume cr_home.*Name one of/s);
  });

  test('takes all of a bigger or smaller device', () => {
    const { layout, volume } = encrypted();
    expect(kinds(planned(layout, { gib: 120 }))).toEqual(['luks-restore']);
    expect(kinds(planned(layout, { gib: 30 }))).toEqual(['luks-restore']);
    expect(volume.bytes).not.toBeNull();
  });

  test('whose header says a size comes back in that size, or with a new key where there is no room for it', () => {
    const { layout, volume } = encrypted();
    volume.bytes = (volume.bytes ?? 0) - GIB;
    layout.volumes = layout.volumes.map((each) =>
      each.name === 'home'
        ? {
            ...each,
            bytes: each.bytes - GIB,
            segments: each.segments.map((segment) => ({ ...segment, extents: segment.extents - GIB / 2 ** 22 })),
          }
        : each,
    );
    const bigger = planned(layout, { gib: 120 });
    expect(kinds(bigger)).toEqual(['luks-restore']);
    const smaller = planned(layout, { gib: 30 });
    expect(kinds(smaller)).toEqual(['luks-format']);
    expect(smaller.warnings.join('\n')).toMatch(
      /cr_root: its header is for a volume of .* there is room for .* gets a new key/,
    );
    expect(smaller.warnings.join('\n')).not.toContain('no header');
    expect(smaller.warnings.join('\n')).toContain('the passphrase that is given, which is tried on that header first');
    // It is asked for as one that opens, and becomes the only one: a slip in it would close the volume for ever.
    const headers = [{ uuid: volume.uuid, bytes: 2 ** 24, headerSha256: 'a'.repeat(64) }];
    const tried = triedOnHeaders({ steps: smaller.steps, headers, newKeys: [] });
    expect(tried).toMatchObject([{ luks: { uuid: volume.uuid }, header: { bytes: 2 ** 24, sha256: 'a'.repeat(64) } }]);
    expect(triedOnHeaders({ steps: smaller.steps, headers: [], newKeys: [] })).toEqual([]);
    // Typed twice, as a new one.
    for (const word of ['cr_root', volume.uuid])
      expect(triedOnHeaders({ steps: smaller.steps, headers, newKeys: [word] })).toEqual([]);
    expect(triedOnHeaders({ steps: bigger.steps, headers, newKeys: [] })).toMatchObject([{ kind: 'luks-restore' }]);
  });

  test('that its new device does not hold evenly is refused', () => {
    const layout = LAYOUTS['luks2 and lvm']();
    const [volume] = layout.luks;
    const device = layout.partitions.find(({ id }) => id === volume?.on);
    if (volume === undefined || device === undefined) throw new Error('no volume');
    volume.sectorBytes = 4096;
    device.bytes += 512;
    const plan = planned(layout, { gib: 120 });
    expect(plan.blockers).toContainEqual(expect.stringMatching(/cr_root: it is encrypted in sectors of 4096 bytes/));
  });
});
