/** Restore from end to end: what was backed up comes back bit by bit, nothing else is touched, and nothing starts on half of it. */
import { readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { z } from 'zod';
import { workflowId } from '../../planning/ids';
import { connectEngine } from '../../workers/engine';
import { facts } from './support/awkward';
import { describeLab } from './support/describe-lab';
import { eventually, type Planned, type Product, takeDown } from './support/product';
import { raiseRestoreFleet, staging } from './support/product-restore';

const STORED = '/backup/portal/backups';
const ONE = 'app-1@+srv+data';
const CONF = 'app-1@+srv+conf';
const TWO = 'app-2@+tank+data';
const TREES = [
  ['app-1', '/srv/data'],
  ['app-1', '/srv/conf'],
  ['app-2', '/tank/data'],
] as const;

const times = z.object({ started: z.number(), finished: z.number() });
/** Several runs of the whole product in one test. */
jest.setTimeout(300_000);

const boardRows = z.array(z.looseObject({ step: z.string(), state: z.string() }));
const listedSnapshots = z.looseObject({
  hosts: z.array(
    z.looseObject({
      host: z.string(),
      snapshots: z.array(
        z.looseObject({
          source: z.string(),
          run: z.string(),
          freeze: z.number(),
          safety: z.boolean().optional(),
          keepUntilMs: z.number().optional(),
          leftover: z.boolean(),
        }),
      ),
    }),
  ),
});

describeLab('restore from end to end', () => {
  let product: Product;
  let id: string;
  /** What each source was when it was backed up. */
  const before = new Map<string, string>();
  const runs: string[] = [];

  const on = async (host: string, command: string) => (await product.fleet.exec(host, command)).stdout;
  const tree = async (host: string, dir: string) => {
    const text = await facts(product.fleet, host, dir);
    // zfs counts the blocks of what was just written only after a while: whether `big` has holes is not asked there.
    return host === 'app-2' ? text.replace(/^(\.\/big .*) (True|False)$/m, '$1') : text;
  };
  const same = async (dirs: readonly (readonly [string, string])[] = TREES) => {
    for (const [host, dir] of dirs) expect(await tree(host, dir)).toBe(before.get(`${host} ${dir}`));
  };
  const plan = async (args: readonly string[]): Promise<Planned> => {
    const planned = await product.plan(args);
    runs.push(planned.run);
    return planned;
  };
  const approve = async ({ run, hash }: Planned, allow: readonly number[] = [0]) => {
    await product.run(['approve', run, hash.slice(0, 12)]);
    return product.ended(run, allow);
  };
  const restore = async (args: readonly string[]) => {
    const planned = await plan(args);
    await approve(planned);
    return planned;
  };
  const abort = async ({ run }: Planned) => {
    await product.run(['abort', run]);
    return product.ended(run, [1]);
  };
  /** When docker started the writer last, and when it had ended before, ms since 1970. */
  const writer = async (host: string) => {
    const text = await on(host, 'docker inspect -f "{{.State.StartedAt}} {{.State.FinishedAt}}" writer');
    const [started = '', finished = ''] = text.trim().split(' ');
    return times.parse({ started: Date.parse(started), finished: Date.parse(finished) });
  };
  const runsNow = async (host: string) => (await on(host, 'docker ps --format "{{.Names}} {{.Status}}"')).trim();
  /** The steps of a run as `step state`. */
  const board = async (run: string): Promise<string[]> => {
    const { client, connection } = await connectEngine({ stateDir: product.stateDir, worker: false });
    try {
      const rows = await client.workflow
        .getHandle(workflowId({ kind: 'restore', group: 'portal', run }))
        .query('board');
      return boardRows.parse(rows).map(({ step, state }) => `${step} ${state}`);
    } finally {
      await connection.close();
    }
  };
  const damage = async () => {
    await on(
      'app-1',
      `set -e; cd /srv/data; rm -rf d/e sl big; printf X | dd of=sparse bs=1 seek=100 conv=notrunc status=none
       echo other >d/one; cp -p 'z three' /tmp/three; rm 'z three'; cp -p /tmp/three 'z three'; chmod 777 none
       setfattr -x user.x 'a b'; setfattr -n user.new -v 1 d; setfacl -b 'a b'; setcap -r suid; rm fifo; echo plain >fifo
       chown 0:0 bigids; touch -d @1 ./-rf; mkdir junk; echo x >junk/y; echo x >"$(printf 'junk\\nline')"
       echo changed >nested/file; echo junk2 >cache/junk2; echo changed >/srv/conf/one; echo extra >/srv/conf/extra`,
    );
    await on(
      'app-2',
      'cd /tank/data && rm -rf d big && echo changed >child/file && echo extra >child/extra && echo extra >extra',
    );
  };

  beforeAll(async () => {
    product = await raiseRestoreFleet('restore');
    for (const [host, dir] of TREES) before.set(`${host} ${dir}`, await tree(host, dir));
    ({ id } = await product.backup());
  }, 400_000);
  afterAll(() => takeDown(product), 120_000);

  test('the plan comes first, with what is stopped, written and deleted; another hash is refused, and nothing is touched until the right one', async () => {
    await damage();
    const damaged = await tree('app-1', '/srv/data');
    const since = (await writer('app-1')).started;
    const planned = await plan(['latest', 'portal']);
    expect(planned.plan.blockers).toEqual([]);
    expect(planned.plan.stops.map((stop) => stop.host)).toEqual(['app-2', 'app-1']);
    // junk, junk/y, junk\nline; extra in conf; extra and child/extra: and nothing below cache.
    expect(planned.plan.items.map((item) => item.deletions)).toEqual([1, 3, 2]);
    expect(planned.plan.totals.deletions).toBe(6);
    expect(planned.plan.totals.files).toBeGreaterThan(60);
    const wrong = await product.run(['approve', planned.run, '000000000000'], { allow: [1] });
    expect(wrong.stderr).toMatch(/the hash does not fit/);
    expect(await tree('app-1', '/srv/data')).toBe(damaged);
    expect((await writer('app-1')).started).toBe(since);
    expect((await abort(planned)).stderr).toMatch(/aborted by .*Nothing was changed/s);
    expect(await tree('app-1', '/srv/data')).toBe(damaged);
  });

  test('S9 S20 a whole group comes back in place bit by bit, while its workloads are stopped; what the backup left out stays', async () => {
    const { run } = await restore([id, 'portal']);
    await same();
    expect(await on('app-1', 'cat /srv/data/nested/file /srv/data/cache/junk /srv/data/cache/junk2')).toBe(
      'deep\njunk\njunk2\n',
    );
    expect(await on('app-2', 'cat /tank/data/child/file; ls /tank/data/child')).toBe('deep\nfile\n');
    const [one, two] = [await writer('app-1'), await writer('app-2')];
    // What came back was written between the end of each container and its next start.
    for (const [host, file, { started, finished }] of [
      ['app-1', '/srv/data/big', one],
      ['app-2', '/tank/data/big', two],
    ] as const) {
      const changed = Number(await on(host, `stat -c %.9Z ${file}`)) * 1000;
      expect(changed).toBeGreaterThan(finished - 1_000);
      expect(changed).toBeLessThan(started);
      expect(finished).toBeLessThan(started);
    }
    // The runbook's order, and back the other way round.
    expect(two.finished).toBeLessThan(one.finished);
    expect(one.started).toBeLessThan(two.started);
    for (const app of ['app-1', 'app-2']) {
      expect(await runsNow(app)).toMatch(/^writer Up .*\(healthy\)/);
      expect(await on(app, 'docker inspect -f "{{.HostConfig.RestartPolicy.Name}}" writer')).toBe('always\n');
    }
    // The view that it was read from is gone, and so is all else but the safety snapshots.
    expect(await on('target', 'findmnt -rn -o TARGET | grep -c -e view -e /jobs/ || :')).toBe('0\n');
    expect(await product.leftovers('portal')).toEqual([]);
    const { stdout } = await product.run(['snapshots', 'portal']);
    expect(stdout.match(new RegExp(`safety snapshot of restore ${run} .*kept until 20`, 'g'))).toHaveLength(3);
    const { stdout: found } = await product.run(['doctor', 'portal', '--all']);
    expect(found).not.toMatch(/dead run/);
    expect(found).toMatch(new RegExp(`safety snapshots +of conf, by restore ${run}; kept until 20`));
  });

  test('safety snapshots of every source hold what was overwritten, outlive backups, and go when they are told to', async () => {
    const run = runs.at(-1) ?? '';
    const kept = async () =>
      listedSnapshots
        .parse(JSON.parse((await product.run(['snapshots', 'portal', '--json'])).stdout))
        .hosts.flatMap(({ host, snapshots }) =>
          snapshots.filter((each) => each.run === run).map((each) => ({ host, ...each })),
        );
    const all = await kept();
    expect(all.map(({ host, source }) => `${host}:${source}`).sort()).toEqual([
      'app-1:conf',
      'app-1:data',
      'app-2:data',
    ]);
    expect(all.every(({ safety, leftover }) => safety === true && !leftover)).toBe(true);
    const day = 24 * 3_600_000;
    for (const { keepUntilMs = 0 } of all) expect(Math.abs(keepUntilMs - Date.now() - 7 * day)).toBeLessThan(600_000);
    ({ id } = await product.backup());
    expect(await kept()).toHaveLength(3);
    const top = '/run/resurgo/btrfs/*/.resurgo/portal';
    const freeze = (source: string) =>
      all.find((each) => each.host === 'app-1' && each.source === source)?.freeze ?? -1;
    expect(
      await on('app-1', `cat ${top}/${run}.${freeze('conf')}/conf/extra ${top}/${run}.${freeze('data')}/data/junk/y`),
    ).toBe('extra\nx\n');
    expect(await on('app-2', 'cat /run/resurgo/zfs/*/data+0/extra /run/resurgo/zfs/*/data+1/extra')).toBe(
      'extra\nextra\n',
    );
    await product.run(['doctor', 'portal', '--fix']);
    expect(await kept()).toHaveLength(3);
    await product.run(['snapshots', 'portal', '--drop', run]);
    expect(await kept()).toEqual([]);
    expect((await product.run(['snapshots', 'portal', '--drop', run], { allow: [1] })).stderr).toMatch(
      /no safety snapshot/,
    );
  });

  test('a plan that is no longer the one that was approved is refused', async () => {
    await on('app-1', 'echo changed >/srv/conf/one');
    const args = ['restore', 'latest', 'portal', '--host', 'app-1', '--source', 'conf'];
    const { events } = await product.run([...args, '--plan-only', '--json']);
    const { hash } = z.looseObject({ hash: z.string() }).parse(events.find(({ type }) => type === 'ended'));
    await on('app-1', 'echo more >/srv/conf/more');
    const refused = await product.run([...args, '--approve', hash], { allow: [1] });
    expect(refused.stderr).toMatch(/the plan is another one now.*Nothing was changed/s);
    expect(await on('app-1', 'cat /srv/conf/one /srv/conf/more')).toBe('changed\nmore\n');
    await on('app-1', 'rm /srv/conf/more');
    await product.run([...args, '--approve', hash]);
    await same([['app-1', '/srv/conf']]);
    // Only the host of the source was stopped.
    expect((await writer('app-2')).started).toBeLessThan((await writer('app-1')).started);
  });

  test('one file, and one folder, in place: nothing beside them is touched', async () => {
    await on(
      'app-1',
      'cd /srv/data && echo changed >d/l1 && rm big && echo junk >d/e/junk && echo mine >beside && rm -r d/e/f && printf X >"a b"',
    );
    await restore(['latest', 'portal', '--host', 'app-1', '--path', '/srv/data/big']);
    const at = (await tree('app-1', '/srv/data')).split('\n');
    const line = (text: string, name: string) => text.split('\n').find((each) => each.startsWith(`./${name} `));
    const was = before.get('app-1 /srv/data') ?? '';
    expect(at.find((each) => each.startsWith('./big '))).toBe(line(was, 'big'));
    expect(await on('app-1', 'cd /srv/data && cat d/e/junk beside "a b"')).toBe('junk\nmine\nX');
    const { plan: folder } = await restore(['latest', 'portal', '--host', 'app-1', '--path', '/srv/data/d']);
    expect(folder.items.map(({ deletions }) => deletions)).toEqual([1]);
    expect(await on('app-1', 'cd /srv/data && cat beside "a b"; ls d/e/junk 2>&1 || :')).toMatch(
      /^mine\nX.*No such file/s,
    );
    const now = await tree('app-1', '/srv/data');
    // `d/one` and `z three` are one file: of a part, its other names are not there to be linked with.
    for (const name of ['d/l1', 'd/l2', 'd/e', 'd/e/f', 'd/e/file7', 'd'])
      expect(line(now, name)).toBe(line(was, name));
  });

  test('S23 into a folder: whole, a folder and a file; nothing is stopped, and a folder that the host does not allow is refused', async () => {
    const since = [await writer('app-1'), await writer('app-2')];
    const { plan: whole } = await restore(['latest', 'portal', '--to', '/var/restore/all']);
    expect(whole.stops).toEqual([]);
    expect(await tree('app-1', `/var/restore/all/${CONF}`)).toBe(before.get('app-1 /srv/conf'));
    expect(await tree('app-2', `/var/restore/all/${TWO}`)).toBe(before.get('app-2 /tank/data'));
    await restore(['latest', 'portal', '--host', 'app-1', '--path', '/srv/data/d', '--to', 'app-1:/var/restore/part']);
    await restore([
      'latest',
      'portal',
      '--host',
      'app-1',
      '--path',
      '/srv/data/d/e/file9',
      '--to',
      'app-1:/var/restore/part',
    ]);
    const part = `/var/restore/part/${ONE}`;
    expect(await on('app-1', `cd ${part} && cmp d/e/file9 /srv/data/d/e/file9 && find . -maxdepth 1 | sort`)).toBe(
      '.\n./d\n',
    );
    expect(await tree('app-1', `${part}/d`)).toBe(await tree('app-1', '/srv/data/d'));
    expect([await writer('app-1'), await writer('app-2')]).toEqual(since);
    for (const folder of ['/etc/resurgo', '/var/elsewhere']) {
      const refused = await product.run(
        ['restore', 'latest', 'portal', '--to', `app-1:${folder}`, '--host', 'app-1', '--plan-only'],
        { allow: [1] },
      );
      expect(refused.stdout).toMatch(/NOT POSSIBLE: .*this host allows no restore into/);
    }
    expect(await on('app-1', 'ls -d /etc/resurgo/app-1* /var/elsewhere 2>/dev/null | wc -l')).toBe('0\n');
  });

  test('a path that the backup does not hold is said at once, and holds nothing', async () => {
    const only = ['restore', 'latest', 'portal', '--host', 'app-1', '--plan-only', '--path'];
    expect((await product.run([...only, '/srv/data/dd'], { allow: [1] })).stderr).toMatch(/holds no dd in/);
    expect((await product.run([...only, '/srv/data/d'])).stdout).toMatch(/carry it out/);
  });

  test('S22 nothing is restored through a link that lies in the place', async () => {
    await on('app-1', 'mkdir /srv/aside && cd /srv/data && mv d /srv/aside/d && ln -s /etc d');
    const said = await product.run(
      ['restore', 'latest', 'portal', '--host', 'app-1', '--path', '/srv/data/d/e', '--json'],
      { allow: [1] },
    );
    expect(said.stdout + said.stderr).toMatch(/symbolic link/);
    expect(await on('app-1', 'ls -d /etc/e 2>/dev/null | wc -l')).toBe('0\n');
    await on('app-1', 'cd /srv/data && rm d && mv /srv/aside/d d && rmdir /srv/aside');
  });

  test('a disk that is not mounted, or is another one, is refused before anything is stopped or written', async () => {
    const only = ['latest', 'portal', '--host', 'app-1', '--source', 'conf'];
    const since = (await writer('app-1')).started;
    const planned = await plan(only);
    await on('app-1', 'mount -t tmpfs none /srv/conf');
    expect((await approve(planned, [1])).stderr).toMatch(
      /is not what the plan was made for.*tmpfs, not on btrfs.*Nothing was changed/s,
    );
    expect((await product.run(['restore', ...only, '--plan-only'], { allow: [1] })).stdout).toMatch(
      /NOT POSSIBLE: .*lies on tmpfs, not on btrfs/,
    );
    await on(
      'app-1',
      'ls -A /srv/conf | wc -l >/tmp/left; umount /srv/conf; truncate -s 200M /root/disk; mkfs.btrfs -q /root/disk; mount -o loop /root/disk /srv/conf',
    );
    expect((await product.run(['restore', ...only, '--plan-only'], { allow: [1] })).stdout).toMatch(
      /NOT POSSIBLE: .*another file system .*--new-disk/,
    );
    expect(await on('app-1', 'cat /tmp/left; ls -A /srv/conf | wc -l')).toBe('0\n0\n');
    expect((await writer('app-1')).started).toBe(since);
    await restore([...only, '--new-disk']);
    await same([['app-1', '/srv/conf']]);
    await on(
      'app-1',
      'umount /run/resurgo/btrfs/$(blkid -o value -s UUID /root/disk); umount /srv/conf; rm /root/disk',
    );
  });

  test('what was written there after the plan was made is not deleted by its approval', async () => {
    const since = (await writer('app-1')).started;
    const planned = await plan(['latest', 'portal', '--host', 'app-1', '--source', 'conf']);
    await on(
      'app-1',
      'touch -r /srv/conf /tmp/time && mkdir /srv/conf/late && cd /srv/conf/late && seq 200 | xargs touch',
    );
    expect((await approve(planned, [1])).stderr).toMatch(
      /201 entries would be deleted there now, and 0 when it was made.*Nothing was changed/s,
    );
    expect(
      await on('app-1', 'cd /srv/conf/late && ls | wc -l; rm -r /srv/conf/late; touch -r /tmp/time /srv/conf'),
    ).toBe('200\n');
    expect((await writer('app-1')).started).toBe(since);
  });

  test('S20 what is mounted there after the plan was made is not emptied, nor by the next one; what only content tells comes back by content', async () => {
    const only = ['latest', 'portal', '--host', 'app-1', '--source', 'conf'];
    const since = (await writer('app-1')).started;
    const planned = await plan(only);
    await on(
      'app-1',
      'mkdir -p /srv/conf/new/late && mount -t tmpfs none /srv/conf/new/late && echo x >/srv/conf/new/late/x',
    );
    expect((await approve(planned, [1])).stderr).toMatch(/new\/late is mounted in it now.*Nothing was changed/s);
    expect((await writer('app-1')).started).toBe(since);
    expect((await approve(await plan(only))).stdout).toMatch(
      /by size, time and attributes.*warning: app-1:conf: kept: new, because it holds what is excluded or mounted/s,
    );
    expect(await on('app-1', 'cat /srv/conf/new/late/x; umount /srv/conf/new/late')).toBe('x\n');
    const zeros = 'cd /srv/conf && cp -p one /tmp/one && tr "\\0-\\377" "\\0" </tmp/one >one && touch -r /tmp/one one';
    await on('app-1', zeros);
    expect((await approve(await plan([...only, '--checksum']))).stdout).toMatch(/compared with the backup by content/);
    await same([['app-1', '/srv/conf']]);
    await on('app-1', `touch -r /srv/conf /tmp/time; ${zeros}`);
    const file = [...only, '--path', '/srv/conf/one'];
    expect((await approve(await plan(file))).stdout).toMatch(/by content.*app-1:conf\/one +1 file\b/s);
    // Of a single file's folder nothing is restored, its time neither.
    await on('app-1', 'touch -r /tmp/time /srv/conf');
    await same([['app-1', '/srv/conf']]);
  });

  test('a container that is unhealthy on what came back, and a health command that fails, are told, and are no success', async () => {
    await on('app-1', 'touch /srv/probe/sick');
    await on('app-2', 'chmod -x /usr/local/bin/writes');
    const ended = await approve(await plan(['latest', 'portal', '--path', '/', '--source', 'data']), [1]);
    expect(ended.stderr).toMatch(/the data is back and verified, but .*app-1: container writer is unhealthy/s);
    expect(ended.stderr).toMatch(/app-2: writes ended with exit 126/);
    expect(ended.stderr).toMatch(/Hosts now: app-2 running again, app-1 running again/);
    await on('app-1', 'rm /srv/probe/sick');
    await on('app-2', 'chmod +x /usr/local/bin/writes');
    await same();
  });

  test('S21 an abort half-way tells the state of each host, nothing starts on half of the data, and a second restore mends it', async () => {
    await on('app-2', 'rm -rf /tank/data/d; head -c 3M /dev/urandom >/tank/data/big');
    const planned = await plan(['latest', 'portal']);
    await product.fleet.limitRate('app-2', 1_000);
    await product.run(['approve', planned.run, planned.hash.slice(0, 12)]);
    await eventually('app-1 is done', async () => {
      const rows = await board(planned.run);
      return ['app-1:conf', 'app-1:data'].every((each) => rows.includes(`restore ${each} done`));
    });
    await product.run(['cancel', planned.run]);
    const { stderr } = await product.ended(planned.run, [1]);
    await product.fleet.limitRate('app-2', 0);
    expect(stderr).toMatch(/Hosts now: app-2 partly restored, app-1 restored, stopped\. What is stopped stays stopped/);
    expect([await runsNow('app-1'), await runsNow('app-2')]).toEqual(['', '']);
    expect(await product.leftovers('portal')).toEqual([]);
    expect((await product.run(['start', 'portal'], { allow: [1] })).stdout).toMatch(/app-1 .*--as-it-is/);
    await restore(['latest', 'portal']);
    await same();
    for (const app of ['app-1', 'app-2']) expect(await runsNow(app)).toMatch(/^writer Up .*\(healthy\)/);
  });

  test('S19 a backup whose manifest was changed after it was signed is not restored', async () => {
    const manifest = `${STORED}/${id}/resurgo/manifest.json`;
    const setReadOnly = (readOnly: boolean) => `btrfs property set -ts ${STORED}/${id} ro ${String(readOnly)}`;
    await on(
      'target',
      `${setReadOnly(false)} && cp -p ${manifest} /tmp/manifest && sed -i 's/"bytes":[0-9]*/"bytes":7/' ${manifest} && ${setReadOnly(true)}`,
    );
    expect((await product.run(['restore', id, 'portal'], { allow: [1] })).stderr).toMatch(
      /changed after it was signed/,
    );
    await on('target', `${setReadOnly(false)} && cp -p /tmp/manifest ${manifest} && ${setReadOnly(true)}`);
    expect((await product.run(['restore', id, 'portal', '--plan-only'])).stdout).toMatch(/carry it out/);
  });

  test("into another runbook's fleet, by the name without its prefix", async () => {
    const other = path.join(product.stateDir, '..', 'staging.yaml');
    writeFileSync(other, staging(product.fleet));
    const own = readFileSync(product.runbookFile, 'utf8');
    product.writeRunbook(staging(product.fleet));
    await product.enroll();
    product.writeRunbook(own);
    const elsewhere = path.join(product.stateDir, '..', 'elsewhere.yaml');
    writeFileSync(elsewhere, staging(product.fleet).replace(/\bmain\b/g, 'offsite'));
    const refused = await product.run(['restore', 'latest', 'portal', '--into', elsewhere], { allow: [1] });
    expect(refused.stderr).toMatch(
      /the backup lies in store main on target.* has store offsite on target.*same target/s,
    );
    const { plan: made } = await restore(['latest', 'portal', '--into', other]);
    expect(JSON.stringify(made)).toMatch(
      /group portal has no host \\"app-2\\": that part of the backup is not restored/,
    );
    expect(await tree('staging-app-1', '/srv/elsewhere')).toBe(before.get('app-1 /srv/data'));
    expect(await on('staging-app-1', 'cat /srv/elsewhere/nested/file; ls -d /srv/elsewhere/cache 2>&1 || :')).toMatch(
      /^deep\n.*No such file/s,
    );
    await same([['app-1', '/srv/data']]);
  });
});
