/**
 * The rescue system's jobs on real disks of four kinds: a server put together on a blank one starts by its firmware; arrays, encrypted
 * volumes, LVM and btrfs come back as they were; each job twice, and none on a disk that is not the one of the plan.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describeLab } from '../support/describe-lab';
import { raiseFleet } from '../support/fleet';
import type { Fleet } from '../support/fleet';
import { blankDisk, built } from './support/install';
import { Machine } from './support/machine';
import type { VirtualDisk } from './support/machine';
import { buildRescue, rescueMachine, RescueJobs, rescueVerb } from './support/rescue';
import type { RescueArgs, RescueImage } from './support/rescue';

const MIB = 1024 * 1024;
const TREE = 'web-1@+';
const SECTOR = 512;
const b64 = (text: string): string => Buffer.from(text).toString('base64');
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const uuid = (number: number): string => `5e5e0001-0000-4000-8000-${String(number).padStart(12, '0')}`;

jest.setTimeout(3_600_000);

/** A partition of a GPT: first sector, sectors, type, name. */
type Part = readonly [number, number, string, string];
const BIOS_BOOT = '21686148-6449-6E6F-744E-656564454649';
const ESP = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B';
const LINUX = '0FC63DAF-8483-4772-8E79-3D69D8477DE4';

function gpt(disk: { serial: string; sizeMb: number }, parts: readonly Part[]) {
  const bytes = disk.sizeMb * MIB;
  const identity = `${disk.serial} - ${bytes}`;
  const lines = parts.map(
    ([start, size, type, name], i) =>
      `${i + 1} : start=${start}, size=${size}, type=${type}, uuid=11111111-2222-4333-8444-55555555550${i + 1}, name="${name}"`,
  );
  const head = ['label: gpt', 'label-id: 11111111-2222-4333-8444-555555555500', 'first-lba: 34'];
  const script = [...head, `last-lba: ${bytes / SECTOR - 34}`, 'sector-size: 512', '', ...lines, ''].join('\n');
  return {
    identity,
    words: `disk ${identity}`,
    table: {
      on: `disk ${identity}`,
      disks: identity,
      sector: SECTOR,
      script: b64(script),
      count: parts.length,
    },
    part: (number: number): string => {
      const [start, size] = parts[number - 1] ?? [0, 0];
      return `partition ${number} ${start * SECTOR} ${size * SECTOR} of disk ${identity}`;
    },
  };
}

function ext4({ on, disks, id, sectors }: { on: string; disks: string; id: string; sectors: number }): RescueArgs {
  return {
    ...{ on, disks, type: 'ext4', uuid: id, blocks: sectors / 8, block: 4096, inode: 256, reserved: 0 },
    inodes: Math.floor(sectors / 32),
    features:
      'has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum',
    options: 'user_xattr,acl',
    hash: 'half_md4',
    errors: 'remount-ro',
  };
}

describeLab('jobs of the rescue system', () => {
  let fleet: Fleet;
  let image: RescueImage;
  beforeAll(async () => {
    fleet = await raiseFleet({ name: 'vmjobs', hosts: [{ name: 'target', disk: 'btrfs', docker: false }] });
    image = await buildRescue({ fleet });
  }, 1_800_000);
  afterAll(() => fleet.down(), 60_000);

  /** Does it, and asks for it again: it says that it was done. */
  async function twice(jobs: RescueJobs, kind: string, args: RescueArgs): Promise<void> {
    await jobs.do(kind, args);
    expect(await jobs.do(kind, args)).toMatchObject({ was: true });
  }

  test.each([
    ['bios', [[2048, 2048, BIOS_BOOT, 'bios']] as Part[], 130],
    ['uefi', [[2048, 131072, ESP, 'EFI System']] as Part[], 131],
  ] as const)('%s: what was put together on a blank disk starts by its firmware', async (firmware, first, number) => {
    const spec = { serial: 'DISK-A', sizeMb: 3072 };
    const end = first[0]?.[1] === 2048 ? 4096 : 133120;
    const sectors = 6285312 - end;
    const disk = gpt(spec, [...first, [end, sectors, LINUX, 'root']]);
    const name = `jobs-${firmware}`;
    const disks: VirtualDisk[] = [{ serial: spec.serial, image: blankDisk({ fleet, name, sizeMb: spec.sizeMb }) }];
    const at = { fleet, name, number, firmware, efiVariables: `${disks[0]?.image ?? ''}.vars` };
    const rescue = await rescueMachine({
      ...at,
      image,
      disks: [...disks, { serial: 'server', image: await built('server'), throwAway: true }],
    });
    const jobs = new RescueJobs(rescue);
    const root = `/mnt/new/${TREE}`;
    await jobs.do('disk-wipe', { disk: disk.words });
    await twice(jobs, 'disk-table', disk.table);
    await twice(jobs, 'mkfs-ext', ext4({ on: disk.part(2), disks: disk.identity, id: uuid(1), sectors }));
    await twice(jobs, 'mount-new', { tree: TREE, on: disk.part(2), type: 'ext4', path: '/', uuid: uuid(1) });
    let fstab = `UUID=${uuid(1)} / ext4 errors=remount-ro 0 1\n`;
    if (firmware === 'uefi') {
      const esp = { on: disk.part(1), uuid: '5E5E-0002' };
      await twice(jobs, 'mkfs-vfat', { ...esp, disks: disk.identity, bits: '32', cluster: 512, sector: SECTOR });
      await twice(jobs, 'mount-new', { tree: TREE, ...esp, type: 'vfat', path: '/boot/efi', options: 'umask=0077' });
      fstab += 'UUID=5E5E-0002 /boot/efi vfat umask=0077 0 1\n';
    }
    expect(await jobs.refused('disk-wipe', { disk: disk.words })).toBe('busy');
    expect(await jobs.refused('disk-wipe', { disk: `disk DISK-B - ${spec.sizeMb * MIB}` })).toBe('identity-changed');
    const before = '/dev/sda1 / ext4 defaults 0 1\n';
    const key = readFileSync(`${fleet.adminKey}.pub`, 'utf8').trim();
    await rescue.ssh(
      `set -e; cd ${root}
for d in /sys/block/*; do ! grep -qsx server $d/serial || tar -xpf /dev/\${d##*/}; done
printf %s '${before}' >etc/fstab; echo web-1 >etc/hostname; echo 0123456789abcdef0123456789abcdef >etc/machine-id
mkdir -p root/.ssh etc/systemd/network; chmod 700 root/.ssh; echo '${key}' >root/.ssh/authorized_keys
printf '[Match]\\nType=ether\\n\\n[Network]\\nAddress=${rescue.address}/24\\n' >etc/systemd/network/10-lan.network
printf 'GRUB_TIMEOUT=0\\nGRUB_DISTRIBUTOR=Debian\\nGRUB_CMDLINE_LINUX="console=ttyS0"\\nGRUB_TERMINAL="serial console"\\n' >etc/default/grub
ssh-keygen -q -t ed25519 -N '' -f etc/ssh/ssh_host_ed25519_key
chroot . systemctl -q enable systemd-networkd ssh`,
      { timeoutMs: 600_000 },
    );
    const told = (result: Record<string, unknown>): string => String(result['problems']);
    const look = { tree: TREE, firmware, ...(firmware === 'bios' ? { disks: disk.identity } : {}) };
    expect(told(await jobs.do('new-verify', look))).toMatch(/\/etc\/fstab mounts \/dev\/sda1 at \//);
    const edits = b64(`/etc/fstab ${sha256(before)} ${b64(fstab)}\n/etc/hostname ${sha256('x')} ${b64('y')}\n`);
    expect(await jobs.do('new-fix', { tree: TREE, edits })).toMatchObject({
      written: ['/etc/fstab'],
      left: [{ path: '/etc/hostname' }],
    });
    expect(await jobs.do('new-fix', { tree: TREE, edits })).toMatchObject({ written: [], was: ['/etc/fstab'] });
    expect(told(await jobs.do('new-verify', look))).toMatch(/is older than the last change/);
    await jobs.do('new-initramfs', { tree: TREE });
    const loader = firmware === 'bios' ? { disks: disk.identity } : { id: 'debian' };
    await jobs.do('new-bootloader', { tree: TREE, firmware, ...loader });
    await jobs.do('new-bootloader', { tree: TREE, firmware, ...loader });
    expect(await jobs.do('new-verify', look)).toMatchObject({ problems: [] });
    expect(await jobs.refused('new-reboot', {})).toBe('busy');
    await jobs.do('new-unmount', { tree: TREE });
    await jobs.do('new-unmount', { tree: TREE });
    await jobs.do('new-reboot', {});
    await rescue.gone();

    const server = new Machine({ ...at, disks });
    await server.start();
    await server.answers();
    const { stdout } = await server.ssh('test -d /sys/firmware/efi && echo uefi || echo bios; findmnt -no UUID /');
    expect(stdout).toBe(`${firmware}\n${uuid(1)}\n`);
    await server.kill();
  });

  test('arrays, encrypted volumes, LVM and btrfs come back as they were, each made once', async () => {
    const kinds = { A: 'virtio', B: 'virtio', C: 'scsi', D: 'nvme' } as const;
    const sizeMb = 1024;
    const disks = Object.entries(kinds).map(([letter, bus]): VirtualDisk => ({
      serial: `DISK-${letter}`,
      bus,
      image: blankDisk({ fleet, name: `jobs-${letter}`, sizeMb }),
    }));
    const machine = await rescueMachine({ fleet, name: 'jobs-block', number: 132, image, disks });
    const jobs = new RescueJobs(machine);
    const on = async (command: string) => (await machine.ssh(command)).stdout.trim();
    const identity = (letter: string): string => `DISK-${letter} - ${sizeMb * MIB}`;
    const disk = (letter: string): string => `disk ${identity(letter)}`;
    const mirror = '11111111:22222222:33333333:44444444';
    for (const letter of Object.keys(kinds)) await jobs.do('disk-wipe', { disk: disk(letter) });

    const array = {
      ...{ disks: `${identity('A')}\n${identity('B')}`, device: 'md0', name: 'data', homehost: 'web-1', uuid: mirror },
      ...{ level: 'raid1', metadata: '1.2', componentKib: 1000 * 1024, bitmap: 'internal' },
      members: `${disk('A')}\n${disk('B')}`,
    };
    await twice(jobs, 'md-create', array);
    expect(await on('mdadm --detail --export /dev/md0 | grep -E "^MD_(LEVEL|UUID|NAME|DEVICES)="')).toBe(
      `MD_LEVEL=raid1\nMD_DEVICES=2\nMD_UUID=${mirror}\nMD_NAME=web-1:data`,
    );

    const luks = {
      ...{ on: `md ${mirror}`, disks: array.disks, name: 'secret', version: '2', uuid: uuid(7), label: 'vault' },
      ...{ cipher: 'aes-xts-plain64', keyBits: 512, sector: 512, offset: 16 * MIB },
    };
    expect(await jobs.refused('luks-format', luks)).toBe('needs-passphrase');
    await rescueVerb(machine, 'luks.secret', { uuid: uuid(7), passphrase: b64('open sesame') });
    await twice(jobs, 'luks-format', luks);
    expect(await on(`ls /run/resurgo/secrets; grep -rl sesame /var/lib/resurgo; cryptsetup luksUUID /dev/md0`)).toBe(
      uuid(7),
    );
    expect(
      await on('echo -n "open sesame" | cryptsetup open --test-passphrase --key-file - /dev/md0 && echo opens'),
    ).toBe('opens');

    const pv1 = 'aaaaaa-bbbb-cccc-dddd-eeee-ffff-gggggg';
    const pv2 = 'hhhhhh-bbbb-cccc-dddd-eeee-ffff-gggggg';
    const all = `${array.disks}\n${identity('C')}`;
    const offset = { disks: all, dataOffset: MIB };
    await twice(jobs, 'lvm-pv', { ...offset, on: `luks ${uuid(7)} secret`, uuid: pv1 });
    await twice(jobs, 'lvm-pv', { ...offset, on: disk('C'), uuid: pv2 });
    const group = { disks: all, name: 'vg0', extent: 4 * MIB, tags: 'ours', members: `${pv1} 1 -\n${pv2} 0 spare` };
    await jobs.do('lvm-vg', group);
    await twice(jobs, 'lvm-vg', group);
    const volume = { disks: all, lvGroup: 'vg0' };
    await twice(jobs, 'lvm-lv', { ...volume, name: 'root', extents: 50, areas: `${pv1} 10 30\n${pv1} 50 20` });
    await twice(jobs, 'lvm-lv', {
      ...{ ...volume, name: 'raid', type: 'raid1', extents: 10, mirrors: 1 },
      areas: `${pv1} 100 11\n${pv2} 100 11`,
    });
    await twice(jobs, 'lvm-lv', {
      ...{ ...volume, name: 'pool', type: 'thin-pool', extents: 20 },
      ...{ chunkBytes: 64 * 1024, metadataBytes: 4 * MIB, discards: 'passdown', zero: true },
    });
    await twice(jobs, 'lvm-lv', {
      ...{ ...volume, name: 'thin', type: 'thin', extents: 0, pool: 'pool', virtualBytes: 200 * MIB },
    });
    const lvmId = (letter: string): string => pv1.replaceAll('a', letter);
    const former = {
      ...volume,
      uuid: lvmId('G'),
      volumes: `root ${lvmId('R')}\nraid ${lvmId('S')}\npool ${lvmId('P')}\nthin ${lvmId('T')}`,
    };
    await twice(jobs, 'lvm-uuids', former);
    expect(await on('vgck vg0; dmsetup info -c --noheadings -o uuid vg0-thin')).toBe(
      `LVM-${`${lvmId('G')}${lvmId('T')}`.replaceAll('-', '')}`,
    );
    const words = (command: string) => on(`${command} 2>/dev/null | awk '{ $1 = $1; print }'`);
    expect(await words('lvs --noheadings -o lv_name,segtype vg0')).toBe(
      ['pool thin-pool', 'raid raid1', 'root linear', 'root linear', 'thin thin'].join('\n'),
    );
    expect(await words('lvs --noheadings -o seg_pe_ranges vg0/root')).toBe(
      ['/dev/mapper/secret:10-39', '/dev/mapper/secret:50-69'].join('\n'),
    );
    const physical = 'pvs --noheadings -o pv_uuid,pv_allocatable,pv_tags';
    expect(await words(physical)).toBe(`${pv1} allocatable\n${pv2} allocatable spare`);

    const btrfs = {
      ...{ on: disk('D'), disks: identity('D'), uuid: uuid(9), node: 16384, sector: 4096 },
      ...{ features: 'extref,skinny-metadata,no-holes', runtime: 'free-space-tree', data: 'single', metadata: 'dup' },
    };
    await twice(jobs, 'mkfs-btrfs', btrfs);
    const subvolumes = { on: disk('D'), uuid: uuid(9), subvolumes: '0 @\n0 @/var\n1 @swap', default: '@' };
    await jobs.do('btrfs-subvolumes', subvolumes);
    await jobs.do('btrfs-subvolumes', subvolumes);
    const mounted = { tree: TREE, on: disk('D'), type: 'btrfs', uuid: uuid(9) };
    await twice(jobs, 'mount-new', { ...mounted, path: '/', subvolume: '@' });
    await twice(jobs, 'mount-new', { ...mounted, path: '/swap', subvolume: '@swap' });
    expect(await jobs.refused('mount-new', { ...mounted, path: '/swap', subvolume: '@' })).toBe('busy');
    await twice(jobs, 'swap-file', { tree: TREE, path: '/swap/file', bytes: 16 * MIB, mode: '0600', uuid: uuid(10) });
    const place = `/mnt/new/${TREE}/swap/file`;
    expect(await on(`swapon ${place} && echo on; swapoff ${place}`)).toBe('on');
    const readOnly = { on: disk('D'), uuid: uuid(9), paths: '@/var' };
    await jobs.do('btrfs-read-only', readOnly);
    await jobs.do('btrfs-read-only', readOnly);
    expect(await on(`touch /mnt/new/${TREE}/var/x 2>/dev/null || echo read-only`)).toBe('read-only');

    const lv = { on: 'lv vg0 root', disks: all };
    await twice(jobs, 'mkfs-ext', ext4({ ...lv, id: uuid(11), sectors: 50 * 8192 }));
    await twice(jobs, 'mount-new', { tree: TREE, on: lv.on, type: 'ext4', path: '/opt', uuid: uuid(11) });
    await twice(jobs, 'lvm-read-only', { lvGroup: 'vg0', name: 'root' });
    await twice(jobs, 'mkswap', { on: 'lv vg0 thin', disks: all, uuid: uuid(12) });

    // A disk that is in use, or another than the plan's, is not written to.
    for (const letter of Object.keys(kinds)) {
      expect(await jobs.refused('disk-wipe', { disk: disk(letter) })).toBe('busy');
      expect(await jobs.refused('disk-wipe', { disk: `disk DISK-${letter} - ${sizeMb * MIB + SECTOR}` })).toBe(
        'identity-changed',
      );
    }
    expect(await jobs.refused('lvm-pv', { ...offset, on: disk('D'), uuid: pv1 })).toBe('busy');
    await jobs.do('new-unmount', { tree: TREE });
    expect(await on('ls /sys/block | grep -E "^(dm-|md)" || echo none')).toBe('none');
    // What nothing more shall be put on is closed last.
    expect(await words(`${physical} -S pv_uuid=${pv2}`)).toBe(`${pv2} spare`);
    await machine.kill();
  });
});
