/** What a recovery must not write over, as the rescue system looks for it: where nobody could look, it says so. */
import { SHELLS } from '../support';
import { useRescueShell } from './kit';

const BIOS_BOOT = 'ID_PART_ENTRY_TYPE=21686148-6449-6e6f-744e-656564454649';

describe.each(SHELLS)('stores and rescue media, in %s', (name) => {
  const shell = useRescueShell(name);
  /** A device that begins with `start`, of which blkid says `said` with that exit; `unshare` stands in for the look itself. */
  const look = ({
    said = '',
    exit = 2,
    start = '\0'.repeat(4096),
    inside = '',
    gone = false,
  }: {
    said?: string;
    exit?: number;
    start?: string;
    inside?: string;
    gone?: boolean;
  }): string => {
    const folder = shell.files({
      facts: null,
      ...(gone ? {} : { sda1: start }),
      said: said === '' ? '' : `${said}\n`,
      blkid: `#!/bin/sh\ncat "\${0%/*}/said"\nexit ${exit}\n`,
      unshare: `${inside}\n`,
    });
    const script = `chmod 755 '${folder}/blkid'; facts_dir='${folder}/facts'
timeout() { shift 3; "$@"; }
unshare() { sh '${folder}/unshare' "$@"; }
tool_path() { tool_at='${folder}/'$1; [ -x "$tool_at" ]; }
set +e; media_at='${folder}/sda1'; media_one; printf 'exit %s\\n' "$?"`;
    return shell.run({ parts: ['lib/facts.sh', 'lib/layout-mounted.sh', 'lib/media.sh'], script });
  };
  const UNKNOWN = 'sda1 unknown\nexit 0\n';
  const NOTHING = 'exit 0\n';

  test.each(['LVM2_member', 'linux_raid_member', 'zfs_member', 'crypto_LUKS', 'ntfs', 'BitLocker'])(
    'nobody could look into %s',
    (type) => {
      expect(look({ said: `ID_FS_UUID=x\nID_FS_TYPE=${type}`, exit: 0 })).toBe(UNKNOWN);
    },
  );

  test.each([137, 124, 8, 4, 1])('nor into what blkid fails at with %s', (exit) => {
    expect(look({ exit, said: exit === 8 ? 'ID_FS_AMBIVALENT=filesystem:ext4 filesystem:xfs' : '' })).toBe(UNKNOWN);
  });

  test('nor into what has no format and is not empty, or can not be read', () => {
    expect(look({ start: '\0\0\0\0\n' })).toBe(UNKNOWN);
    expect(look({ start: '' })).toBe(UNKNOWN);
    expect(look({ gone: true })).toBe(UNKNOWN);
    expect(look({ exit: 0, said: 'ID_PART_ENTRY_TYPE=0fc63daf-8483-4772-8e79-3d69d8477de4', start: 'data' })).toBe(
      UNKNOWN,
    );
  });

  test('a blank one holds nothing, nor does swap, a table, or a place of the boot code alone', () => {
    expect(look({})).toBe(NOTHING);
    expect(look({ exit: 0, said: 'ID_FS_TYPE=swap', start: 'data' })).toBe(NOTHING);
    expect(look({ exit: 0, said: 'ID_PART_TABLE_UUID=x\nID_PART_TABLE_TYPE=gpt', start: 'data' })).toBe(NOTHING);
    expect(look({ exit: 0, said: `ID_PART_ENTRY_SCHEME=gpt\n${BIOS_BOOT}`, start: 'data' })).toBe(NOTHING);
    expect(look({ exit: 0, said: 'ID_PART_ENTRY_TYPE=0x5', start: 'data' })).toBe(NOTHING);
  });

  test('a file system is looked into; what fails at that is unknown', () => {
    const of = { said: 'ID_FS_TYPE=ext4', exit: 0 };
    expect(look({ ...of, inside: 'echo store' })).toBe('sda1 store\nexit 0\n');
    expect(look({ ...of, inside: 'echo rescue' })).toBe('sda1 rescue\nexit 0\n');
    expect(look({ ...of, inside: 'exit 0' })).toBe(NOTHING);
    expect(look({ ...of, inside: 'exit 1' })).toBe(UNKNOWN);
  });

  test('a file system that can not be read to its end is not called empty', () => {
    // The inner shell's own mount and find, by stand-ins.
    const inner = (found: string, exit: number): string =>
      look({
        said: 'ID_FS_TYPE=ext4',
        exit: 0,
        inside: `shift; mount() { :; }; find() { printf '%s' '${found}'; return ${exit}; }; [ "$1 $2" = 'sh -c' ]; inner=$3; shift 4; eval "$inner"`,
      });
    expect(inner('', 0)).toBe(NOTHING);
    expect(inner('', 1)).toBe(UNKNOWN);
    expect(inner('/x/.resurgo-store', 1)).toBe('sda1 store\nexit 0\n');
  });
});
