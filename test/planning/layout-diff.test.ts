import { layoutChanges, layoutSum } from '../../planning/layout-diff';
import type { Layout } from '../../planning/layout-schema';
import { golden, MACHINES } from './layout-machines';

/** What changed after the layout was altered in place, as lines. */
function changed(name: string, alter: (layout: Layout) => void): string[] {
  const after = golden(name);
  alter(after);
  return layoutChanges({ before: golden(name), after }).map(({ area, change, what, field, before, after: now }) =>
    [area, change, what, ...(field === null ? [] : [`${field}: ${before} → ${now}`])].join(' | '),
  );
}

describe('nothing has changed', () => {
  it.each(MACHINES)('%s beside itself', (name) => {
    expect(changed(name, () => undefined)).toEqual([]);
  });

  it('when what changes by itself has', () => {
    const alter = (layout: Layout) => {
      layout.capturedAt = '2027-01-01T00:00:00.000Z';
      layout.system.modules = [...layout.system.modules, 'loop'].reverse();
      layout.system.memoryBytes += 4096;
      for (const each of layout.fileSystems) each.usedBytes = 5;
      for (const each of layout.network.interfaces) Object.assign(each, { addresses: ['192.0.2.99/24'], up: false });
      layout.network.routes = [];
      layout.network.dns.servers = ['198.51.100.1'];
      layout.boot.commandLine = layout.boot.commandLine.replace(
        /BOOT_IMAGE=\S+/,
        'BOOT_IMAGE=/boot/vmlinuz-6.1.0-33-amd64',
      );
      layout.configs.push({ path: '/boot/grub2/grubenv', text: 'a', sha256: '0'.repeat(64) });
    };
    expect(changed('uefi-ext4', alter)).toEqual([]);
  });

  it.each(['btrfs-two', 'lvm-raid1'])('when the kernel calls the disks of %s otherwise', (name) => {
    const swap = (text: string) => text.replaceAll('sda', 'sd#').replaceAll('sdb', 'sda').replaceAll('sd#', 'sdb');
    const alter = (layout: Layout) => {
      const { configs } = layout;
      Object.assign(layout, JSON.parse(swap(JSON.stringify({ ...layout, configs: [] }))), { configs });
    };
    expect(changed(name, alter)).toEqual([]);
  });

  it('when parts are told in another order', () => {
    const alter = ({ volumeGroups, disks, partitions, boot }: Layout) => {
      for (const list of [volumeGroups[0]!.physical, disks, partitions, boot.biosDisks]) list.reverse();
    };
    expect(changed('lvm-thin', alter)).toEqual([]);
    expect(changed('lvm-raid1', alter)).toEqual([]);
  });

  it('when a snapshot has come or gone', () => {
    const alter = (layout: Layout) => {
      const { make } = layout.fileSystems[0]!;
      if (make.type === 'btrfs') make.subvolumes = make.subvolumes.filter(({ snapshot }) => !snapshot);
    };
    expect(changed('btrfs-two', alter)).toEqual([]);
  });
});

describe('told in the words of an operator', () => {
  it.each<[string, string, (layout: Layout) => void, string[]]>([
    [
      'a disk that was replaced',
      'lvm-raid1',
      ({ disks }) => (disks[1]!.serial = 'NEW'),
      [
        'boot | changed | boot | biosDisks: disk ZFN00000, disk ZFN00001 → disk NEW, disk ZFN00000',
        'disks | removed | disk ZFN00001',
        'disks | added | disk NEW',
        'partitions | removed | table of disk ZFN00001',
        'partitions | removed | partition 1 of disk ZFN00001',
        'partitions | removed | partition 2 of disk ZFN00001',
        'partitions | removed | partition 3 of disk ZFN00001',
        'partitions | added | table of disk NEW',
        'partitions | added | partition 1 of disk NEW',
        'partitions | added | partition 2 of disk NEW',
        'partitions | added | partition 3 of disk NEW',
        'volumes | changed | array web-1:boot | slots: partition 2 of disk ZFN00000, partition 2 of disk ZFN00001 → partition 2 of disk ZFN00000, partition 2 of disk NEW',
        'volumes | changed | array web-1:lvm | slots: partition 3 of disk ZFN00000, partition 3 of disk ZFN00001 → partition 3 of disk ZFN00000, partition 3 of disk NEW',
      ],
    ],
    [
      'a partition that grew',
      'uefi-ext4',
      ({ partitions }) => (partitions[1]!.bytes += 1_048_576),
      ['partitions | changed | partition 2 of disk RSG0001 | bytes: 8589934592 → 8590983168'],
    ],
    [
      'a volume that grew by a segment',
      'lvm-thin',
      ({ volumes }) => (volumes[0]!.bytes = 5),
      ['volumes | changed | volume vg0/home | bytes: 8589934592 → 5'],
    ],
    [
      'a label, and a feature of a file system',
      'uefi-ext4',
      ({ fileSystems }) => {
        fileSystems[1]!.label = 'new';
        const { make } = fileSystems[1]!;
        if (make.type === 'ext4') make.reservedBlocks = 0;
      },
      [
        'file systems | changed | ext4 11111111-0000-4000-8000-000000000001 | label: none → new',
        'file systems | changed | ext4 11111111-0000-4000-8000-000000000001 | make.reservedBlocks: 104857 → 0',
      ],
    ],
    [
      'a subvolume',
      'btrfs-two',
      ({ fileSystems }) => {
        const { make } = fileSystems[0]!;
        if (make.type === 'btrfs') make.subvolumes[1]!.readOnly = true;
      },
      [
        'file systems | changed | btrfs 11111111-0000-4000-8000-000000000001 | make.subvolumes.@home x: writable → read-only',
      ],
    ],
    [
      'a mount',
      'uefi-ext4',
      ({ mounts }) => (mounts[0]!.options = ['ro']),
      ['mounts | changed | / | options: rw, relatime, errors=remount-ro → ro'],
    ],
    [
      'boot entries and kernels',
      'uefi-ext4',
      ({ boot }) => {
        boot.efiOrder.reverse();
        boot.secureBoot = false;
        boot.kernels[0]!.release = '6.1.0-33-amd64';
      },
      [
        'boot | changed | boot | secureBoot: true → false',
        'boot | changed | boot | efiOrder: debian, UiApp, UEFI QEMU DVD-ROM → UEFI QEMU DVD-ROM, UiApp, debian',
        'boot | removed | kernel 6.1.0-32-amd64',
        'boot | added | kernel 6.1.0-33-amd64',
      ],
    ],
    [
      'a network card, an address that is set by hand, a route',
      'lvm-raid1',
      ({ network }) => {
        network.interfaces[0]!.addresses = ['192.0.2.21/24'];
        network.interfaces[3]!.mac = '52:54:00:00:00:09';
        network.routes.pop();
      },
      [
        'network | changed | interface bond0 | addresses: 192.0.2.20/24 → 192.0.2.21/24',
        'network | changed | interface eno1 | mac: 52:54:00:aa:00:01 → 52:54:00:00:00:09',
        'network | removed | route to 203.0.113.0/24 on br20',
      ],
    ],
    [
      'a file, and a limit',
      'uefi-ext4',
      ({ configs, limits }) => {
        configs[0]!.sha256 = 'f'.repeat(64);
        configs[1]!.path = '/etc/other';
        limits.push({ what: 'sdb', why: 'it is a bcache device', weight: 'part' });
      },
      [
        `files | changed | /etc/fstab | content: ${golden('uefi-ext4').configs[0]!.sha256} → ${'f'.repeat(64)}`,
        'files | added | /etc/other',
        'files | removed | /etc/default/grub',
        'limits | added | sdb: it is a bcache device',
      ],
    ],
  ])('%s', (_, name, alter, lines) => {
    const found = changed(name, alter);
    expect([...found].sort()).toEqual([...lines].sort());
  });

  it('two disks that nothing tells apart are two', () => {
    const alter = ({ disks }: Layout) => disks.push({ ...disks[0]!, id: 'disk:vdz', name: 'vdz' });
    expect(changed('uefi-ext4', alter)).toEqual(['disks | added | disk RSG0001']);
  });
});

describe('the sum of a layout', () => {
  it('stays as long as nothing changes but what does by itself, and changes with the rest', () => {
    const later = golden('uefi-ext4');
    later.capturedAt = '2027-01-01T00:00:00.000Z';
    later.system.memoryBytes += 4096;
    for (const each of later.fileSystems) each.usedBytes = 5;
    expect(layoutSum(later)).toBe(layoutSum(golden('uefi-ext4')));
    const other = golden('uefi-ext4');
    other.disks[0]!.bytes += 512;
    expect(layoutSum(other)).not.toBe(layoutSum(golden('uefi-ext4')));
  });
});
