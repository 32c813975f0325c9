/** Which disk is meant: by what it says of itself, and by nothing else. A wrong answer here writes over the wrong disk. */
import { readFileSync } from 'node:fs';
import { describeAsRoot, SHELLS } from '../support';
import { useRescueShell } from './kit';

const BYTES = 64 * 1024 * 1024;
const SECTORS = String(BYTES / 512);

/** The files of a disk in `/sys`. */
function disk(name: string, facts: { serial?: string; wwid?: string; sectors?: string; partitions?: object }) {
  const { serial, wwid, sectors = SECTORS } = facts;
  const own = {
    device: null,
    size: sectors,
    ...(serial === undefined ? {} : { serial: `${serial}\n` }),
    ...(wwid === undefined ? {} : { wwid: `${wwid}\n` }),
  };
  return Object.fromEntries(
    Object.entries(own).flatMap(([file, text]) =>
      ['block', 'class/block'].map((folder) => [`${folder}/${name}/${file}`, text]),
    ),
  );
}

function partition(on: string, number: number, start: number, sectors: number) {
  const at = `class/block/${on}/${on}${number}`;
  return { [`${at}/partition`]: `${number}\n`, [`${at}/start`]: `${start}\n`, [`${at}/size`]: `${sectors}\n` };
}

describeAsRoot('devices of the machine that is recovered', () => {
  describe.each(SHELLS)('%s', (name) => {
    const shell = useRescueShell(name);
    const find = (sys: Record<string, string | null>, words: string): string =>
      shell.run({
        parts: ['lib/device.sh'],
        sys: shell.files({ block: null, 'class/block': null, ...sys }),
        script: `device_find '${words}'; printf '%s %s\\n' "$device" "$device_bytes"`,
      });
    const two = { ...disk('vda', { serial: 'D1' }), ...disk('vdb', { serial: 'D2', wwid: 'naa.5000c500a1b2c3d4' }) };

    test('a disk is known by serial and size, whatever its name', () => {
      expect(find(two, `disk D2 - ${BYTES}`)).toBe(`/dev/vdb ${BYTES}\n`);
      expect(find({ ...disk('sdz', { serial: '  D1  ' }) }, `disk D1 - ${BYTES}`)).toBe(`/dev/sdz ${BYTES}\n`);
    });

    test('by its WWN where it says one', () => {
      expect(find(two, `disk - 0x5000c500a1b2c3d4 ${BYTES}`)).toBe(`/dev/vdb ${BYTES}\n`);
      expect(find(two, `disk D2 0x5000c500a1b2c3d5 ${BYTES}`)).toMatch(
        /^identity-changed: 0 disks .* nothing was written/,
      );
    });

    test.each([
      ['another serial', 'disk D3 - 67108864'],
      ['another size', 'disk D1 - 67109376'],
      ['part of a serial', 'disk D - 67108864'],
    ])('%s is another disk: nothing is written', (_, words) => {
      expect(find(two, words)).toMatch(/^identity-changed: 0 disks of this machine .* nothing was written/);
    });

    test('two disks that say the same are none', () => {
      const twins = { ...disk('vda', { serial: 'D1' }), ...disk('vdb', { serial: 'D1' }) };
      expect(find(twins, `disk D1 - ${BYTES}`)).toMatch(/^identity-changed: 2 disks/);
    });

    test('a hidden way to a disk is none: NVMe has one for each controller of a disk', () => {
      const ways = { ...disk('nvme0n1', { serial: 'N1' }), ...disk('nvme0c0n1', { serial: 'N1' }) };
      const hidden = { 'block/nvme0n1/hidden': '0\n', 'block/nvme0c0n1/hidden': '1\n' };
      expect(find({ ...ways, ...hidden }, `disk N1 - ${BYTES}`)).toBe(`/dev/nvme0n1 ${BYTES}\n`);
      const told = shell.run({
        parts: ['lib/disks.sh', 'lib/layout-storage.sh'],
        sys: shell.files({ ...ways, ...hidden }),
        script: 'layout_disks',
      });
      expect(told).toBe(`nvme0n1 ${BYTES} N1 -\n`);
    });

    test('a disk that says nothing of itself can not be meant', () => {
      expect(find(disk('vda', {}), `disk - - ${BYTES}`)).toMatch(/^bad-request: .* can not be told from another/);
    });

    test('one that says nothing of itself is known by the kernel’s number of it, in this boot alone', () => {
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
      const numbered = (vda: number) => ({
        ...disk('vda', {}),
        ...disk('vdb', {}),
        ...disk('vdc', { serial: 'D3' }),
        'block/vda/diskseq': `${vda}\n`,
        'block/vdb/diskseq': '2\n',
        'block/vdc/diskseq': '3\n',
      });
      expect(find(numbered(1), `disk this-boot:${boot}:1 - ${BYTES}`)).toBe(`/dev/vda ${BYTES}\n`);
      // Another one was put in where it was, and got the next number.
      expect(find(numbered(4), `disk this-boot:${boot}:1 - ${BYTES}`)).toMatch(/^identity-changed: 0 disks/);
      expect(find(numbered(1), `disk this-boot:${boot}:3 - ${BYTES}`)).toMatch(/^identity-changed: 0 disks/);
      const earlier = boot.replace(/^./, (char) => (char === '0' ? '1' : '0'));
      expect(find(numbered(1), `disk this-boot:${earlier}:1 - ${BYTES}`)).toMatch(/^identity-changed: 0 disks/);
      expect(find(disk('vda', {}), `disk this-boot:${boot}:1 - ${BYTES}`)).toMatch(/^identity-changed: 0 disks/);
    });

    test('a partition begins and ends where the plan has it', () => {
      const parted = { ...two, ...partition('vda', 2, 2048, 4096) };
      expect(find(parted, `partition 2 1048576 2097152 of disk D1 - ${BYTES}`)).toBe('/dev/vda2 2097152\n');
      expect(find(parted, `partition 2 1049088 2097152 of disk D1 - ${BYTES}`)).toMatch(
        /^identity-changed: .* begins at/,
      );
      expect(find(parted, `partition 2 1048576 2096640 of disk D1 - ${BYTES}`)).toMatch(
        /^identity-changed: .* has 2097152/,
      );
      expect(find(parted, `partition 1 1048576 2097152 of disk D1 - ${BYTES}`)).toMatch(
        /^not-found: \/dev\/vda has no/,
      );
    });

    test('words that name nothing are refused', () => {
      expect(find(two, 'floppy A')).toMatch(/^bad-request: 'floppy A' names no device/);
    });

    test('what belongs to a mounted btrfs, or is held, is in use; its name alone says nothing', () => {
      const busy = (sys: Record<string, string | null>): string =>
        shell.run({
          parts: ['lib/device.sh'],
          sys: shell.files({ ...sys, 'class/block/vda/dev': '4095:1\n' }),
          script: `if device_busy /dev/vda; then echo "$device_why"; else echo free; fi`,
        });
      const parted = { ...partition('vda', 2, 2048, 4096), 'class/block/vda/vda2/dev': '4095:2\n' };
      expect(busy(parted)).toBe('free\n');
      expect(busy({ ...parted, 'fs/btrfs/u/devices/vdb2': null })).toBe('free\n');
      expect(busy({ ...parted, 'fs/btrfs/u/devices/vda2': null })).toBe(
        '/dev/vda2 belongs to a btrfs that is mounted\n',
      );
      expect(busy({ ...parted, 'class/block/vda/holders/md0': null })).toBe('/dev/vda is held by md0\n');
    });

    test.each([
      ['rw,relatime,errors=remount-ro', '', 'rw,relatime,errors=remount-ro'],
      ['rw,subvolid=256,subvol=/@,device=/dev/sda2,compress=zstd:3', '@', 'rw,compress=zstd:3,subvol=@'],
      ['defaults,nofail,x-systemd.device-timeout=5s,noexec,nodev', '', 'nodev'],
      ['seclabel,context="system_u:object_r:x_t:s0:c1,c2",umask=0077', '', 'umask=0077'],
      ['', '@/var', 'subvol=@/var'],
    ])('options "%s" are cut down to what is about the file system', (options, subvolume, expected) => {
      const script = `arg_options='${options}' arg_subvolume='${subvolume}'; mount_words; printf %s "$mount_options"`;
      expect(shell.run({ parts: ['jobs/mount-new.sh'], script })).toBe(expected);
    });

    /** Does job disk-table take the table that sfdisk dumps for the one of its script? */
    const same = (dump: string, seen: number): string =>
      shell.run({
        parts: ['jobs/disk-table.sh'],
        sys: shell.files({
          ...disk('vda', { serial: 'D1' }),
          ...Object.fromEntries(
            Array.from({ length: seen }, (_, i) => Object.entries(partition('vda', i + 1, 2048, 2048))).flat(),
          ),
        }),
        script: `device=/dev/vda arg_count=2
sfdisk() { cat <<'DUMP'
${dump}
DUMP
}
printf '%s\\n' 'label: gpt' '' '1 : start=2048, size=2048, type=AA, uuid=A1, name="a b"' '2 : start=4096, size=8192, type=BB, uuid=A2' >script
if table_same; then echo same; else echo other; fi`,
      });
    const DUMP = `label: gpt
device: /dev/vda

/dev/vda1 : start=        2048, size=        2048, type=AA, uuid=A1, name="a b"
/dev/vda2 : start=        4096, size=        8192, type=BB, uuid=A2`;

    test('a table is the one that was written only if every partition is, and the kernel has them', () => {
      expect(same(DUMP, 2)).toBe('same\n');
      expect(same(DUMP, 1)).toBe('other\n');
      expect(same(DUMP.replace('8192', '8193'), 2)).toBe('other\n');
      expect(same(DUMP.replace('uuid=A2', 'uuid=A3'), 2)).toBe('other\n');
      expect(same(DUMP.split('\n').slice(0, -1).join('\n'), 2)).toBe('other\n');
      expect(same('', 0)).toBe('other\n');
    });
  });
});
