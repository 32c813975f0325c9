/** Headers of encrypted volumes in the backup of a whole machine: real ones, of volumes on loop devices that nobody opens. */
import { z } from 'zod';
import { MACHINE_CONF, MACHINE_RUN, Machine } from './machine';
import { SHELLS, describeAsRoot, fence } from './support';
import type { Shell } from './support';

jest.setTimeout(120_000);
const RUN = MACHINE_RUN;
const UUID = '21bbbc30-f67f-4fbc-a0f1-90a0695b6801';
const OLD = '21bbbc30-f67f-4fbc-a0f1-90a0695b6802';
const FOLDER = 'var/lib/resurgo/luks';

const told = z.object({
  sha256: z.string(),
  luksHeaders: z.array(z.object({ uuid: z.string(), bytes: z.number(), headerSha256: z.string() })),
  luksMissing: z.array(z.object({ volume: z.string(), why: z.string() })),
});

describeAsRoot('headers of encrypted volumes', () => {
  describe.each(SHELLS)('under %s', (shell: Shell) => {
    let machine: Machine;
    let loops: string[];
    beforeAll(() => {
      machine = new Machine(shell);
      machine.sh('mkdir -p /run/keys; printf first >/run/keys/1; printf second >/run/keys/2');
      // What the kernel calls a loop device is a disk here.
      machine.sh(
        `mount -t tmpfs tmpfs /usr/local/sbin; cat >/usr/local/sbin/lsblk; chmod 0755 /usr/local/sbin/lsblk`,
        '#!/bin/sh\ncat /run/lsblk\n',
      );
      loops = [
        ['luks2', UUID],
        ['luks1', OLD],
      ].map(([type, uuid]) => {
        machine.sh(
          `truncate -s 20M /run/${type}
           cryptsetup luksFormat -q --type ${type} --uuid ${uuid} --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file /run/keys/1 /run/${type}`,
        );
        return machine.sh(`losetup --show -f /run/${type}`);
      });
    });
    afterAll(() => {
      machine.sh(`losetup -d ${loops.join(' ')}`);
      machine.close();
    });
    beforeEach(async () => {
      disks(loops.map((each) => `${each} disk 0`));
      await frozen();
    });
    afterEach(() => {
      machine.conf(MACHINE_CONF);
      machine.ask('snapshot.drop', { ...fence({ run: RUN }), target_run: RUN });
      forget();
    });

    const disks = (lines: readonly string[]) => machine.sh('cat >/run/lsblk', `${lines.join('\n')}\n`);
    const forget = () =>
      machine.sh('rm -rf /var/lib/resurgo/jobs/* /var/lib/resurgo/runs/run-* /var/lib/resurgo/fence');
    const frozen = async () => {
      expect(await machine.freeze({ run: RUN })).toHaveLength(4);
    };
    const listed = () => {
      const polled = machine.job({ kind: 'listing', run: RUN, source: 'root' });
      const lines = machine.sh(`grep '${FOLDER}' /var/lib/resurgo/runs/${RUN}/app-1@+.listing || :`).split('\n');
      machine.sh('rm -rf /var/lib/resurgo/jobs/*');
      return { ...told.parse(polled['result']), lines };
    };
    const sumOf = (at: string) =>
      machine.sh(
        `rm -f /run/h; cryptsetup luksHeaderBackup ${at} --header-backup-file /run/h; sha256sum </run/h; rm /run/h`,
      );

    it('are in the tree, whole and root’s alone, and nowhere on the machine itself', () => {
      const { luksHeaders, luksMissing, lines } = listed();
      expect(luksMissing).toEqual([]);
      expect(luksHeaders).toHaveLength(2);
      for (const [i, uuid] of [UUID, OLD].entries()) {
        const header = luksHeaders.find((each) => each.uuid === uuid);
        expect(sumOf(loops[i] ?? '')).toContain(header?.headerSha256);
        const line = lines.find((each) => each.endsWith(`\t${FOLDER}/${uuid}.header`));
        expect(line).toMatch(new RegExp(`^f\t0600\t0\t0\t${header?.bytes}\t`));
      }
      expect(lines.find((each) => each.endsWith(`\t${FOLDER}`))).toMatch(/^d\t0700\t0\t0\t/);
      expect(machine.sh('ls -A /var/lib/resurgo/luks')).toBe('');
      expect(machine.sh('find / -xdev -name "*.header"')).toBe('');
    });

    // busybox's own mount goes before one in the path.
    if (shell === 'dash')
      it.each([
        ['are kept from swap', false],
        ['are there all the same where the kernel can not keep them from swap', true],
      ])('%s', (_name, isOld) => {
        machine.sh(
          'cat >/usr/local/sbin/mount; chmod 0755 /usr/local/sbin/mount',
          `#!/bin/sh
         case "$*" in *tmpfs*var/lib/resurgo/luks*) printf '%s\\n' "$*" >>/run/mounts ;; esac
         case ${isOld}:$* in true:*noswap*) echo 'bad option' >&2; exit 32 ;; esac
         PATH=/usr/sbin:/usr/bin:/sbin:/bin exec mount "$@"
        `,
        );
        try {
          expect(listed()).toMatchObject({ luksHeaders: [{}, {}], luksMissing: [] });
          const mounts = machine.sh('cat /run/mounts').split('\n');
          expect(mounts.map((each) => each.includes('noswap'))).toEqual(isOld ? [true, false] : [true]);
        } finally {
          machine.sh('rm -f /usr/local/sbin/mount /run/mounts');
        }
      });

    it('make the same listing while no key changes, and another once one does', () => {
      const { sha256, luksHeaders } = listed();
      expect(listed()).toMatchObject({ sha256, luksHeaders });
      machine.sh(
        `cryptsetup luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file /run/keys/1 ${loops[0]} /run/keys/2`,
      );
      const after = listed();
      expect(after.sha256).not.toBe(sha256);
      expect(after.luksHeaders.map(({ bytes }) => bytes)).toEqual(luksHeaders.map(({ bytes }) => bytes));
    });

    it('are left out where the runbook says so, and then nothing is told of them', () => {
      machine.conf(MACHINE_CONF.map((line) => line.replace('app-1@+ 10', 'app-1@+ 10 no-headers')));
      const { luksHeaders, luksMissing, lines } = listed();
      expect({ luksHeaders, luksMissing }).toEqual({ luksHeaders: [], luksMissing: [] });
      expect(lines).toEqual([expect.stringMatching(/luks$/)]);
    });

    it('one that its patterns exclude is told as missing', () => {
      machine.conf([...MACHINE_CONF, 'exclude portal root /var/lib/resurgo/luks/']);
      const { luksHeaders, luksMissing } = listed();
      expect(luksHeaders).toEqual([]);
      expect(luksMissing).toContainEqual({ volume: UUID, why: 'the runbook excludes /var/lib/resurgo/luks' });
    });

    it('one that can not be read costs no backup, and is told with its reason', () => {
      disks([`${loops[0]} disk 1`, `${loops[1]} disk 0`]);
      expect(listed()).toMatchObject({
        luksHeaders: [{ uuid: OLD }],
        luksMissing: [{ volume: loops[0], why: 'it lies on a removable disk' }],
      });
    });

    it('what could not be looked at is told, and not taken for one that is not encrypted', () => {
      machine.sh('cat >/usr/local/sbin/blkid; chmod 0755 /usr/local/sbin/blkid', '#!/bin/sh\nexit 8\n');
      const why = expect.stringMatching(/^whether it is encrypted is not known/) as string;
      try {
        disks([`${loops[0]} disk 0`]);
        expect(listed()).toMatchObject({ luksHeaders: [], luksMissing: [{ volume: loops[0], why }] });
        disks([]);
        machine.sh(
          'mv /usr/local/sbin/lsblk /usr/local/sbin/kept; printf "#!/bin/sh\\nexit 1\\n" >/usr/local/sbin/lsblk; chmod 0755 /usr/local/sbin/lsblk',
        );
        expect(listed()).toMatchObject({ luksHeaders: [], luksMissing: [{ volume: 'disks', why }] });
      } finally {
        machine.sh(
          'rm -f /usr/local/sbin/blkid; [ ! -e /usr/local/sbin/kept ] || mv /usr/local/sbin/kept /usr/local/sbin/lsblk',
        );
      }
    });

    it('one of a volume that is being encrypted anew is not taken', () => {
      machine.sh(
        'cp /run/luks2 /run/anew; cryptsetup reencrypt -q --init-only --key-slot 0 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file /run/keys/1 /run/anew',
      );
      const anew = machine.sh('losetup --show -f /run/anew');
      try {
        disks([`${anew} disk 0`]);
        expect(listed()).toMatchObject({
          luksHeaders: [],
          luksMissing: [{ why: 'it is being encrypted anew: let that end first' }],
        });
      } finally {
        machine.sh(`losetup -d ${anew}; rm /run/anew`);
      }
    });

    it('of two volumes with one UUID that are not the same, one is told as missing', () => {
      machine.sh('cp /run/luks1 /run/copy; printf x | dd of=/run/copy conv=notrunc bs=1 seek=9000 status=none');
      const copy = machine.sh('losetup --show -f /run/copy');
      try {
        disks([`${loops[1]} disk 0`, `${copy} disk 0`]);
        const { luksHeaders, luksMissing } = listed();
        expect(luksHeaders).toMatchObject([{ uuid: OLD }]);
        expect(luksMissing).toMatchObject([{ why: expect.stringContaining('another volume has its UUID') as string }]);
        disks([`${loops[1]} disk 0`, `${loops[1]} disk 0`]);
        expect(listed()).toMatchObject({ luksHeaders: [{ uuid: OLD }], luksMissing: [] });
      } finally {
        machine.sh(`losetup -d ${copy}; rm /run/copy`);
      }
    });
  });
});
