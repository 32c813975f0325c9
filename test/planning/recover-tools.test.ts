/** What a plan needs of the rescue system that is booted: what it lacks forbids the recovery before anything is written. */
import { DEFAULT_RECOVERY_POLICY, planRecovery } from '../../planning/recover';
import type { FoundMachine, FoundTools, RecoveryPlan } from '../../planning/recover';
import { layoutSum } from '../../planning/layout-diff';
import type { Layout } from '../../planning/layout-schema';
import { ALL_TOOLS, foundMachine, sameDisks } from './layout-builder';
import { LAYOUTS, type LayoutName } from './layout-cases';

const plan = (layout: Layout, more: Partial<FoundMachine> = {}): RecoveryPlan =>
  planRecovery({
    layout,
    machine: foundMachine(layout, sameDisks(layout), more),
    policy: DEFAULT_RECOVERY_POLICY,
    backup: '20261121_013000',
  });
const without = (...names: string[]): FoundTools => ({
  programs: new Set([...ALL_TOOLS.programs].filter((each) => !names.includes(each))),
  modules: new Set([...ALL_TOOLS.modules].filter((each) => !names.includes(each))),
  xfs: ALL_TOOLS.xfs,
});

it.each([
  [
    'xfs root',
    'mkfs.xfs',
    /lacks mkfs\.xfs \(Debian: xfsprogs\), needed by “Make xfs .* on sda2” and “Make xfs .* on sda3”\. Boot media/,
  ],
  ['xfs root', 'xfs', /lacks kernel module xfs, needed by “Mount xfs of sda3 at \/” and “Mount xfs/],
  ['uefi ext4', 'mke2fs', /lacks mke2fs \(Debian: e2fsprogs\), needed by “Make ext4/],
  ['uefi ext4', 'ext4', /lacks kernel module ext4/],
  ['uefi ext4', 'sfdisk', /lacks sfdisk \(Debian: fdisk\), needed by “Write a new GPT/],
  ['uefi ext4', 'wipefs', /needed by “Wipe .*” and \d+ more steps/],
  ['uefi ext4', 'mkfs.vfat', /lacks mkfs\.vfat \(Debian: dosfstools\)/],
  ['uefi ext4', 'findmnt', /lacks findmnt/],
  ['bios gpt ext4 with swap at the end', 'mkswap', /lacks mkswap/],
  ['swap file', 'mkswap', /lacks mkswap \(Debian: util-linux\), needed by “[^”]*\/swapfile/],
  ['lvm on md raid1', 'mdadm', /lacks mdadm, needed by/],
  ['lvm on md raid1', 'raid1', /lacks kernel module raid1/],
  ['md raid5 and raid10', 'raid456', /lacks kernel module raid456/],
  ['lvm thin', 'thin_check', /lacks thin_check \(Debian: thin-provisioning-tools\)/],
  ['lvm thin', 'dm_thin_pool', /lacks kernel module dm_thin_pool/],
  ['lvm thin', 'dmsetup', /lacks dmsetup, needed by what comes after the data \(new-initramfs\) and/],
  ['lvm of several segments, stripes and mirrors', 'dm_raid', /lacks kernel module dm_raid/],
  ['luks without a header', 'cryptsetup', /lacks cryptsetup/],
  ['luks without a header', 'dm_crypt', /lacks kernel module dm_crypt/],
  ['btrfs with subvolumes on two devices', 'mkfs.btrfs', /lacks mkfs\.btrfs \(Debian: btrfs-progs\)/],
  ['btrfs with subvolumes on two devices', 'chattr', /lacks chattr \(Debian: e2fsprogs\)/],
  ['zfs data pool', 'zpool', /lacks zpool \(Debian: zfsutils-linux\), needed by “Create pool tank/],
  [
    'zfs data pool',
    'zfs',
    /lacks kernel module zfs, needed by “Create pool tank.*; zfs \(Debian: zfsutils-linux\), needed by “Create dataset/,
  ],
  ['zfs data pool', 'zvol_id', /lacks zvol_id .*needed by “Create volume tank\/vm”/],
] satisfies [LayoutName, string, RegExp][])('%s without %s is refused', (name, missing, why) => {
  const layout = LAYOUTS[name]();
  expect(plan(layout).blockers).toEqual([]);
  const made = plan(layout, { tools: without(missing) });
  expect(made.blockers).toEqual([expect.stringMatching(why)]);
  expect(made.blockers[0]).toContain('`resurgo rescue build web-1`');
  expect(made.steps).toEqual([]);
});

it('all that is missing is told at once, and nothing that no step needs', () => {
  const layout = LAYOUTS['xfs root']();
  expect(plan(layout, { tools: without('mkfs.btrfs', 'mdadm', 'thin_check', 'raid1', 'dmsetup') }).blockers).toEqual(
    [],
  );
  const [blocker = ''] = plan(layout, { tools: without('mkfs.xfs', 'xfs', 'mkfs.vfat') }).blockers;
  expect(blocker).toMatch(/lacks mkfs\.vfat.*; mkfs\.xfs.*; kernel module xfs/);
});

it('a feature of an XFS that the mkfs.xfs there is too old for is refused before anything is written', () => {
  const layout = LAYOUTS['xfs root']();
  for (const { make } of layout.fileSystems) if (make.type === 'xfs') make.features.push('nrext64');
  const { blockers, steps } = plan(layout);
  expect(blockers).toEqual([
    expect.stringMatching(/lacks an mkfs\.xfs that knows nrext64 \(Debian: xfsprogs\), needed by “Make xfs/),
  ]);
  expect(steps).toEqual([]);
  const knows = (xfs: FoundTools['xfs']) => plan(layout, { tools: { ...ALL_TOOLS, xfs } }).blockers;
  expect(knows(new Set([...(ALL_TOOLS.xfs ?? []), 'nrext64']))).toEqual([]);
  expect(knows(null)).toEqual([]);
});

it('a rescue system that tells nothing of its tools is said to be none that is known', () => {
  const made = plan(LAYOUTS['uefi ext4'](), { tools: null });
  expect(made.blockers).toEqual([]);
  expect(made.warnings).toEqual([
    expect.stringMatching(/does not tell which tools it has.*`resurgo rescue build web-1`/),
  ]);
});

it('media that were built for another layout are told, and do', () => {
  const layout = LAYOUTS['uefi ext4']();
  expect(plan(layout, { builtFor: layoutSum(layout) }).warnings).toEqual([]);
  const made = plan(layout, { builtFor: 'a'.repeat(64) });
  expect(made.blockers).toEqual([]);
  expect(made.warnings).toEqual([expect.stringMatching(/^the rescue system was built for another layout of web-1/)]);
});
