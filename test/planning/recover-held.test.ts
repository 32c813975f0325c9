/** What the backup does not hold is never wiped without a word. */
import { UNSAVED } from '../../planning/layout-limits';
import type { Layout } from '../../planning/layout-schema';
import type { FoundDisk, RecoveryPlan, RecoveryPolicy } from '../../planning/recover';
import { approvesUnattended, DEFAULT_RECOVERY_POLICY, planRecovery } from '../../planning/recover';
import { foundDisk, foundMachine, LayoutKit, sameDisks } from './layout-builder';

const SYSTEM = ['/', '/boot/efi'];

function plan({
  layout,
  held,
  disks = sameDisks(layout),
  ...policy
}: { layout: Layout; held?: string[] | null; disks?: FoundDisk[] } & Partial<RecoveryPolicy>): RecoveryPlan {
  return planRecovery({
    layout,
    machine: foundMachine(layout, disks),
    policy: { ...DEFAULT_RECOVERY_POLICY, ...policy },
    backup: '20261121_013000',
    ...(held === undefined ? {} : { held }),
  });
}

const system = (): LayoutKit =>
  new LayoutKit()
    .disk('sda', 40)
    .disk('sdb', 1000)
    .gpt('disk:sda', ['512M esp', '* linux'])
    .vfat('part:sda1', '/boot/efi')
    .ext4('part:sda2', '/');
const archive = system().gpt('disk:sdb', ['* linux']).ext4('part:sdb1', '/srv/archive').build();

describe('a mount that is no part of the backup', () => {
  it('is told with its disk, and wants a person’s word', () => {
    const made = plan({ layout: archive, held: SYSTEM });
    expect(made.lost).toEqual(['/srv/archive']);
    expect(made.warnings).toContain(
      '/srv/archive is not in the backup: what is on it is lost. It lies on sdb (serial S-SDB). To keep it recover with `--leave-out sdb`',
    );
    expect(made.blockers).toEqual([]);
    expect(approvesUnattended(made)).toBe(false);
  });

  it('is none where the backup holds it; an older manifest does not tell', () => {
    const whole = plan({ layout: archive, held: [...SYSTEM, '/srv/archive'] });
    expect(whole.lost).toBeUndefined();
    expect(approvesUnattended(whole)).toBe(true);
    expect(plan({ layout: archive, held: null })).toEqual(plan({ layout: archive }));
    expect(plan({ layout: archive }).hash).toBe(whole.hash);
    expect(plan({ layout: archive, held: SYSTEM }).hash).not.toBe(whole.hash);
  });

  it('keeps its disk from nothing: that may be left out, and stays as it is', () => {
    const made = plan({ layout: archive, held: SYSTEM, leaveOut: ['sdb'] });
    expect(made.blockers).toEqual([]);
    expect(made.lost).toBeUndefined();
    expect(made.disks.find(({ name }) => name === 'sdb')).toMatchObject({ fate: 'untouched' });
    expect(made.steps.flatMap(({ destroys }) => destroys.map(({ name }) => name))).not.toContain('sdb');
    expect(approvesUnattended(made)).toBe(true);
    expect(plan({ layout: archive, leaveOut: ['sdb'] }).blockers.join()).toContain('/srv/archive would be lost');
    expect(plan({ layout: archive, held: [...SYSTEM, '/srv/archive'], leaveOut: ['sdb'] }).blockers).toHaveLength(1);
  });

  it('is named without a way to keep it where other data lies on the same disk', () => {
    const shared = system()
      .gpt('disk:sdb', ['500G linux', '* linux'])
      .ext4('part:sdb1', '/srv/archive')
      .ext4('part:sdb2', '/home')
      .build();
    const made = plan({ layout: shared, held: [...SYSTEM, '/home'] });
    expect(made.warnings.find((each) => each.startsWith('/srv/archive is not'))).toMatch(/sdb \(serial S-SDB\)$/);
    const without = plan({ layout: shared, held: [...SYSTEM, '/home'], leaveOut: ['sdb'] });
    expect(without.blockers).toEqual([expect.stringMatching(/^\/home would be lost/)]);
  });

  it('on a new disk too comes back empty, which nobody has approved', () => {
    const disks = [foundDisk('vda', 40), foundDisk('vdb', 1000)];
    expect(approvesUnattended(plan({ layout: archive, held: SYSTEM, disks }))).toBe(false);
    expect(approvesUnattended(plan({ layout: archive, held: [...SYSTEM, '/srv/archive'], disks }))).toBe(true);
  });

  it('is told of datasets of a pool, and of what can not be made again', () => {
    const vdev = { kind: 'disk' as const, on: 'disk:sdb', children: [] };
    const pool = system().pool('tank', [vdev], { tank: '/tank', 'tank/db': '/tank/db' }).build();
    expect(plan({ layout: pool, held: [...SYSTEM, '/tank'] }).lost).toEqual(['/tank/db']);
    const ntfs = system().gpt('disk:sdb', ['* linux']).other('part:sdb1', 'ntfs').mount('/win', 'fs:part:sdb1').build();
    expect(plan({ layout: ntfs, held: SYSTEM }).lost).toEqual(['/win']);
  });
});

it('a file system that was mounted nowhere is in no backup', () => {
  const unmounted = system().gpt('disk:sdb', ['* linux']).ext4('part:sdb1', null, { label: 'old' }).build();
  const made = plan({ layout: unmounted, held: SYSTEM });
  expect(made.lost).toEqual(['ext4 “old” on sdb1']);
  expect(approvesUnattended(made)).toBe(false);
  // The layout says so too: once is enough, where the backup tells what it holds.
  const told = {
    ...unmounted,
    limits: [{ what: 'sdb1 (ext4 “old”)', why: UNSAVED.unmounted, weight: 'part' as const }],
  };
  expect(plan({ layout: told, held: SYSTEM }).warnings).toEqual(made.warnings);
  expect(plan({ layout: told, held: null }).warnings.join()).toContain(UNSAVED.unmounted);
});

describe('what shows a part once more', () => {
  const butter = (mounts: Record<string, string | null>): Layout =>
    system()
      .gpt('disk:sdb', ['* linux'])
      .btrfs(['part:sdb1'], mounts, { subvolumes: ['@', '@/data', '@home'] })
      .build();

  it('is in the backup with it', () => {
    const twice = butter({ '/srv': '@', '/mnt/again': '@', '/mnt/data': '@/data' });
    expect(plan({ layout: twice, held: [...SYSTEM, '/srv'] }).lost).toBeUndefined();
    const top = butter({ '/top': null, '/home': '@home' });
    expect(plan({ layout: top, held: [...SYSTEM, '/top'] }).lost).toBeUndefined();
  });

  it('but not another subvolume, nor one that something else lies over', () => {
    const other = butter({ '/srv': '@', '/home': '@home' });
    expect(plan({ layout: other, held: [...SYSTEM, '/srv'] }).lost).toEqual(['/home']);
    const covered = butter({ '/srv': '@', '/srv/data': '@home', '/mnt/data': '@/data' });
    expect(plan({ layout: covered, held: [...SYSTEM, '/srv', '/srv/data'] }).lost).toEqual(['/mnt/data']);
  });
});
