/** The freeze on one host: real dockerd, btrfs and zfs-fuse, a real ssh connection that breaks. */
import { ask, configure, fence, installHostkit, Session, until } from './freeze-lab';
import { describeLab } from './support/describe-lab';
import { raiseFleet, type Fleet } from './support/fleet';

const H = 'app-1';
const DATA = 'source portal data btrfs /srv/app app-1@+srv+app';
const CONF = [DATA, 'containers portal all', 'max-pause portal 60', 'exempt-label com.acme.keep=1'];
const WRITER = 'i=0; while :; do i=$((i+1)); echo $i > /data/a; echo $i > /data/b; done';

jest.setTimeout(120_000);

describeLab('freeze', () => {
  let fleet: Fleet;
  const sh = async (command: string, mayFail = false): Promise<string> =>
    (await fleet.exec(H, command, { mayFail, timeoutMs: 60_000 })).stdout.trim();
  const states = (): Promise<string> => sh("docker ps -a --format '{{.Names}} {{.Status}}'");
  const snapshotsLeft = async (): Promise<string> =>
    sh('btrfs subvolume list /srv | grep -c resurgo; zfs list -H -t snapshot -o name | grep -c resurgo', true);
  /** Does the writer of a container make progress? Its counter is read twice. */
  const runs = async (file: string): Promise<boolean> => {
    const first = await sh(`cat ${file}`);
    return until(async () => (await sh(`cat ${file}`)) !== first, 3000);
  };
  const stands = async (file: string): Promise<boolean> => {
    const first = await sh(`cat ${file}`);
    return !(await until(async () => (await sh(`cat ${file}`)) !== first, 500));
  };
  const deadmen = (): Promise<string> =>
    sh('ls /var/lib/resurgo/deadman; pgrep -fx "/bin/sh /usr/local/lib/resurgo/deadman .*"', true);

  const openPaused = async (maxPauseS = 30): Promise<Session> => {
    const session = new Session(fleet, H, { maxPauseS });
    expect(await session.say()).toMatchObject({ ok: true, phase: 'armed' });
    expect(await session.say('pause')).toMatchObject({ ok: true, phase: 'paused' });
    return session;
  };
  const startWriters = async (): Promise<void> => {
    for (const [name, dir] of [
      ['w1', '/srv/app'],
      ['w2', '/srv/app/nested'],
    ] as const)
      await sh(
        `docker rm -f ${name} 2>/dev/null; docker run -d --name ${name} --network none -v ${dir}:/data bb:1 sh -c '${WRITER}'`,
      );
  };

  beforeAll(async () => {
    fleet = await raiseFleet({ name: 'freeze', hosts: [{ name: H, disk: 'btrfs', docker: true, zfs: true }] });
    await sh(
      'btrfs subvolume create /srv/app && btrfs subvolume create /srv/app/nested && btrfs subvolume create "/srv/app/nested/deep er"',
    );
    await sh('echo deep > "/srv/app/nested/deep er/file"');
    await sh('zfs create tank/d && zfs create tank/d/kid && echo one > /tank/d/file && echo two > /tank/d/kid/file');
    await installHostkit(fleet, H, CONF);
    await startWriters();
  }, 450_000);
  afterAll(async () => {
    await fleet.down();
  }, 120_000);
  afterEach(async () => {
    await fleet.heal();
    await ask(fleet, H, 'thaw', fence('thaw'));
    await ask(fleet, H, 'snapshot.drop', { ...fence('drop'), target_run: 'run-00000001', freeze: -1 });
    await configure(fleet, H, CONF);
  });

  /** Runs shell code with the run's snapshot of a source composed at /run/view, in a mount namespace of its own. */
  const inView = (source: string, command: string): Promise<string> => {
    const libs = ['base', 'types', 'config', 'snapshots', 'view']
      .map((lib) => `. $RESURGO_LIB/lib/${lib}.sh`)
      .join('; ');
    const view = `snapshot_view portal ${source} run-00000001 /run/view`;
    return sh(
      `RESURGO_LIB=/usr/local/lib/resurgo unshare -m --propagation private sh -euc '${libs}; ${view}; ${command}'`,
    );
  };

  test('S1 a whole freeze is not torn, holds one instant with its nested subvolumes, and lets everything run again', async () => {
    const session = await openPaused();
    expect(await stands('/srv/app/a')).toBe(true);
    expect(await session.say('snapshot')).toMatchObject({ ok: true, snapshots: [{ source: 'data' }] });
    const live = await sh('cat /srv/app/a /srv/app/b /srv/app/nested/a');
    const thawed = await session.say('thaw');
    expect(thawed).toMatchObject({ ok: true, torn: '', deadmanFired: false, failed: [] });
    expect(thawed.thawed.sort()).toEqual(['w1', 'w2']);
    expect(await runs('/srv/app/a')).toBe(true);
    const view = await inView(
      'data',
      'cat /run/view/a /run/view/b /run/view/nested/a; cat "/run/view/nested/deep er/file"',
    );
    expect(view).toBe(`${live}\ndeep`);
    await expect(inView('data', 'touch /run/view/nested/x')).rejects.toThrow(/Read-only/);
    expect(await deadmen()).toBe('');
  });

  test('S1 a container started during the pause tears the instant', async () => {
    const session = await openPaused();
    await sh('docker run -d --name late --network none bb:1 sleep 1000');
    await session.say('snapshot');
    expect((await session.say('thaw')).torn).toMatch(/late.*start/);
    await sh('docker rm -f late');
  });

  test('S1 a container unpaused and paused again by hand tears the instant', async () => {
    const session = await openPaused();
    await sh('docker unpause w1 && docker pause w1');
    await session.say('snapshot');
    expect((await session.say('thaw')).torn).toMatch(/w1.*unpause/);
    expect(await runs('/srv/app/a')).toBe(true);
  });

  test('S1 an event log that no longer shows our own pause is no evidence', async () => {
    const session = await openPaused();
    await sh(
      'for i in $(seq 90); do id=$(docker create --label com.acme.keep=1 bb:1 true); docker rename $id x$i; docker rm $id; done >/dev/null',
    );
    await session.say('snapshot');
    expect((await session.say('thaw')).torn).toMatch(/no longer shows our own pause/);
  });

  test('S1 exempt containers and those that others paused are left as they are', async () => {
    await sh('docker run -d --name engine --label com.resurgo.engine=1 --network none bb:1 sleep 1000');
    await sh(
      'docker run -d --name keep --label com.acme.keep=1 --network none bb:1 sleep 1000; docker run -d --name held --network none bb:1 sleep 1000; docker pause held',
    );
    const session = new Session(fleet, H, { maxPauseS: 30 });
    const armed = await session.say();
    expect(armed.containers.map(({ name }) => name).sort()).toEqual(['w1', 'w2']);
    expect(armed.left.map(({ name, why }) => `${name} ${why}`).sort()).toEqual([
      'engine exempt',
      'held already',
      'keep exempt',
    ]);
    await session.say('pause');
    expect(await states()).toMatch(/keep Up [^(]*$/m);
    expect(await states()).toMatch(/engine Up [^(]*$/m);
    await session.say('snapshot');
    expect((await session.say('thaw')).torn).toBe('');
    expect(await states()).toMatch(/held .*\(Paused\)/);
    await sh('docker unpause held; docker rm -f held keep engine');
  });

  test("S13 a folder inside a subvolume, a file system's top level and a live folder are shown as they were", async () => {
    await sh('mkdir -p /srv/app/nested/dir/sub /mnt/top && echo in > /srv/app/nested/dir/sub/f && echo live > /root/f');
    await sh('mount -o subvolid=5 $(findmnt -no SOURCE /srv | sed "s/\\[.*//") /mnt/top');
    try {
      await configure(fleet, H, [
        'source portal in btrfs /srv/app/nested/dir app-1@+in',
        'source portal top btrfs /mnt/top app-1@+top',
        'source portal live none /root app-1@+root',
        'containers portal all',
      ]);
      const session = await openPaused();
      expect(await session.say('snapshot')).toMatchObject({ ok: true });
      expect((await session.say('thaw')).torn).toBe('');
      await sh('echo later > /srv/app/nested/dir/sub/f');
      expect(await inView('in', 'cd /run/view; find .; cat sub/f')).toBe('.\n./sub\n./sub/f\nin');
      expect(await inView('top', 'cat /run/view/srv/app/nested/dir/sub/f; ls /run/view/srv/app/nested')).toMatch(
        /^in\n[^]*deep er/,
      );
      expect(await inView('live', 'cat /run/view/f; touch /run/view/f 2>&1 || :')).toMatch(/^live\n.*Read-only/);
    } finally {
      await sh('umount /mnt/top; rm -rf /srv/app/nested/dir /root/f', true);
    }
  });

  test('S2 the director vanishes while everything is paused: the end of its input thaws it and drops its snapshots', async () => {
    const session = await openPaused();
    await session.say('snapshot');
    session.vanish();
    expect(await until(async () => !(await states()).includes('Paused'), 10_000)).toBe(true);
    expect(await until(async () => (await deadmen()) === '', 10_000)).toBe(true);
    // What waits for nobody comes after the thaw.
    await until(async () => (await snapshotsLeft()) === '0\n0', 10_000);
    expect(await snapshotsLeft()).toBe('0\n0');
  });

  test('S2 the network is cut: the dead-man thaws at its limit, by itself', async () => {
    const session = await openPaused(4);
    await fleet.cut(H, 'director');
    expect(await until(async () => !(await states()).includes('Paused'), 15_000)).toBe(true);
    expect(await runs('/srv/app/a')).toBe(true);
    await fleet.heal();
    expect(await session.say('snapshot')).toMatchObject({ ok: false, code: 'deadman-fired' });
  });

  test("S2 a request can't ask for a longer pause than the host allows", async () => {
    await configure(fleet, H, [DATA, 'containers portal all', 'max-pause portal 3']);
    const session = await openPaused(600);
    expect(await until(async () => !(await states()).includes('Paused'), 12_000)).toBe(true);
    expect(await session.say('snapshot')).toMatchObject({ ok: false, code: 'deadman-fired' });
  });

  test('S5 dockerd killed while containers are paused: torn, and their processes run again', async () => {
    const session = await openPaused();
    // Without its program nobody starts it again: what runs afterwards, we have thawed.
    await sh('mv /usr/sbin/dockerd /usr/sbin/dockerd.off');
    try {
      await fleet.killDocker(H);
      await session.say('snapshot');
      const thawed = await session.say('thaw');
      expect(thawed).toMatchObject({ failed: [], torn: expect.stringMatching(/docker daemon/) as unknown });
      expect(await runs('/srv/app/a')).toBe(true);
    } finally {
      await sh('mv /usr/sbin/dockerd.off /usr/sbin/dockerd; service docker start');
    }
    await until(async () => (await sh('docker info >/dev/null 2>&1 && echo up', true)) === 'up', 20_000);
    expect(await ask(fleet, H, 'thaw', fence('thaw'))).toMatchObject({ ok: true, failed: [] });
    await startWriters();
  });

  test('S5 a docker daemon that hangs is gone round through the cgroup, and its books are put right later', async () => {
    const session = await openPaused();
    await session.say('snapshot');
    await sh('pkill -STOP -x dockerd');
    try {
      const thawed = await session.say('thaw');
      expect(thawed.failed.sort()).toEqual(['w1', 'w2']);
      expect(thawed.torn).not.toBe('');
      expect(await runs('/srv/app/a')).toBe(true);
    } finally {
      await sh('pkill -CONT -x dockerd');
    }
    expect(await ask(fleet, H, 'thaw', fence('thaw'))).toMatchObject({ ok: true, failed: [] });
    expect(await states()).not.toMatch(/Paused/);
    expect(await runs('/srv/app/a')).toBe(true);
  });

  test('S6 a freeze under heavy writing outside the containers ends in time: nothing freezes the file system', async () => {
    await sh(
      '(while [ -e /run/busy ]; do dd if=/dev/zero of=/srv/app/junk bs=1M count=64 conv=fsync; done) >/dev/null 2>&1 & touch /run/busy; sleep 0.5',
    );
    try {
      const session = await openPaused();
      expect(await session.say('snapshot')).toMatchObject({ ok: true });
      expect((await session.say('thaw')).pausedMs).toBeLessThan(15_000);
      expect(await sh('grep -rhE "^[^#]*fsfreeze +-|FIFREEZE" /usr/local/lib/resurgo', true)).toBe('');
    } finally {
      await sh('rm -f /run/busy /srv/app/junk');
    }
  });

  test('S8 what a terminated run left is found and mended by the next freeze', async () => {
    const session = await openPaused(60);
    await session.say('snapshot');
    await sh(
      'pkill -KILL -f "^/bin/sh /usr/local/lib/resurgo/deadman"; pkill -KILL -f "^sh /usr/local/lib/resurgo/hostkit"',
    );
    session.vanish();
    expect(await stands('/srv/app/a')).toBe(true);
    attemptsFromSecondRun = true;
    const next = new Session(fleet, H, { maxPauseS: 30, run: 'run-00000002' });
    expect(await next.say()).toMatchObject({ ok: true, phase: 'armed' });
    expect(await runs('/srv/app/a')).toBe(true);
    expect(await snapshotsLeft()).toBe('0\n0');
    expect((await next.say('thaw')).torn).toMatch(/no snapshot/);
  });

  test('S13 a mount below the source is refused unless it is excluded by name', async () => {
    const run = attemptsFromSecondRun ? 'run-00000002' : 'run-00000001';
    await sh('mkdir -p /srv/app/other && mount -t tmpfs tmpfs /srv/app/other');
    try {
      const session = new Session(fleet, H, { maxPauseS: 30, run });
      const refused = await session.say();
      expect(refused).toMatchObject({ ok: false });
      expect(refused.message).toMatch(/other/);
      const check = await ask(fleet, H, 'check', { group: 'portal' });
      expect(check.sources[0]).toMatchObject({ nested: ['nested', 'nested/deep er'], mountsBelow: ['other'] });
      expect(check.sources[0]?.problems).toHaveLength(1);
      await configure(fleet, H, [...CONF, 'exclude portal data /other']);
      const second = new Session(fleet, H, { maxPauseS: 30, run });
      expect(await second.say()).toMatchObject({ ok: true, phase: 'armed' });
      await second.say('thaw');
    } finally {
      await sh('umount /srv/app/other');
    }
  });
});

let attemptsFromSecondRun = false;
