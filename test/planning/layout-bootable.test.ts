/** Which boot set-ups a recovery can make again: what it can't is fatal at backup time and refused by the plan; what is not known is said. */
import type { Facts } from '../../planning/layout-facts';
import { recoverability } from '../../planning/recoverable';
import { DEFAULT_RECOVERY_POLICY, planRecovery } from '../../planning/recover';
import type { FoundMachine, RecoveryPlan } from '../../planning/recover';
import { bootTarget } from '../../planning/recover-boot';
import { layoutChanges, layoutSum } from '../../planning/layout-diff';
import { WHY } from '../../planning/layout-limits';
import type { Layout } from '../../planning/layout-schema';
import { foundMachine, LayoutKit, sameDisks } from './layout-builder';
import { LAYOUTS } from './layout-cases';
import { altered, layoutOf, machine } from './layout-machines';

type Changes = Parameters<typeof altered>[1];
const reasons = (name: string, changes: Changes) => recoverability(layoutOf(altered(machine(name), changes))).reasons;
const lines = (...words: string[]): string => words.map((word) => `${word}\n`).join('');
const tools = (...names: string[]): string => lines(...names.map((name) => `${name} /usr/bin/${name}`));

const DEBIAN = tools('update-initramfs', 'lsinitramfs', 'update-grub', 'grub-install', 'grub-mkconfig');
const KERNEL = ['/boot/vmlinuz-6.1.0-32-amd64', '/boot/initrd.img-6.1.0-32-amd64'];
/** In place of Debian's set-up on the UEFI machine. */
const ARCH: Changes = {
  'os-release': 'ID=arch\nPRETTY_NAME="Arch Linux"\n',
  'boot-files': lines('/boot/vmlinuz-linux', '/boot/initramfs-linux.img', '/boot/grub/grub.cfg'),
  'boot-tools': tools('mkinitcpio', 'grub-install', 'grub-mkconfig'),
  'boot-modules': '6.6.8-arch1-1\n',
};
const ENTRY = '/boot/efi/loader/entries/0123-6.1.0-32-amd64.conf';
const SYSTEMD_BOOT: Changes = {
  efibootmgr:
    'BootCurrent: 0001\nBootOrder: 0001\nBoot0001* Linux Boot Manager\tHD(1,GPT,12222221-0000-4000-8000-000000000000,0x800,0x100000)/File(\\EFI\\systemd\\systemd-bootx64.efi)\n',
  'boot-files': lines(...KERNEL, '/boot/efi/EFI/systemd/systemd-bootx64.efi', ENTRY),
  'boot-tools': tools('update-initramfs', 'lsinitramfs', 'bootctl', 'kernel-install'),
  'grub-platforms': '',
};

describe('set-ups that are made again have no reason against them', () => {
  it.each([
    ['GRUB on Debian', 'uefi-ext4', {}],
    ['GRUB by BIOS', 'gpt-bios-ext4', {}],
    ['the loader of Red Hat’s packages', 'xfs-bls', {}],
    ['systemd-boot with entries', 'uefi-ext4', SYSTEMD_BOOT],
    [
      'systemd-boot where GRUB is installed too',
      'uefi-ext4',
      { ...SYSTEMD_BOOT, 'boot-tools': `${DEBIAN}bootctl /usr/bin/bootctl\n` },
    ],
    [
      'kernels in folders of the boot loader specification',
      'uefi-ext4',
      {
        'boot-files': lines(
          '/boot/grub/grub.cfg',
          '/boot/efi/0123/6.1.0-32-amd64/linux',
          '/boot/efi/0123/6.1.0-32-amd64/initrd',
        ),
      },
    ],
  ] satisfies [string, string, Changes][])('%s', (_, name, changes) => {
    expect(reasons(name, changes)).toEqual([]);
  });
});

describe('others are fatal, by name', () => {
  const kernel = 'the kernel: none has its version in its name and modules of that version';
  const initramfs = 'the initramfs: the system makes it by none of update-initramfs, dracut and mkinitrd';

  it.each([
    ['Arch, whose kernel has no version', 'uefi-ext4', ARCH, [kernel, initramfs]],
    [
      'Alpine',
      'gpt-bios-ext4',
      {
        'os-release': 'ID=alpine\n',
        'boot-files': lines('/boot/vmlinuz-lts', '/boot/initramfs-lts', '/boot/extlinux.conf'),
        'boot-tools': tools('mkinitfs', 'extlinux'),
        'boot-modules': '6.6.14-0-lts\n',
        'grub-platforms': '',
      },
      ['the boot loader: it is extlinux or syslinux, which Resurgo does not install', kernel, initramfs],
    ],
    [
      'no tool for the initramfs',
      'uefi-ext4',
      { 'boot-tools': tools('lsinitramfs', 'grub-install', 'grub-mkconfig') },
      [initramfs],
    ],
    [
      'nothing that looks into one',
      'uefi-ext4',
      { 'boot-tools': DEBIAN.replace(/lsinitramfs.*\n/, '') },
      ['the initramfs: the system has neither lsinitramfs nor lsinitrd'],
    ],
    ['a kernel without modules', 'uefi-ext4', { 'boot-modules': '6.1.0-99-amd64\n' }, [kernel]],
    [
      'GRUB without its files for BIOS',
      'gpt-bios-ext4',
      { 'grub-platforms': 'x86_64-efi\n' },
      ['the boot loader: GRUB’s own files for this firmware are not installed'],
    ],
    [
      'GRUB without its files for UEFI',
      'uefi-ext4',
      { 'grub-platforms': 'i386-pc\n' },
      ['the boot loader: GRUB’s own files for this firmware are not installed'],
    ],
    [
      'GRUB that came without a program to install it',
      'gpt-bios-ext4',
      { 'boot-tools': tools('update-initramfs', 'lsinitramfs', 'update-grub') },
      ['the boot loader: the system has no grub-install'],
    ],
    [
      'one in /usr/local, where no job looks',
      'gpt-bios-ext4',
      { 'boot-tools': DEBIAN.replace('/usr/bin/grub-install', '/usr/local/sbin/grub-install') },
      ['the boot loader: the system has no grub-install'],
    ],
    [
      'GRUB that nothing configures',
      'gpt-bios-ext4',
      { 'boot-tools': tools('update-initramfs', 'lsinitramfs', 'grub-install') },
      ['the boot loader: the system has no grub-mkconfig'],
    ],
    [
      'Red Hat’s loader that is not there',
      'xfs-bls',
      { 'boot-files': machine('xfs-bls')['boot-files']?.out.replace(/.*\.efi\n/gi, '') },
      ['the boot loader: its folder on the EFI system partition holds none of shim, GRUB and systemd-boot'],
    ],
    [
      'unified kernels',
      'uefi-ext4',
      {
        ...SYSTEMD_BOOT,
        'boot-files': lines(
          ...KERNEL,
          '/boot/efi/EFI/systemd/systemd-bootx64.efi',
          '/boot/efi/EFI/Linux/debian-6.1.efi',
        ),
      },
      ['the boot loader: systemd-boot starts kernels without entries'],
    ],
    [
      'an EFI system partition that is mounted elsewhere',
      'uefi-ext4',
      {
        mounts: machine('uefi-ext4')['mounts']?.out.replace(' /boot/efi ', ' /esp '),
        'config:/etc/fstab': machine('uefi-ext4')['config:/etc/fstab']?.out.replace('/boot/efi', '/esp'),
      },
      ['the EFI system partition: no FAT is mounted at /boot/efi, /efi or /boot'],
    ],
  ] satisfies [string, string, Changes, string[]][])('%s', (_, name, changes, expected) => {
    const told = reasons(name, changes);
    expect(told.map((each, i) => each.slice(0, expected[i]?.length))).toEqual(expected);
  });

  it('boot code on a disk that the system does not lie on', () => {
    const facts = machine('lvm-raid1');
    const [, , , ...rest] = layoutOf(facts).boot.biosDisks;
    expect(rest).toEqual([]);
    const mounts = facts['mounts']?.out ?? '';
    const elsewhere = mounts.replace(/^(\d+ \d+) \S+ (\/ \/(?:boot)? .*) - ext4 \S+/gm, '$1 0:99 $2 - ext4 /dev/gone');
    expect(elsewhere).not.toBe(mounts);
    expect(reasons('lvm-raid1', { mounts: elsewhere })).toContain(
      'the boot loader: its boot code lies on a disk that neither / nor /boot lies on',
    );
  });
});

it('boot code on any disk of a btrfs will do, though its mount names one', () => {
  const layout = layoutOf(machine('btrfs-two'));
  expect(layout.disks).toHaveLength(2);
  const sectors = layout.disks.map(({ name }) => machine('btrfs-two')[`sector:/dev/${name}`]?.out ?? '');
  const code = sectors.find((each) => each.replace(/\s/g, '').includes('47525542')) ?? '';
  const blank = ' 00'.repeat(440) + code.replace(/\n/g, '').slice(3 * 440);
  expect(code).not.toBe('');
  const onOne = (own: string) =>
    Object.fromEntries(layout.disks.map(({ name }) => [`sector:/dev/${name}`, name === own ? code : blank]));
  for (const { name } of layout.disks) {
    const told = layoutOf(altered(machine('btrfs-two'), onOne(name)));
    expect(told.boot.biosDisks).toEqual([`disk:${name}`]);
    expect(recoverability(told).reasons).toEqual([]);
  }
});

describe('a host whose hostkit does not tell all of it yet', () => {
  const older = (name: string, changes: Changes = {}): Facts =>
    altered(machine(name), { ...changes, 'boot-modules': undefined, 'grub-platforms': undefined });

  it('is recoverable as far as is known, and that it is not known is a limit', () => {
    const layout = layoutOf(older('uefi-ext4'));
    expect(layout.boot).not.toHaveProperty('remake');
    expect(layout.limits).toEqual([{ what: 'the boot set-up', why: WHY.bootUnknown, weight: 'part' }]);
  });

  it('is not recoverable by what is certain', () => {
    const { reasons: told } = recoverability(layoutOf(older('uefi-ext4', ARCH)));
    expect(told.map((each) => each.split(':')[0])).toEqual(['the kernel', 'the initramfs']);
  });

  it('has not changed because more is told of it', () => {
    const before = layoutOf(older('uefi-ext4'));
    const after = layoutOf(machine('uefi-ext4'));
    expect(layoutChanges({ before, after })).toEqual([]);
    const grown = structuredClone(after);
    grown.boot.remake?.moduleVersions.push('6.1.0-33-amd64');
    expect(layoutSum(grown)).toBe(layoutSum(after));
    grown.boot.remake?.tools.push('dracut');
    expect(layoutChanges({ before: after, after: grown })).toHaveLength(1);
  });
});

describe('the plan', () => {
  const plan = (
    layout: Layout,
    more: Partial<FoundMachine> = {},
    held: string[] | null = null,
    leaveOut: string[] = [],
  ): RecoveryPlan =>
    planRecovery({
      layout,
      machine: foundMachine(layout, sameDisks(layout), more),
      policy: { ...DEFAULT_RECOVERY_POLICY, leaveOut },
      backup: '20261121_013000',
      held,
    });
  const booting = (layout: Layout, boot: Partial<Layout['boot']>): Layout => ({
    ...layout,
    boot: { ...layout.boot, ...boot },
  });

  it('refuses what an older layout holds no limit for', () => {
    const made = plan(
      booting(LAYOUTS['bios gpt ext4 with swap at the end'](), { loader: 'extlinux', remake: undefined }),
    );
    expect(made.blockers).toEqual([expect.stringMatching(/^the boot loader can't be made again: it is extlinux/)]);
    expect(made.steps).toEqual([]);
  });

  it('of a copy says so under its hash, and refuses it where kernels are named by the machine id', () => {
    const layout = LAYOUTS['uefi ext4']();
    const copied = (loader: 'grub2' | 'systemd-boot') =>
      planRecovery({
        ...{
          layout: booting(layout, { loader }),
          machine: foundMachine(layout, sameDisks(layout)),
          backup: 'x',
          held: null,
        },
        policy: { ...DEFAULT_RECOVERY_POLICY, newIdentity: true },
      });
    expect(copied('grub2').warnings).toContainEqual(expect.stringMatching(/identity of its own/));
    expect(copied('grub2').hash).not.toBe(plan(layout).hash);
    expect(copied('systemd-boot').blockers).toContainEqual(expect.stringMatching(/recover without --new-identity/));
  });

  it('says of an older layout that it is not known, once', () => {
    const layout = booting(LAYOUTS['uefi ext4'](), { remake: undefined });
    const made = plan(layout);
    expect(made.blockers).toEqual([]);
    expect(made.warnings).toEqual([expect.stringMatching(/^the boot set-up: the host did not tell/)]);
    const limits = [
      {
        what: 'the boot set-up',
        why: made.warnings[0]?.slice('the boot set-up: '.length) ?? '',
        weight: 'part' as const,
      },
    ];
    expect(plan({ ...layout, limits }).warnings).toEqual(made.warnings);
  });

  it('refuses a machine whose firmware the system has no GRUB for, though the disk has a place', () => {
    const layout = new LayoutKit({ firmware: 'bios' })
      .disk('sda', 40)
      .gpt('disk:sda', ['512M esp', '1M bios', '* linux'])
      .vfat('part:sda1', '/boot/efi')
      .ext4('part:sda3', '/')
      .build();
    expect(plan(layout, { firmware: 'uefi' }).blockers).toEqual([]);
    const { remake } = layout.boot;
    const bare = booting(layout, {
      remake: remake === undefined ? undefined : { ...remake, grubPlatforms: ['i386-pc'] },
    });
    expect(plan(bare).blockers).toEqual([]);
    expect(plan(bare, { firmware: 'uefi' }).blockers).toEqual([
      expect.stringMatching(/GRUB’s own files for this firmware/),
    ]);
  });

  it('refuses a backup without the kernels, or without a loader that is not installed anew', () => {
    const layout = LAYOUTS['uefi with /boot, nvme']();
    expect(plan(layout, {}, ['/', '/boot']).blockers).toEqual([]);
    expect(plan(layout, {}, ['/', '/boot/efi']).blockers).toEqual([
      expect.stringMatching(/^\/boot is not in the backup/),
    ]);
    const fedora = { ...layout, system: { ...layout.system, os: { ...layout.system.os, id: 'fedora' } } };
    expect(plan(fedora, {}, ['/', '/boot']).blockers).toEqual([
      expect.stringMatching(/^\/boot\/efi is not in the backup/),
    ]);
  });

  it('refuses to leave out the disk that it boots from', () => {
    const layout = new LayoutKit({ firmware: 'bios' })
      .disk('sda', 40)
      .disk('sdb', 40)
      .gpt('disk:sda', ['1M bios'])
      .gpt('disk:sdb', ['1M bios', '* linux'])
      .ext4('part:sdb2', '/')
      .build();
    const booted = booting(layout, { biosDisks: ['disk:sda'] });
    expect(plan(booted).blockers).toEqual([]);
    expect(plan(booted, {}, null, ['sda']).blockers).toEqual([
      expect.stringMatching(/^none of the disks that this host booted from/),
    ]);
  });

  it('leaves a loader in the folder where it is', () => {
    const layout = LAYOUTS['uefi ext4']();
    const { remake } = layout.boot;
    const fedora = {
      ...booting(layout, {
        remake: remake === undefined ? undefined : { ...remake, loaderFiles: ['EFI/other/shimx64.efi'] },
      }),
      system: { ...layout.system, os: { ...layout.system.os, id: 'fedora' } },
    };
    expect(bootTarget({ layout: fedora, plan: plan(fedora) }).efiId).toBeNull();
    expect(plan(fedora).blockers).toEqual([]);
  });
});
