/** Datasets that ZFS encrypts: never made, never given back in clear text, and never without a word. */
import { DEFAULT_RECOVERY_POLICY, planRecovery } from '../../planning/recover';
import type { Layout } from '../../planning/layout-schema';
import { foundMachine, LayoutKit, sameDisks } from './layout-builder';

const layout = (change: (layout: Layout) => void): Layout => {
  const made = new LayoutKit()
    .disk('sda', 20)
    .disk('sdb', 200)
    .gpt('disk:sda', ['512M esp', '* linux'])
    .vfat('part:sda1', '/boot/efi')
    .ext4('part:sda2', '/')
    .pool(
      'tank',
      [{ kind: 'disk', on: 'disk:sdb', children: [] }],
      { tank: '/tank', 'tank/vault': '/srv/vault', 'tank/vault/below': null, 'tank/vaults': '/srv/vaults' },
      { usedGib: 1, volumes: { 'tank/vault/vm': 1 } },
    )
    .build();
  const vault = made.pools[0]?.datasets.find(({ name }) => name === 'tank/vault');
  if (vault !== undefined) vault.properties = { ...vault.properties, encryption: 'aes-256-gcm', keyformat: 'raw' };
  change(made);
  return made;
};
const plan = (made: Layout, held: string[] | null = null) =>
  planRecovery({
    layout: made,
    machine: foundMachine(made, sameDisks(made)),
    policy: DEFAULT_RECOVERY_POLICY,
    backup: '20261121_013000',
    held,
  });
const unmounted = (made: Layout) => {
  made.mounts = made.mounts.filter(({ path }) => path !== '/srv/vault');
};

it('one that is in the backup forbids the recovery: its data would come back elsewhere, in clear text', () => {
  const { blockers, steps } = plan(layout(() => undefined));
  expect(blockers).toEqual([expect.stringMatching(/^\/srv\/vault would come back unencrypted/)]);
  expect(steps).toEqual([]);
  // Of a backup that does not hold it nothing is lost by its absence.
  expect(
    plan(
      layout(() => undefined),
      ['/', '/boot/efi', '/tank', '/srv/vaults'],
    ).blockers,
  ).toEqual([]);
});

it('one that was closed is left out with all below it, and that is said', () => {
  const { blockers, steps, warnings } = plan(layout(unmounted));
  expect(blockers).toEqual([]);
  expect(steps.flatMap((step) => (step.kind === 'zfs-create' ? [step.dataset] : []))).toEqual(['tank', 'tank/vaults']);
  const finish = steps.find(({ kind }) => kind === 'zpool-finish');
  expect(finish?.kind === 'zpool-finish' ? finish.datasets.map(({ name }) => name) : []).toEqual([
    'tank',
    'tank/vaults',
  ]);
  expect(warnings).toContainEqual(
    expect.stringMatching(/^tank\/vault, tank\/vault\/below and tank\/vault\/vm are not made again: encrypted by ZFS/),
  );
});

it('a mounted file system on a volume of it forbids the recovery', () => {
  const made = layout((each) => {
    unmounted(each);
    const root = each.fileSystems.find(({ on }) => on === 'part:sda2');
    if (root === undefined) throw new Error('no root');
    each.fileSystems.push({ ...root, id: 'fs:vm', uuid: 'aaaa', on: 'zvol:tank/vault/vm', bytes: 2 ** 30 });
    each.mounts.push({ path: '/vm', fileSystem: 'fs:vm', subvolume: null, options: ['rw'], inFstab: true });
  });
  expect(plan(made).blockers.join()).toMatch(/\/vm would come back unencrypted/);
});
