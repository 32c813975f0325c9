/** A whole machine as one source: its file systems held together, put together again, dropped, and all else told with its reason. */
import { check } from '../../hosts/replies/reading';
import { snapshotted } from '../../hosts/replies/freezing';
import { MACHINE_CONF, MACHINE_RUN, Machine } from './machine';
import { SHELLS, describeAsRoot, fence } from './support';
import type { Shell } from './support';

jest.setTimeout(120_000);
const RUN = MACHINE_RUN;

describeAsRoot('a whole machine', () => {
  describe.each(SHELLS)('under %s', (shell: Shell) => {
    let machine: Machine;
    beforeAll(() => {
      machine = new Machine(shell);
    });
    afterAll(() => {
      machine.close();
    });
    afterEach(() => {
      machine.conf(MACHINE_CONF);
      machine.ask('snapshot.drop', { ...fence({ run: RUN }), target_run: RUN });
      machine.sh('rm -rf /var/lib/resurgo/jobs/* /var/lib/resurgo/runs/run-* /var/lib/resurgo/fence');
    });

    const checked = () => {
      const [source] = check.parse(machine.ask('check', { group: 'portal' })).sources;
      if (source === undefined) throw new Error('no source');
      return source;
    };
    const frozen = async (freeze = 1) => {
      const answers = await machine.freeze({ run: RUN, freeze });
      if (answers.length !== 4) throw new Error(JSON.stringify(answers));
      const taken = snapshotted.parse(answers[2]).snapshots[0];
      if (taken === undefined) throw new Error('no snapshot');
      return taken;
    };
    const listing = () => {
      const polled = machine.job({ kind: 'listing', run: RUN, source: 'root' });
      if (polled['result'] === undefined) throw new Error(`no listing: ${JSON.stringify(polled)}`);
      return polled['result'] as Record<string, unknown>;
    };
    const listed = () => {
      const result = listing();
      if (result['sha256'] === undefined) throw new Error(`no listing: ${JSON.stringify(result)}`);
      const files = new Set(machine.sh(`cut -f 10 /var/lib/resurgo/runs/${RUN}/app-1@+.listing`).split('\n'));
      return { result, files };
    };
    const places = (skipped: readonly { path: string }[] | undefined) => (skipped ?? []).map(({ path }) => path).sort();
    const ours = () =>
      machine.sh(
        'mkdir -p /run/top; mount -o subvolid=5 "$(findmnt -n -o SOURCE / | sed "s/\\[.*//")" /run/top; ls /run/top/.resurgo/portal 2>/dev/null || :; umount /run/top',
      );

    it('S13 every mount is a part, or left out with its reason', () => {
      const { parts, skipped, problems, fsUuid, usedBytes } = checked();
      expect(problems).toEqual([]);
      expect(parts?.map(({ path, kind, fsType }) => [path, kind, fsType])).toEqual([
        ['/', 'btrfs', 'btrfs'],
        ['/boot', 'none', 'ext4'],
        ['/home', 'btrfs', 'btrfs'],
        ['/boot/efi', 'none', 'ext4'],
      ]);
      expect(fsUuid).toBe(parts?.[0]?.fsUuid);
      expect(usedBytes).toBeGreaterThan(0);
      const why = Object.fromEntries((skipped ?? []).map(({ path, reason }) => [path, reason]));
      expect(why).toEqual({
        '/usr': 'an overlay of a container: what it shows lies in other folders',
        '/proc': "the kernel's own (proc), there again at each boot",
        '/sys': "the kernel's own (sysfs), there again at each boot",
        '/dev': "the kernel's own (devtmpfs), there again at each boot",
        '/run': 'in memory (tmpfs), gone at each boot',
        '/data/mem': 'in memory (tmpfs), gone at each boot',
        '/mnt/image': 'an image file shows it (/var/lib/image), and that file is copied where it lies',
        '/srv/again': 'shows once more what lies in the backup at /home/sub',
      });
      // Nothing in /proc/self/mountinfo is missing from the two lists.
      const mounts = machine.sh('cut -d " " -f 5 /proc/self/mountinfo').split('\n').sort();
      expect([...(parts ?? []).map(({ path }) => path), ...places(skipped)].sort()).toEqual(mounts);
    });

    it('what it holds counts as protected, also where it is seen once more', () => {
      const { unprotected } = check.parse(machine.ask('check', { group: 'portal' }));
      expect(unprotected.filter((each) => each.startsWith('file system'))).toEqual([]);
      machine.conf(MACHINE_CONF.map((line) => line.replace('system /', 'none /home')));
      const others = check.parse(machine.ask('check', { group: 'portal' })).unprotected;
      expect(others).toContainEqual('file system at /mnt/image (ext4)');
    });

    it('S1 the view is one tree of the instant: parts at their places, empty folders where others were mounted', async () => {
      const taken = await frozen();
      expect(taken).toMatchObject({
        held: ['/ (btrfs)', '/home (btrfs)'],
        live: [],
        watched: ['/boot', '/boot/efi'],
      });
      expect(places(taken.skipped)).toEqual(places(checked().skipped));
      machine.sh('echo after >/etc/later; echo after >/home/later; echo after >/var/lib/nested/later; sync');
      const { result, files } = listed();
      machine.sh('rm /etc/later /home/later /var/lib/nested/later');
      expect(result).toMatchObject({ changed: [] });
      const there = ['etc/own', 'home/own', 'home/sub/own', 'boot/vmlinuz', 'boot/efi/loader', 'var/lib/nested/own'];
      expect(
        [...there, 'proc', 'sys', 'dev', 'run', 'usr', 'data/mem', 'mnt/image', 'srv/again'].filter(
          (each) => !files.has(each),
        ),
      ).toEqual([]);
      expect(['etc/later', 'home/later', 'var/lib/nested/later'].filter((each) => files.has(each))).toEqual([]);
      const below = [...files].filter((each) => /^(proc|sys|dev|run|usr|data\/mem|mnt\/image|srv\/again)\//.test(each));
      expect(below).toEqual([]);
    });

    it('what would not belong on a machine that comes back is left out, and told as excluded', async () => {
      await frozen();
      const { result, files } = listed();
      expect(result['patterns']).toEqual(
        expect.arrayContaining(['/tmp/*', '/var/tmp/*', '/var/cache/apt/archives/*.deb', '/var/lib/resurgo/runs/*']),
      );
      const gone = ['tmp/gone', 'var/tmp/gone', 'var/cache/apt/archives/a.deb', 'var/lib/resurgo/runs/old'];
      expect(gone.filter((each) => files.has(each))).toEqual([]);
      const kept = ['tmp', 'var/tmp', 'var/cache/apt/archives/lock', 'var/lib/resurgo/runs', 'etc/resurgo/host.conf'];
      // What ends a freeze comes back: the disk is as after a power cut in the middle of one.
      expect([...kept, 'var/lib/resurgo/deadman/portal.hand/note'].filter((each) => !files.has(each))).toEqual([]);
    });

    it('S7 what is read live and has changed since the instant is told', async () => {
      await frozen();
      machine.sh('echo newer >/boot/vmlinuz');
      expect(listed().result).toMatchObject({ changed: ['/boot'] });
    });

    it('S14 a part that is read live and not mounted any more is no part', async () => {
      await frozen();
      machine.outside('umount root/boot/efi');
      const result = listing();
      machine.outside('mount -o loop efi.img root/boot/efi');
      expect(result['message']).toMatch(
        /\/boot\/efi: it was \/dev\/loop\d+ at the instant of this backup, and is \/dev\/loop\d+ now/,
      );
    });

    it('S7 a file system that no kind holds is live, and one that the runbook excludes is no part', async () => {
      machine.outside('mkdir -p root/data/own; mount -o loop data.img root/data/own');
      try {
        expect(await frozen()).toMatchObject({ live: ['/data/own'], watched: ['/boot', '/boot/efi'] });
        machine.conf([...MACHINE_CONF, 'exclude portal root /data/own']);
        const without = await frozen(2);
        expect(without).toMatchObject({ live: [] });
        expect(without.skipped).toContainEqual({ path: '/data/own', reason: 'excluded by the runbook' });
      } finally {
        machine.outside('umount root/data/own; rmdir root/data/own');
      }
    });

    it('S13 a mount that comes between the look and the snapshot ends the freeze', async () => {
      const answers = await machine.freeze({
        run: RUN,
        between: () => {
          machine.outside('mkdir -p root/data/own; mount -o loop data.img root/data/own');
        },
      });
      machine.outside('umount root/data/own; rmdir root/data/own');
      expect(answers.at(-1)).toMatchObject({
        ok: false,
        message: expect.stringContaining('were mounted or unmounted since') as string,
      });
      expect(ours()).toBe('');
    });

    it('S8 every part is found and dropped: by the source, by its records alone, and without any', async () => {
      const of = (run: string) => ({ ...fence({ run }), target_run: run });
      await frozen();
      expect(machine.ask('snapshots', { group: 'portal' })['snapshots']).toMatchObject([{ source: 'root', run: RUN }]);
      expect(ours()).toBe(`${RUN}.1`);
      expect(machine.ask('snapshot.drop', of(RUN))['dropped']).toHaveLength(3);
      expect(ours()).toBe('');
      await frozen();
      machine.conf(MACHINE_CONF.filter((line) => !line.startsWith('source')));
      expect(machine.ask('snapshots', { group: 'portal' })['snapshots']).toMatchObject([{ source: 'root', run: RUN }]);
      expect(machine.ask('snapshot.drop', of(RUN))['dropped']).toHaveLength(3);
      expect(ours()).toBe('');
      machine.conf(MACHINE_CONF);
      await frozen();
      machine.sh('rm -rf /var/lib/resurgo/snapshots');
      expect(machine.ask('snapshot.drop', of(RUN))['dropped']).toHaveLength(3);
      expect(ours()).toBe('');
    });

    it('a store on the machine itself is left out, with the subvolumes in it', async () => {
      machine.sh('mkdir -p /home/store/portal; btrfs -q subvolume create /home/store/portal/20260101_000000');
      try {
        machine.conf([...MACHINE_CONF, 'store main btrfs /home/store zstd 5', 'accept main portal app-1@+ app-1']);
        expect(checked().problems).toEqual([]);
        await frozen();
        const { result, files } = listed();
        expect(files.has('home/store')).toBe(true);
        expect([...files].filter((each) => each.startsWith('home/store/'))).toEqual([]);
        expect(result['patterns']).toContain('/home/store/*');
        expect(machine.ask('snapshot.drop', { ...fence({ run: RUN }), target_run: RUN })['dropped']).toHaveLength(3);
      } finally {
        machine.sh('btrfs -q subvolume delete /home/store/portal/20260101_000000 >/dev/null; rm -r /home/store');
      }
    });

    it('S23 it is not written over in place, armed or not', () => {
      machine.conf([...MACHINE_CONF, 'arm-system /']);
      expect(machine.ask('restore.check', { group: 'portal', run: RUN, source: 'root' })).toMatchObject({
        code: 'not-allowed',
        message: expect.stringContaining('comes back with `resurgo recover`') as string,
      });
    });
  });
});
