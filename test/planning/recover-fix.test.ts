import type { Layout } from '../../planning/layout-schema';
import { planFixes } from '../../planning/recover-fix';
import { sha256Hex } from '../../planning/sha256';
import { LayoutKit } from './layout-builder';

function host(configs: Record<string, string>): Layout {
  const layout = new LayoutKit({ firmware: 'bios' })
    .disk('sda', 40, { byId: ['ata-OLD_1', 'wwn-0x5000c500a1b2c3d4'] })
    .gpt('disk:sda', ['1M bios', '20G linux', '2G swap', '* lvm'])
    .ext4('part:sda2', '/')
    .swap('part:sda3')
    .vg('vg-0', ['part:sda4'])
    .lv('vg-0', 'data', '4G')
    .ext4('lv:vg-0/data', '/srv')
    .build();
  return {
    ...layout,
    configs: Object.entries(configs).map(([path, text]) => ({ path, text, sha256: sha256Hex(text) })),
  };
}

const uuid = (layout: Layout, on: string): string =>
  layout.fileSystems.find((each) => each.on === on)?.uuid ?? layout.swaps.find((each) => each.on === on)?.uuid ?? '?';
const cardsOf = (layout: Layout) =>
  layout.network.interfaces.flatMap(({ kind, mac }) =>
    kind === 'ethernet' && mac !== null ? [{ mac, up: true }] : [],
  );
const edited = (layout: Layout, path: string): string | undefined =>
  planFixes({ layout, cards: cardsOf(layout) }).edits.find((edit) => edit.path === path)?.after;

describe('device names in a restored system', () => {
  test('fstab: what says which disk it was becomes a UUID; all else stays to the byte', () => {
    const text = [
      '# /dev/sda2 was here',
      'UUID=keep\t/\text4 errors=remount-ro 0 1',
      '/dev/sda2   /old\text4  defaults 0 2  # tail',
      '/dev/disk/by-id/ata-OLD_1-part3 none swap sw 0 0',
      '/dev/disk/by-id/wwn-0x5000c500a1b2c3d4-part2 /x ext4 ro 0 0',
      '/dev/mapper/vg--0-data /srv ext4 defaults 0 2',
      '/dev/vg-0/data /srv2 ext4 defaults 0 2',
      'LABEL=x /y ext4 defaults 0 0',
      'tmpfs /tmp tmpfs nosuid 0 0',
      '/dev/cdrom /media iso9660 noauto 0 0',
      '/dev/sda22 /none ext4 noauto 0 0',
      '',
    ].join('\n');
    const layout = host({ '/etc/fstab': text });
    expect(edited(layout, '/etc/fstab')).toBe(
      text
        .replace('/dev/sda2   /old', `UUID=${uuid(layout, 'part:sda2')}   /old`)
        .replace('/dev/disk/by-id/ata-OLD_1-part3', `UUID=${uuid(layout, 'part:sda3')}`)
        .replace('/dev/disk/by-id/wwn-0x5000c500a1b2c3d4-part2', `UUID=${uuid(layout, 'part:sda2')}`),
    );
  });

  test('S27 a file of which the layout has left out what may be a secret is not written anew: that is told', () => {
    const share = '//nas/x /mnt/x cifs user=a,password=LEFT-OUT 0 0\n';
    const layout = host({ '/etc/fstab': `/dev/sda2 / ext4 defaults 0 1\n${share}` });
    const made = planFixes({ layout, cards: cardsOf(layout) });
    expect(made.edits.map(({ path }) => path)).not.toContain('/etc/fstab');
    expect(made.warnings).toEqual([
      expect.stringMatching(/^\/etc\/fstab holds what may be a secret.*change it by hand$/),
    ]);
  });

  test('kernel command lines: root and resume, quoted or not, in every file that holds one', () => {
    const layout = host({
      '/etc/default/grub': 'GRUB_CMDLINE_LINUX="root=/dev/sda2 resume=/dev/sda3 quiet"\n# root=/dev/sda2\n',
      '/etc/kernel/cmdline': 'root=/dev/mapper/vg--0-data ro resume=/dev/disk/by-id/ata-OLD_1-part3\n',
      '/boot/loader/entries/a.conf': 'options root=/dev/sda2 ro\n',
      '/etc/initramfs-tools/conf.d/resume': 'RESUME=/dev/sda3\n',
    });
    const [root, swap] = [uuid(layout, 'part:sda2'), uuid(layout, 'part:sda3')];
    expect(edited(layout, '/etc/default/grub')).toBe(
      `GRUB_CMDLINE_LINUX="root=UUID=${root} resume=UUID=${swap} quiet"\n# root=/dev/sda2\n`,
    );
    expect(edited(layout, '/etc/kernel/cmdline')).toBe(`root=/dev/mapper/vg--0-data ro resume=UUID=${swap}\n`);
    expect(edited(layout, '/boot/loader/entries/a.conf')).toBe(`options root=UUID=${root} ro\n`);
    expect(edited(layout, '/etc/initramfs-tools/conf.d/resume')).toBe(`RESUME=UUID=${swap}\n`);
  });

  test('a name with nothing to be known by stays, and is warned of', () => {
    const layout = host({ '/etc/fstab': '/dev/sda /whole ext4 defaults 0 0\n' });
    const { edits, warnings } = planFixes({ layout, cards: cardsOf(layout) });
    expect(edits.filter(({ path }) => path === '/etc/fstab')).toEqual([]);
    expect(warnings).toEqual([
      expect.stringMatching(/^\/etc\/fstab: \/dev\/sda names sda, on which nothing has a UUID/),
    ]);
  });

  describe('mdadm.conf', () => {
    const UUID = '0d1e2f30:11223344:55667788:99aabbcc';
    function mirror(text: string): { after: string | undefined; warnings: string[]; why: string | undefined } {
      const layout = new LayoutKit({ firmware: 'bios' })
        .disk('sda', 20, { byId: ['ata-OLD_1'] })
        .disk('sdb', 20)
        .gpt('disk:sda', ['1M bios', '* raid'])
        .gpt('disk:sdb', ['1M bios', '* raid'])
        .md('md0', 'raid1', ['part:sda2', 'part:sdb2'], { name: 'web-1:0', uuid: UUID })
        .ext4('md:md0', '/')
        .build();
      const path = '/etc/mdadm/mdadm.conf';
      const { edits, warnings } = planFixes({
        layout: { ...layout, configs: [{ path, text, sha256: sha256Hex(text) }] },
        cards: cardsOf(layout),
      });
      const edit = edits.find((each) => each.path === path);
      return { after: edit?.after, warnings, why: edit?.why };
    }

    test('members by the names of their disks go; comments, other lines and blanks stay', () => {
      const { after, warnings, why } = mirror(
        `# DEVICE /dev/sda2
DEVICE /dev/sda2 /dev/nbd0 # mine
  /dev/disk/by-id/ata-OLD_1-part2
dev /dev/sd*[0-9]
HOMEHOST <system>
MAILADDR root
ARRAY /dev/md/0  metadata=1.2 devices=/dev/sda2,/dev/sdb2 UUID=${UUID}
ARRAY /dev/md0
   devices=/dev/sda2,/dev/sdb2 # old
`,
      );
      expect(after).toBe(
        `# DEVICE /dev/sda2
DEVICE partitions containers /dev/nbd0 # mine
dev partitions containers
HOMEHOST <system>
MAILADDR root
ARRAY /dev/md/0  metadata=1.2 UUID=${UUID}
ARRAY /dev/md0
   UUID=${UUID} # old
`,
      );
      expect(warnings).toEqual([]);
      expect(why).toContain('/dev/sda2, /dev/disk/by-id/ata-OLD_1-part2 is written as partitions containers');
    });

    test('what says nothing of disks stays as it is', () => {
      const text = `DEVICE partitions containers /dev/md/0\nARRAY /dev/md0 UUID=${UUID}\nARRAY <ignore> devices=/dev/nbd0\n`;
      expect(mirror(text)).toMatchObject({ after: undefined, warnings: [] });
    });

    test('an array that is not of the layout is warned of', () => {
      const { after, warnings } = mirror('ARRAY /dev/md9 devices=/dev/sd*\n');
      expect(after).toBeUndefined();
      expect(warnings).toEqual([expect.stringMatching(/mdadm\.conf: devices=\/dev\/sd\* names disks.*mdadm --detail/)]);
    });
  });

  test('where a swap file lay is no word for where it lies now', () => {
    const layout = host({
      '/etc/default/grub': 'GRUB_CMDLINE_LINUX="resume=UUID=x resume_offset=38912"\n',
      '/etc/kernel/cmdline': 'quiet resume_offset=38912\n',
      '/etc/default/grub.d/a.cfg': '# resume_offset=1\n',
    });
    const { warnings } = planFixes({ layout, cards: cardsOf(layout) });
    expect(warnings).toEqual([
      expect.stringMatching(
        /in \/etc\/default\/grub \(resume_offset=38912\) and \/etc\/kernel\/cmdline \(.*filefrag -v.*do not hibernate/,
      ),
    ]);
    const none = host({ '/etc/default/grub': 'GRUB_CMDLINE_LINUX="resume=UUID=x"\n' });
    expect(planFixes({ layout: none, cards: cardsOf(none) }).warnings).toEqual([]);
  });

  test('the same machine again: nothing is changed', () => {
    const layout = host({ '/etc/fstab': 'UUID=x / ext4 defaults 0 1\n' });
    expect(planFixes({ layout, cards: cardsOf(layout) }).edits.filter(({ path }) => !path.endsWith('.link'))).toEqual(
      [],
    );
  });
});

describe('network cards', () => {
  const two = (configs: Record<string, string>): Layout => {
    const layout = host(configs);
    const card = (name: string, mac: string): Layout['network']['interfaces'][number] => ({
      name,
      kind: 'ethernet',
      mac,
      permanentMac: null,
      up: true,
      mtu: 1500,
      addresses: [],
      dynamic: false,
      driver: null,
      vlan: null,
      bond: null,
      bridge: null,
    });
    return {
      ...layout,
      network: {
        ...layout.network,
        interfaces: [card('enp1s0', '52:54:00:aa:00:01'), card('enp2s0', '52:54:00:aa:00:02')],
      },
    };
  };

  test('one card replaced: it takes the place of the one that is missing, keeps its name, and files say its MAC in their own spelling', () => {
    const layout = two({
      '/etc/netplan/a.yaml': 'macaddress: 52:54:00:aa:00:02\nother: 52:54:00:aa:00:01\n',
      '/etc/sysconfig/network-scripts/ifcfg-enp2s0': 'HWADDR=52:54:00:AA:00:02\n',
      '/etc/motd': '52:54:00:aa:00:02\n',
    });
    const { edits, warnings } = planFixes({
      layout,
      cards: [
        { mac: '52:54:00:aa:00:01', up: true },
        { mac: '52:54:00:bb:cc:dd', up: false },
      ],
    });
    expect(warnings).toEqual([]);
    const after = new Map(edits.map((edit) => [edit.path, edit.after]));
    expect(after.get('/etc/netplan/a.yaml')).toBe('macaddress: 52:54:00:bb:cc:dd\nother: 52:54:00:aa:00:01\n');
    expect(after.get('/etc/sysconfig/network-scripts/ifcfg-enp2s0')).toBe('HWADDR=52:54:00:BB:CC:DD\n');
    expect(after.has('/etc/motd')).toBe(false);
    expect(after.get('/etc/systemd/network/10-resurgo-enp2s0.link')).toContain(
      '[Match]\nMACAddress=52:54:00:bb:cc:dd\nType=ether\n\n[Link]\nName=enp2s0\n',
    );
  });

  test('two replaced: which is which can not be told, so nothing is guessed', () => {
    const layout = two({ '/etc/netplan/a.yaml': 'macaddress: 52:54:00:aa:00:01\n' });
    const { edits, warnings } = planFixes({
      layout,
      cards: [
        { mac: '52:54:00:bb:00:01', up: true },
        { mac: '52:54:00:bb:00:02', up: true },
      ],
    });
    expect(edits).toEqual([]);
    expect(warnings).toEqual([
      expect.stringContaining('enp1s0 (52:54:00:aa:00:01), enp2s0 (52:54:00:aa:00:02) are not in this machine'),
    ]);
    // No option of `recover` says it.
    expect(warnings[0]).toMatch(/: set the network up at the machine's console once it has booted$/);
  });

  test('the one with a link is meant where just one has', () => {
    const layout = two({});
    const { cards } = planFixes({
      layout,
      cards: [
        { mac: '52:54:00:aa:00:01', up: true },
        { mac: '52:54:00:bb:00:01', up: false },
        { mac: '52:54:00:bb:00:02', up: true },
      ],
    });
    expect(cards.find(({ name }) => name === 'enp2s0')?.newMac).toBe('52:54:00:bb:00:02');
  });
});
