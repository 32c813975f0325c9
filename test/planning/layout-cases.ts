/** Layouts of hosts as they are met, each by a name. */
import type { Layout } from '../../planning/layout-schema';
import { LayoutKit } from './layout-builder';

const uefiParts = ['512M esp EFI', '1G linux boot', '* linux root'];

export const LAYOUTS = {
  'uefi ext4': () =>
    new LayoutKit()
      .disk('sda', 40)
      .gpt('disk:sda', ['512M esp', '* linux'])
      .vfat('part:sda1', '/boot/efi')
      .ext4('part:sda2', '/')
      .build(),
  'bios gpt ext4 with swap at the end': () =>
    new LayoutKit({ firmware: 'bios' })
      .disk('sda', 40)
      .gpt('disk:sda', ['1M bios', '36G linux', '* swap'])
      .ext4('part:sda2', '/')
      .swap('part:sda3')
      .build(),
  'uefi with /boot, nvme': () =>
    new LayoutKit()
      .disk('nvme0n1', 500, { transport: 'nvme', wwn: 'eui.0025385b71b0a1c2' })
      .gpt('disk:nvme0n1', uefiParts)
      .vfat('part:nvme0n1p1', '/boot/efi')
      .ext4('part:nvme0n1p2', '/boot', { usedGib: 0.2 })
      .ext4('part:nvme0n1p3', '/', { usedGib: 30, label: 'root' })
      .build(),
  'mbr ext4': () =>
    new LayoutKit({ firmware: 'bios' }).disk('sda', 20).dos('disk:sda', ['* 83 active']).ext4('part:sda1', '/').build(),
  'mbr with logicals': () =>
    new LayoutKit({ firmware: 'bios' })
      .disk('sda', 40)
      .dos('disk:sda', ['512M 83 active', '10G 83', '* ext'], ['2G 82', '8G 83', '12G 83'])
      .ext4('part:sda1', '/boot', { usedGib: 0.1 })
      .ext4('part:sda2', '/')
      .swap('part:sda5')
      .ext4('part:sda6', '/var', { usedGib: 3 })
      .xfs('part:sda7', '/srv', { usedGib: 4 })
      .build(),
  'mbr of old, 63 sectors': () =>
    new LayoutKit({ firmware: 'bios' })
      .disk('sda', 40)
      .dos('disk:sda', ['10G 83 active', '* ext'], ['2G 82', '* 83'], { gap: 63 * 512 })
      .ext4('part:sda1', '/')
      .swap('part:sda5')
      .ext4('part:sda6', '/home', { usedGib: 5 })
      .build(),
  'lvm on md raid1': () =>
    new LayoutKit({ firmware: 'bios' })
      .disk('sda', 40)
      .disk('sdb', 40)
      .gpt('disk:sda', ['1M bios', '1G raid', '* raid'])
      .gpt('disk:sdb', ['1M bios', '1G raid', '* raid'])
      .md('md0', 'raid1', ['part:sda2', 'part:sdb2'], { metadata: '1.0' })
      .md('md1', 'raid1', ['part:sda3', 'part:sdb3'])
      .ext4('md:md0', '/boot', { usedGib: 0.2 })
      .vg('vg0', ['md:md1'])
      .lv('vg0', 'root', '12G')
      .lv('vg0', 'swap', '2G')
      .lv('vg0', 'srv', '16G', { tags: ['data'] })
      .ext4('lv:vg0/root', '/', { usedGib: 3 })
      .swap('lv:vg0/swap')
      .xfs('lv:vg0/srv', '/srv', { usedGib: 4 })
      .build(),
  'degraded md raid1': () =>
    new LayoutKit({ firmware: 'bios' })
      .disk('sda', 40)
      .gpt('disk:sda', ['1M bios', '* raid'])
      .md('md0', 'raid1', ['part:sda2', null])
      .ext4('md:md0', '/')
      .build(),
  'degraded md raid1 with a spare': () =>
    new LayoutKit({ firmware: 'bios' })
      .disk('sda', 40)
      .disk('sdb', 40)
      .gpt('disk:sda', ['1M bios', '* raid'])
      .gpt('disk:sdb', ['1M bios', '* raid'])
      .md('md0', 'raid1', ['part:sda2', null], { spares: ['part:sdb2'] })
      .ext4('md:md0', '/')
      .build(),
  'md raid5 and raid10': () =>
    new LayoutKit()
      .disk('sda', 20)
      .gpt('disk:sda', ['512M esp', '* linux'])
      .vfat('part:sda1', '/boot/efi')
      .ext4('part:sda2', '/')
      .disk('sdb', 100)
      .disk('sdc', 100)
      .disk('sdd', 100)
      .disk('sde', 100)
      .gpt('disk:sdb', ['40G raid', '* raid'])
      .gpt('disk:sdc', ['40G raid', '* raid'])
      .gpt('disk:sdd', ['40G raid', '* raid'])
      .gpt('disk:sde', ['40G raid', '* raid'])
      .md('md5', 'raid5', ['part:sdb1', 'part:sdc1', 'part:sdd1', 'part:sde1'])
      .md('md10', 'raid10', ['part:sdb2', 'part:sdc2', 'part:sdd2', 'part:sde2'])
      .xfs('md:md5', '/srv/archive', { usedGib: 20 })
      .ext4('md:md10', '/srv/db', { usedGib: 30 })
      .build(),
  'luks2 and lvm': () =>
    new LayoutKit()
      .disk('sda', 60)
      .gpt('disk:sda', uefiParts)
      .vfat('part:sda1', '/boot/efi')
      .ext4('part:sda2', '/boot', { usedGib: 0.2 })
      .luks('part:sda3', 'cr_root')
      .vg('vg0', ['luks:cr_root'])
      .lv('vg0', 'root', '30G')
      .lv('vg0', 'swap', '4G')
      .lv('vg0', 'home', '*')
      .ext4('lv:vg0/root', '/', { usedGib: 8 })
      .swap('lv:vg0/swap')
      .ext4('lv:vg0/home', '/home', { usedGib: 6 })
      .build(),
  'luks without a header': () =>
    new LayoutKit()
      .disk('sda', 40)
      .gpt('disk:sda', uefiParts)
      .vfat('part:sda1', '/boot/efi')
      .ext4('part:sda2', '/boot', { usedGib: 0.2 })
      .luks('part:sda3', 'cr_root', { version: 1, header: null, tokens: ['clevis'] })
      .ext4('luks:cr_root', '/')
      .build(),
  'lvm thin': () =>
    new LayoutKit()
      .disk('vda', 60, { transport: 'virtio', rotational: true })
      .gpt('disk:vda', ['512M esp', '* lvm'])
      .vfat('part:vda1', '/boot/efi')
      .vg('vg0', ['part:vda2'])
      .lv('vg0', 'root', '10G')
      .thinPool('vg0', 'pool', '40G')
      .thin('vg0', 'srv', '60G', 'pool')
      .thin('vg0', 'db', '20G', 'pool')
      .ext4('lv:vg0/root', '/', { usedGib: 3 })
      .xfs('lv:vg0/srv', '/srv', { usedGib: 5 })
      .ext4('lv:vg0/db', '/var/lib/db', { usedGib: 4 })
      .build(),
  'lvm of several segments, stripes and mirrors': () =>
    new LayoutKit({ firmware: 'bios' })
      .disk('sda', 40)
      .disk('sdb', 40)
      .gpt('disk:sda', ['1M bios', '1G linux', '* lvm'])
      .ext4('part:sda2', '/boot', { usedGib: 0.2 })
      .vg('vg0', ['part:sda3', 'disk:sdb'])
      .lv('vg0', 'root', '8G', { on: ['part:sda3'] })
      .stripedLv('vg0', 'fast', '8G', { on: ['part:sda3', 'disk:sdb'] })
      .stripedLv('vg0', 'safe', '6G', { on: ['part:sda3', 'disk:sdb'], raid: 'raid1' })
      .lv('vg0', 'long', '30G')
      .ext4('lv:vg0/root', '/', { usedGib: 3 })
      .xfs('lv:vg0/fast', '/scratch', { usedGib: 1 })
      .ext4('lv:vg0/safe', '/var/lib/db', { usedGib: 2 })
      .ext4('lv:vg0/long', '/srv', { usedGib: 9 })
      .build(),
  'btrfs with subvolumes on two devices': () =>
    new LayoutKit()
      .disk('sda', 40)
      .disk('sdb', 40)
      .gpt('disk:sda', ['512M esp', '* linux'])
      .gpt('disk:sdb', ['512M esp', '* linux'])
      .vfat('part:sda1', '/boot/efi')
      .btrfs(
        ['part:sda2', 'part:sdb2'],
        { '/': '@', '/home': '@home', '/var/lib/db': '@/var/lib/db' },
        {
          subvolumes: ['@', '@home', '@/var/lib/db', 'snapshots', 'snapshots/2026-11-20'],
          ro: ['snapshots/2026-11-20'],
          nocow: ['@/var/lib/db'],
          data: 'raid1',
          metadata: 'raid1',
          defaultPath: '@',
          usedGib: 10,
        },
      )
      .build(),
  'xfs root': () =>
    new LayoutKit()
      .disk('sda', 100)
      .gpt('disk:sda', uefiParts)
      .vfat('part:sda1', '/boot/efi')
      .xfs('part:sda2', '/boot', { usedGib: 0.3 })
      .xfs('part:sda3', '/', { usedGib: 20 })
      .build(),
  'zfs data pool': () =>
    new LayoutKit()
      .disk('sda', 20)
      .disk('sdb', 200)
      .disk('sdc', 200)
      .gpt('disk:sda', ['512M esp', '* linux'])
      .vfat('part:sda1', '/boot/efi')
      .ext4('part:sda2', '/')
      .pool(
        'tank',
        [
          {
            kind: 'mirror',
            on: null,
            children: [
              { kind: 'disk', on: 'disk:sdb', children: [] },
              { kind: 'disk', on: 'disk:sdc', children: [] },
            ],
          },
        ],
        { tank: '/tank', 'tank/home': '/home' },
        { usedGib: 40, volumes: { 'tank/vm': 10 } },
      )
      .build(),
  'whole-disk pv': () =>
    new LayoutKit()
      .disk('sda', 20)
      .disk('sdb', 100)
      .gpt('disk:sda', ['512M esp', '* linux'])
      .vfat('part:sda1', '/boot/efi')
      .ext4('part:sda2', '/')
      .vg('data', ['disk:sdb'])
      .lv('data', 'srv', '60G')
      .xfs('lv:data/srv', '/srv', { usedGib: 10 })
      .build(),
  'whole-disk ext4': () =>
    new LayoutKit()
      .disk('sda', 20)
      .disk('sdb', 50)
      .gpt('disk:sda', ['512M esp', '* linux'])
      .vfat('part:sda1', '/boot/efi')
      .ext4('part:sda2', '/')
      .ext4('disk:sdb', '/srv', { usedGib: 5 })
      .build(),
  'swap file': () =>
    new LayoutKit()
      .disk('sda', 40)
      .gpt('disk:sda', ['512M esp', '* linux'])
      .vfat('part:sda1', '/boot/efi')
      .ext4('part:sda2', '/')
      .swapFile('/swapfile', 2048)
      .build(),
  'several volume groups': () =>
    new LayoutKit()
      .disk('sda', 40)
      .disk('sdb', 80)
      .gpt('disk:sda', ['512M esp', '1G linux', '* lvm'])
      .gpt('disk:sdb', ['40G lvm', '* lvm'])
      .vfat('part:sda1', '/boot/efi')
      .ext4('part:sda2', '/boot', { usedGib: 0.2 })
      .vg('sys', ['part:sda3'])
      .vg('db', ['part:sdb1'], { extentMib: 8 })
      .vg('web', ['part:sdb2'])
      .lv('sys', 'root', '*')
      .lv('db', 'data', '30G')
      .lv('web', 'www', '20G')
      .ext4('lv:sys/root', '/', { usedGib: 5 })
      .xfs('lv:db/data', '/var/lib/db', { usedGib: 5 })
      .ext4('lv:web/www', '/srv/www', { usedGib: 5 })
      .build(),
  'a partitioned array': () =>
    new LayoutKit({ firmware: 'bios' })
      .disk('sda', 40)
      .disk('sdb', 40)
      .md('md0', 'raid1', ['disk:sda', 'disk:sdb'], { metadata: '1.0' })
      .dos('md:md0', ['1G 83 active', '* 83'])
      .ext4('part:md0p1', '/boot', { usedGib: 0.2 })
      .ext4('part:md0p2', '/')
      .build(),
  'boot and data disks': () =>
    new LayoutKit()
      .disk('sda', 40)
      .disk('sdb', 1000, { rotational: true })
      .gpt('disk:sda', ['512M esp', '* linux'])
      .gpt('disk:sdb', ['* linux'])
      .vfat('part:sda1', '/boot/efi')
      .ext4('part:sda2', '/')
      .ext4('part:sdb1', '/srv', { usedGib: 50 })
      .build(),
} as const satisfies Record<string, () => Layout>;

export type LayoutName = keyof typeof LAYOUTS;
