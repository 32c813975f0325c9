/** Snapshots of zfs, hooks, hand tools and what a restore stops: on a real host with dockerd and zfs-fuse. */
import { ask, configure, fence, installHostkit, Session, until } from './freeze-lab';
import { describeLab } from './support/describe-lab';
import { raiseFleet, type Fleet } from './support/fleet';

const H = 'app-1';
const CONF = ['containers portal all', 'max-pause portal 60', 'workload portal containers'];
const ZFS = 'source portal z zfs /tank/d app-1@+tank+d';

jest.setTimeout(120_000);

describeLab('freeze: zfs, hooks, hand tools, restore', () => {
  let fleet: Fleet;
  const sh = async (command: string, mayFail = false): Promise<string> =>
    (await fleet.exec(H, command, { mayFail, timeoutMs: 60_000 })).stdout.trim();
  const states = (): Promise<string> => sh("docker ps -a --format '{{.Names}} {{.Status}}'");

  beforeAll(async () => {
    fleet = await raiseFleet({ name: 'freeze-wl', hosts: [{ name: H, disk: 'btrfs', docker: true, zfs: true }] });
    await sh('zfs create tank/d && zfs create tank/d/kid && echo one > /tank/d/file && echo two > /tank/d/kid/file');
    await installHostkit(fleet, H, CONF);
    for (const name of ['w1', 'w2'])
      await sh(`docker run -d --name ${name} --restart=always --network none bb:1 sleep 100000`);
  }, 450_000);
  afterAll(async () => {
    await fleet.down();
  }, 120_000);
  afterEach(async () => {
    await ask(fleet, H, 'thaw', fence('thaw'));
    await ask(fleet, H, 'workload.unpause', fence('unpause'));
    await ask(fleet, H, 'snapshot.drop', { ...fence('drop'), target_run: 'run-00000001', freeze: -1 });
    await configure(fleet, H, CONF);
  });

  const freezeOnce = async (freeze: number): Promise<void> => {
    const session = new Session(fleet, H, { maxPauseS: 30, freeze });
    expect(await session.say()).toMatchObject({ ok: true });
    expect(await session.say('pause')).toMatchObject({ ok: true });
    expect(await session.say('snapshot')).toMatchObject({ ok: true });
    expect(await session.say('thaw')).toMatchObject({ ok: true, torn: '', failed: [] });
  };

  test('S13 child datasets are in the same zfs snapshot, seen in the view, and dropped whole with their clones', async () => {
    await configure(fleet, H, [...CONF, ZFS]);
    await freezeOnce(3);
    await sh('echo later > /tank/d/kid/file');
    const libs = ['base', 'types', 'config', 'snapshots', 'view']
      .map((lib) => `. $RESURGO_LIB/lib/${lib}.sh`)
      .join('; ');
    const look = 'cat /run/view/file /run/view/kid/file; touch /run/view/kid/x 2>&1 || :';
    const view = await sh(
      `RESURGO_LIB=/usr/local/lib/resurgo unshare -m --propagation private sh -euc '${libs}; snapshot_view portal z run-00000001 /run/view; ${look}'`,
    );
    expect(view).toMatch(/^one\ntwo\n.*Read-only/);
    const listed = await ask(fleet, H, 'snapshots', { group: 'portal' });
    expect(listed.snapshots.map(({ name }) => name)).toEqual(['tank/d@resurgo_portal_run-00000001_3']);
    const dropped = await ask(fleet, H, 'snapshot.drop', { ...fence('drop'), target_run: 'run-00000001', freeze: 3 });
    expect(dropped.ok).toBe(true);
    expect(await sh('zfs list -H -t all -o name | grep resurgo', true)).toBe('');
    expect(await sh('cat /tank/d/kid/file')).toBe('later');
  });

  test('S13 a kind that does not fit its place, a missing folder and an unmounted dataset are refused', async () => {
    const refusal = async (source: string): Promise<string> => {
      await configure(fleet, H, [...CONF, source]);
      const answer = await new Session(fleet, H, { maxPauseS: 30 }).say();
      expect(answer.ok).toBe(false);
      return answer.message;
    };
    expect(await refusal('source portal x btrfs /tank/d app-1@+tank+d')).toMatch(/not on btrfs/);
    expect(await refusal('source portal x zfs /srv app-1@+srv')).toMatch(/not on zfs/);
    expect(await refusal('source portal x btrfs /srv/gone app-1@+srv+gone')).toMatch(/not a folder/);
    expect(await sh('ls /var/lib/resurgo/deadman')).toBe('');
  });

  test('S2 a hook that ran before a freeze that never came is undone: by the dead-man or the next thaw, a reboot between', async () => {
    await sh(
      'printf "#!/bin/sh\\necho \\$1 >> /var/lib/hooked\\n" > /usr/local/bin/hook && chmod 755 /usr/local/bin/hook',
    );
    const hooks = ['hook portal before db 10 /usr/local/bin/hook', 'hook portal after db 10 /usr/local/bin/hook'];
    await configure(fleet, H, [...CONF, ...hooks]);
    expect(await ask(fleet, H, 'hook', { ...fence('hook'), phase: 'before', name: 'db' })).toMatchObject({ ok: true });
    expect(await ask(fleet, H, 'thaw', fence('thaw'))).toMatchObject({ ok: true, thawed: ['hook db'] });
    expect(await sh('cat /var/lib/hooked')).toBe('before\nafter');
    await ask(fleet, H, 'hook', { ...fence('hook'), phase: 'before', name: 'db' });
    await fleet.rebootHost(H);
    expect(await ask(fleet, H, 'thaw', fence('thaw'))).toMatchObject({ ok: true, thawed: ['hook db'] });
    await ask(fleet, H, 'hook', { ...fence('hook'), phase: 'before', name: 'db' });
    await ask(fleet, H, 'hook', { ...fence('hook'), phase: 'after', name: 'db' });
    expect(await ask(fleet, H, 'thaw', fence('thaw'))).toMatchObject({ ok: true, thawed: [] });
    expect(await sh('cat /var/lib/hooked')).toBe('before\nafter\nbefore\nafter\nbefore\nafter');
  });

  test('S2 the hand pause has the same dead-man', async () => {
    expect(await ask(fleet, H, 'workload.pause', { ...fence('pause'), max_pause: 2 })).toMatchObject({ ok: true });
    expect(await states()).toMatch(/w1 .*Paused/);
    expect(await until(async () => !(await states()).includes('Paused'), 10_000)).toBe(true);
    expect(await ask(fleet, H, 'workload.unpause', fence('unpause'))).toMatchObject({ ok: true, deadmanFired: true });
  });

  test('S21 stopped for a restore is seen stopped, does not come back by a reboot, and starts again as it was', async () => {
    expect(await ask(fleet, H, 'restore.stop', fence('stop'))).toMatchObject({ ok: true });
    expect(await states()).not.toMatch(/Up/);
    await fleet.rebootHost(H);
    expect(await states()).not.toMatch(/Up/);
    // The run that had stopped them is over: its successor takes the record over, and starts what ran before both.
    const next = (step: string) => fence(step, 'run-00000002');
    expect(await ask(fleet, H, 'restore.stop', next('stop'))).toMatchObject({ ok: true });
    expect(await ask(fleet, H, 'restore.start', fence('start'))).toMatchObject({ ok: false, code: 'fenced' });
    expect(await ask(fleet, H, 'restore.start', next('start'))).toMatchObject({ ok: true, failed: [] });
    // The tests that follow go on under the first run.
    await sh('rm -r /var/lib/resurgo/fence');
    expect((await states()).match(/Up/g)).toHaveLength(2);
    expect(await sh("docker inspect -f '{{.HostConfig.RestartPolicy.Name}}' w1 w2")).toBe('always\nalways');
    expect(await sh('ls /var/lib/resurgo/workloads')).toBe('');
  });

  test('S21 what did not run at the stop comes back neither by a reboot nor by the start, and has its restart policy again', async () => {
    await sh('docker run -d --name broken --restart=on-failure:3 --network none bb:1 sleep 100000');
    await sh('docker run -d --name asleep --restart=always --network none bb:1 sleep 100000');
    await sh('docker stop -t 0 broken asleep');
    expect(await ask(fleet, H, 'restore.stop', fence('stop'))).toMatchObject({ ok: true });
    const policies = "docker inspect -f '{{.HostConfig.RestartPolicy.Name}} {{.State.Running}}' broken asleep";
    expect(await sh(policies)).toBe('no false\nno false');
    await fleet.rebootHost(H);
    // Whose first answer was lost asks again.
    expect(await ask(fleet, H, 'restore.stop', fence('stop'))).toMatchObject({ ok: true });
    expect(await states()).not.toMatch(/Up/);
    expect(await ask(fleet, H, 'restore.start', fence('start'))).toMatchObject({ ok: true, failed: [] });
    expect((await states()).match(/Up/g)).toHaveLength(2);
    expect(await sh(policies)).toBe('on-failure false\nalways false');
    await sh('docker rm broken asleep');
  });

  test('what was removed or made anew while it was stopped is named and holds up nothing; what fails is named with its reason', async () => {
    await sh('mkdir /srv/need');
    const run = 'docker run -d --network none';
    await sh(`${run} --name lost bb:1 sleep 100000; ${run} --name anew bb:1 sleep 100000`);
    await sh(`${run} --name needs --mount type=bind,source=/srv/need,target=/need bb:1 sleep 100000`);
    for (const [stop, start] of [
      ['restore.stop', 'restore.start'],
      ['workload.stop', 'workload.start'],
    ] as const) {
      expect(await ask(fleet, H, stop, fence('stop'))).toMatchObject({ ok: true });
      await sh(`docker rm lost anew; ${run} --name anew bb:1 sleep 100000; rmdir /srv/need`);
      const half = await ask(fleet, H, start, fence('start'));
      expect(half).toMatchObject({
        ok: false,
        failed: ['needs'],
        message: expect.stringMatching(/needs: .*bind/) as string,
      });
      await sh('mkdir /srv/need');
      const done = await ask(fleet, H, start, fence('start'));
      expect(done).toMatchObject({ ok: true, failed: [], gone: expect.arrayContaining(['lost', 'anew']) as string[] });
      expect(await ask(fleet, H, 'restore.health', fence('health'))).toMatchObject({ ok: true, healthy: true });
      expect(await sh('ls /var/lib/resurgo/workloads')).toBe('');
      await sh(`${run} --name lost bb:1 sleep 100000`);
    }
    await sh('docker rm -f lost anew needs');
  });

  test('one that has nothing more to do when it is started again holds up nothing; one that dies at once is told', async () => {
    await sh('mkdir /srv/flag');
    const run = 'docker run -d --network none -v /srv/flag:/flag';
    await sh(`${run} --name job bb:1 sh -c 'test -e /flag/done || sleep 100000'`);
    await sh(`${run} --name dies bb:1 sh -c '! test -e /flag/broken || exit 7; sleep 100000'`);
    expect(await ask(fleet, H, 'restore.stop', fence('stop'))).toMatchObject({ ok: true });
    await sh('touch /srv/flag/done /srv/flag/broken');
    // Docker tells of a container that it runs until it has seen its end: a start may be taken for one that goes well, then health tells.
    const first = await ask(fleet, H, 'restore.start', fence('start'));
    const told = first.ok ? await ask(fleet, H, 'restore.health', fence('health')) : first;
    expect(JSON.stringify(told)).toMatch(/dies.*it (has )?ended (at once )?with exit 7/);
    await sh('rm /srv/flag/broken');
    expect(await ask(fleet, H, 'restore.start', fence('start'))).toMatchObject({ ok: true, failed: [] });
    expect(await sh('ls /var/lib/resurgo/workloads')).toBe('');
    await sh('docker rm -f job dies');
  });

  test('a container made with --rm refuses the stop before anything is stopped', async () => {
    await sh('docker run -d --rm --name brief --network none bb:1 sleep 1000');
    expect(await ask(fleet, H, 'restore.stop', fence('stop'))).toMatchObject({ ok: false });
    expect((await states()).match(/Up/g)).toHaveLength(3);
    await sh('docker rm -f brief');
    await ask(fleet, H, 'restore.start', fence('start'));
  });

  test('check names what no source covers', async () => {
    await configure(fleet, H, [...CONF, ZFS]);
    await sh('docker run -d --name postgres-1 -v pg:/var/lib/pg -v /tank/d:/in --network none bb:1 sleep 1000');
    const check = await ask(fleet, H, 'check', { group: 'portal' });
    expect(check.sources[0]).toMatchObject({ name: 'z', dataset: 'tank/d', nested: ['kid'], problems: [] });
    expect(check.unprotected).toContainEqual(expect.stringMatching(/postgres-1: volume .*pg.* lies in no source/));
    expect(check.unprotected).toContainEqual(expect.stringMatching(/file system at \/srv /));
    expect(check.unprotected.join()).not.toMatch(/\/tank\/d/);
    await sh('docker stop -t 0 postgres-1');
    await configure(fleet, H, ['containers portal none', ...CONF.slice(1), ZFS]);
    const still = await ask(fleet, H, 'check', { group: 'portal' });
    expect(still.unprotected).toContainEqual(
      expect.stringMatching(/postgres-1 \(stopped\): volume .*pg.* lies in no source/),
    );
    await sh('docker rm -f postgres-1; docker volume rm pg');
  });
});
