/** What the boot loader of a recovered system is told. */
import { deviceWords } from '../../activities/recover-devices';
import { bootTarget } from '../../planning/recover-boot';
import { DEFAULT_RECOVERY_POLICY, planRecovery } from '../../planning/recover';
import { foundMachine, LayoutKit, sameDisks } from './layout-builder';
import { LAYOUTS } from './layout-cases';

describe('EFI system partitions', () => {
  const warnings = (kit: LayoutKit, firmware: 'bios' | 'uefi' = 'uefi'): string[] => {
    const layout = kit.build();
    const machine = { ...foundMachine(layout, sameDisks(layout)), firmware };
    return planRecovery({
      ...{ layout, machine, policy: DEFAULT_RECOVERY_POLICY, backup: '20261121_013000' },
    }).warnings.filter((each) => /EFI system partition/.test(each));
  };
  const two = (): LayoutKit =>
    new LayoutKit()
      .disk('sda', 40)
      .disk('sdb', 40)
      .gpt('disk:sda', ['512M esp', '1M bios', '* linux'])
      .gpt('disk:sdb', ['512M esp', '* linux'])
      .ext4('part:sda3', '/')
      .ext4('part:sdb2', '/srv');

  const beside = (kit: LayoutKit, firmware: 'bios' | 'uefi' = 'uefi') => {
    const layout = kit.build();
    const machine = { ...foundMachine(layout, sameDisks(layout)), firmware };
    const plan = planRecovery({ ...{ layout, machine, policy: DEFAULT_RECOVERY_POLICY, backup: '20261121_013000' } });
    return bootTarget({ layout, plan }).otherEsps?.map((each) =>
      each.kind === 'partition' ? deviceWords(each) : each,
    );
  };

  it('beside the mounted one get the loader too, mounted elsewhere or nowhere', () => {
    const made = two().vfat('part:sda1', '/boot/efi').vfat('part:sdb1', '/boot/efi2');
    expect(warnings(made)).toEqual([]);
    expect(beside(made)).toEqual([expect.stringMatching(/^partition 1 1048576 536870912 of disk \S*sdb/i)]);
    const nowhere = two().vfat('part:sda1', '/boot/efi').vfat('part:sdb1', null);
    expect(beside(nowhere)).toHaveLength(1);
    expect(beside(two().vfat('part:sda1', '/boot/efi'))).toBeUndefined();
    expect(beside(made, 'bios')).toBeUndefined();
  });

  it('that can not be made to boot are warned of', () => {
    const why =
      /^sdb1 of the layout: an EFI system partition beside the one at \/boot\/efi, without a FAT\. It gets neither/;
    expect(warnings(two().vfat('part:sda1', '/boot/efi'))).toEqual([expect.stringMatching(why)]);
    // What lies below /boot is on one of them alone.
    const kernels = two().vfat('part:sda1', '/boot').vfat('part:sdb1', '/boot2');
    expect(warnings(kernels)).toEqual([expect.stringMatching(/beside the one at \/boot, and its kernels lie on that/)]);
    expect(beside(kernels)).toBeUndefined();
  });

  it('that are members of one array, or on a machine that starts by BIOS, are not', () => {
    const array = two().md('md0', 'raid1', ['part:sda1', 'part:sdb1'], { metadata: '1.0' });
    expect(warnings(array.vfat('md:md0', '/boot/efi'))).toEqual([]);
    expect(warnings(two().vfat('part:sda1', '/boot/efi'), 'bios')).toEqual([]);
    expect(warnings(two().vfat('part:sda1', '/boot/efi'))).toHaveLength(1);
  });
});

describe('the EFI folder', () => {
  const layout = LAYOUTS['uefi ext4']();
  const idOf = (loaders: readonly (string | null)[]): string | null => {
    const efiEntries = loaders.map((loader, i) => ({ ...ENTRY, number: `000${i}`, loader }));
    const booted = {
      ...layout,
      boot: { ...layout.boot, efiEntries, efiOrder: efiEntries.map(({ number }) => number) },
    };
    const plan = planRecovery({
      layout: booted,
      machine: foundMachine(booted, sameDisks(booted)),
      policy: DEFAULT_RECOVERY_POLICY,
      backup: '20261121_013000',
    });
    return bootTarget({ layout: booted, plan }).efiId;
  };
  const ENTRY = { number: '0000', label: 'x', active: true, partitionUuid: null, loader: null };

  it('is that of the first entry that a system of its own has', () => {
    expect(idOf(['\\EFI\\ubuntu\\shimx64.efi', '\\EFI\\debian\\shimx64.efi'])).toBe('ubuntu');
    expect(idOf([null, '\\EFI\\debian\\grubx64.efi'])).toBe('debian');
  });

  it.each(['BOOT', 'Boot', 'Microsoft', 'microsoft', 'Dell', 'HP'])('is never %s', (folder) => {
    expect(idOf([`\\EFI\\${folder}\\bootx64.efi`, '\\EFI\\rocky\\shimx64.efi'])).toBe('rocky');
    expect(idOf([`\\EFI\\${folder}\\bootx64.efi`])).toBe('debian');
  });
});
