/** What the boot loader of a recovered system is told. */
import { bootTarget } from '../../planning/recover-boot';
import { DEFAULT_RECOVERY_POLICY, planRecovery } from '../../planning/recover';
import { foundMachine, sameDisks } from './layout-builder';
import { LAYOUTS } from './layout-cases';

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
