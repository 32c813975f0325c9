/**
 * What goes wrong by bad luck or a slip of the hand, on real hosts: each time a clear word that names host, step and way out, nothing
 * half done, nothing left behind, and a good backup once it is mended.
 */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { describeLab } from './support/describe-lab';
import type { Fleet } from './support/fleet';
import {
  eventually,
  hostLines,
  type Product,
  type Question,
  raiseProduct,
  type Said,
  takeDown,
} from './support/product';

const RUNBOOK = (fleet: Fleet) => `version: 1
${hostLines(fleet)}
stores:
  main: { host: target, kind: hardlink, place: /backup }
groups:
  portal:
    sources:
      - { host: app-1, path: /srv/data, name: data, snapshot: btrfs }
      - { host: app-2, path: /tank/data, name: data, snapshot: zfs }
      - { host: target, path: /srv/own, name: own, snapshot: none }
    target: main
`;
jest.setTimeout(300_000);

const KEYS = '/var/lib/resurgo/home/.ssh/authorized_keys';

describeLab('bad luck', () => {
  let product: Product;
  const on = async (host: string, command: string) => (await product.fleet.exec(host, command)).stdout;
  const ids = async () => [...(await product.run(['list'])).stdout.matchAll(/^\d{8}_\d{6}/gm)].map(([id]) => id);

  beforeAll(async () => {
    product = await raiseProduct({
      name: 'unhappy',
      hosts: [
        { name: 'app-1', disk: 'btrfs', docker: true },
        { name: 'app-2', disk: 'ext4', docker: false, zfs: true },
        { name: 'target', disk: 'ext4', docker: false, store: 'ext4', storeSize: '400M' },
      ],
      runbook: RUNBOOK,
      prepare: async (fleet) => {
        // Only a target needs it: it checks signatures.
        for (const app of ['app-1', 'app-2']) await fleet.exec(app, 'rm /usr/bin/openssl');
        await Promise.all([
          fleet.exec('app-1', 'btrfs -q subvolume create /srv/data && head -c 100000 /dev/urandom >/srv/data/file'),
          fleet.exec('app-2', 'zfs create tank/data && head -c 100000 /dev/urandom >/tank/data/file'),
          fleet.exec('target', 'mkdir /srv/own && echo mine >/srv/own/file'),
        ]);
        await fleet.exec(
          'app-1',
          "docker run -d --name writer -v /srv/data:/data bb:1 sh -c 'while :; do date >>/data/log; sleep 0.2; done'",
        );
      },
    });
  }, 400_000);
  // One that fails must not be the next one's trouble.
  afterEach(async () => {
    await on('target', 'rm -f /backup/ballast');
    await product.fleet.limitRate('app-1', 0);
  });
  afterAll(() => takeDown(product), 120_000);

  /** A backup that can't be, as the operator sees it: the exit code and what is said, with every host and the store as before. */
  async function refused(code: 1 | 3): Promise<string> {
    const before = await ids();
    const said = await product.run(['backup'], { allow: [1, 3] });
    expect({ code: said.code, said: said.stderr }).toEqual({ code, said: expect.any(String) as string });
    expect(await ids()).toEqual(before);
    return said.stderr;
  }

  /** Nothing of any run is left anywhere, and the containers run. */
  async function expectClean(): Promise<void> {
    expect(await product.leftovers('portal')).toEqual([]);
    expect(await on('app-1', 'docker ps --format "{{.Names}} {{.Status}}"')).toMatch(/^writer Up (?!.*Paused)/);
    expect(await on('app-1', 'ls -A /srv/data /srv')).not.toMatch(/\.resurgo/);
    expect(await on('app-2', 'zfs list -H -t all -o name')).not.toMatch(/@|resurgo/);
    expect(
      await on('target', `grep -c RESURGO_GRANT ${KEYS} || :; ls /backup/portal/backups | grep -v '^[0-9_]*$' || :`),
    ).toBe('0\n');
  }

  /** The next backup is a whole one. */
  async function expectGood(): Promise<string> {
    await expectClean();
    const { id, state } = await product.backup();
    expect(state).toBe('Completed');
    await expectClean();
    return id;
  }

  /** The run's id in what was said. */
  const runIn = (said: string): string => /resurgo \w+ (r\d{8}t\d{6}z-\w+)/.exec(said)?.[1] ?? '';
  const answer = (decision: string, said: string): Promise<Said> => product.run([decision, runIn(said)]);

  test('an empty store, and an id that is not there: what there is instead, exit 1', async () => {
    expect((await product.run(['list'])).stdout).toMatch(
      /no backup of portal yet; make one with: resurgo backup portal/,
    );
    for (const args of [
      ['show', 'latest'],
      ['restore', 'latest', '--plan-only'],
      ['diff', 'latest', 'latest'],
      ['find', '/srv/data/file', '--backup', 'latest'],
    ])
      expect((await product.run(args, { allow: [1] })).stderr).toMatch(
        /portal has no whole backup\. See `resurgo list portal`/,
      );
    const id = await expectGood();
    for (const args of [
      ['show', '20200101_000000'],
      ['restore', '20200101_000000'],
      ['diff', '20200101_000000', id],
    ])
      expect((await product.run(args, { allow: [1] })).stderr).toMatch(
        `portal has no backup 20200101_000000; the newest are ${id}. See \`resurgo list portal\``,
      );
    expect((await product.run(['find', '/srv/data/nowhere'], { allow: [1] })).stderr).toMatch(
      /no backup of portal holds \/srv\/data\/nowhere/,
    );
    await expectClean();
  });

  test('an unreachable host: the run waits, and goes on when the host is back', async () => {
    // Connections that stand would take their keepalive's time to be seen as dead.
    await product.run(['engine', 'stop']);
    await product.fleet.cut('app-2', 'director');
    let said = '';
    try {
      said = await refused(3);
      expect(said).toMatch(
        /waits for you at step "reach hosts": app-2 can't be reached: .*no ssh login within .* Next: check that the host is up/s,
      );
    } finally {
      await product.fleet.heal('app-2', 'director');
    }
    await answer('retry', said);
    await product.ended(runIn(said));
    await expectClean();
  });

  test('a source that gets no answer from its target: told by doctor, and before anything is frozen for it', async () => {
    await product.fleet.cut('app-2', 'target');
    let said = '';
    try {
      const doctor = await product.run(['doctor'], { allow: [1] });
      expect(doctor.stdout).toMatch(/app-2.*its data can not go to target: app-2 gets no answer of ssh at/s);
      said = await refused(3);
      expect(said).toMatch(
        /waits for you at step "reach hosts": app-2 can't be reached: .*its data can not go to target/s,
      );
    } finally {
      await product.fleet.heal('app-2', 'target');
    }
    await answer('retry', said);
    await product.ended(runIn(said));
    await expectClean();
  });

  test('S28 a changed host key: refused with both fingerprints, whoever shows it', async () => {
    const key = '/etc/ssh/ssh_host_ed25519_key';
    await product.run(['engine', 'stop']);
    await on(
      'app-2',
      `mv ${key} /root/kept && mv ${key}.pub /root/kept.pub && ssh-keygen -q -t ed25519 -N '' -f ${key} && service ssh restart`,
    );
    expect(await refused(1)).toMatch(
      /app-2: .*it shows ssh-ed25519 SHA256:\S+, pinned is SHA256:.*another machine.*resurgo enroll app-2 --accept-host-key/s,
    );
    await on('app-2', `mv /root/kept ${key} && mv /root/kept.pub ${key}.pub && service ssh restart`);
    await expectGood();
  });

  test("a host that does not take the director's key, or has no sudo for it: how to give both back", async () => {
    await product.run(['engine', 'stop']);
    await on('app-1', `: >${KEYS}`);
    expect(await refused(1)).toMatch(/app-1: .*login as resurgo was refused.*run `resurgo enroll app-1 --update`/s);
    await product.enroll(['app-1']);
    await on('app-1', 'mv /etc/sudoers.d/resurgo /root/');
    expect(await refused(1)).toMatch(
      /app-1: .*\[sudo-refused\] Next: the sudoers rule is missing.*run `resurgo enroll app-1 --update`/s,
    );
    await product.enroll(['app-1']);
    await expectGood();
  });

  test('S14 a dataset that is missing or a path that is gone: nothing is frozen', async () => {
    const late = '      - { host: app-2, path: /tank/late, name: late, snapshot: zfs }\n';
    product.writeRunbook(RUNBOOK(product.fleet).replace('    target: main\n', `${late}    target: main\n`));
    await product.enroll(['app-2', 'target']);
    await on('app-1', 'mv /srv/data /srv/aside');
    const said = await refused(1);
    expect(said).toMatch(/app-1: .*\/srv\/data is not a folder here: mount it or correct the runbook/);
    expect(said).toMatch(/app-2: .*\/tank\/late is not a folder here: mount it or correct the runbook/);
    expect(said).toMatch(/`resurgo doctor portal` says how to mend each/);
    await on('app-2', 'zfs create tank/late && echo late >/tank/late/file');
    await on('app-1', 'mv /srv/aside /srv/data');
    await expectGood();
  });

  test('a clock that is wrong: which host, by how much, and nothing is frozen', async () => {
    // What the hostkit asks for the time; the kernel's own clock is the machine's, and not the host's to set.
    const ahead = '#!/bin/sh\nexec /bin/date -d "+300 seconds" "$@"\n';
    await product.fleet.exec('app-2', 'cat >/usr/local/sbin/date && chmod +x /usr/local/sbin/date', { input: ahead });
    const said = await refused(1);
    await on('app-2', 'rm /usr/local/sbin/date');
    expect(said).toMatch(/app-2: its clock is (29\d|30\d)\.\d s ahead of the director's/);
    await expectGood();
  });

  test('a store that is full at the start and in the middle of the copy: the run waits and goes on', async () => {
    const leave = (mib: number) =>
      on(
        'target',
        `rm -f /backup/ballast; free=$(df -m --output=avail /backup | tail -n 1); fallocate -l $((free - ${mib}))M /backup/ballast`,
      );
    await on('app-1', 'head -c 80000000 /dev/urandom >/srv/data/large');
    await leave(5);
    const said = await refused(3);
    expect(said).toMatch(
      /waits for you at step "open store": target: .*store 'main' has \d+ bytes free and keeps \d+ in reserve.*prune/s,
    );
    const run = runIn(said);
    const before = await ids();
    await leave(40);
    await product.run(['retry', run]);
    // Down to its reserve it takes no other source's data either: whoever still copies waits as well.
    const first = await product.question(run, 200_000);
    expect(`${first.step}: ${first.message}`).toMatch(
      /^copy .*the receiving host \S+ has no space left where the data goes.*prune the store/s,
    );
    expect(await ids()).toEqual(before);
    await on('target', 'rm /backup/ballast');
    for (let asked: Question | undefined = first; asked !== undefined; asked = await product.settled(run, 200_000))
      await product.run(['retry', run, asked.step]);
    await product.ended(run);
    expect(await ids()).toHaveLength(before.length + 1);
    await on('app-1', 'rm /srv/data/large');
    await expectClean();
  });

  test('a corrupt manifest: shown as unusable, never restored, never the base of anything', async () => {
    const before = await ids();
    const bad = before.at(-1) ?? '';
    const good = before.at(-2) ?? '';
    await on('target', `printf '{"id":"${bad}"' >/backup/portal/backups/${bad}/resurgo/manifest.json`);
    expect((await product.run(['list'])).stdout).toMatch(
      new RegExp(`^${bad} +UNUSABLE .*its manifest is damaged`, 'm'),
    );
    for (const args of [
      ['show', bad],
      ['restore', bad],
      ['diff', good, bad],
    ]) {
      const { stdout, stderr } = await product.run(args, { allow: [1] });
      expect(stdout + stderr).toMatch(/its manifest is damaged/);
    }
    expect((await product.run(['show', 'latest'])).stdout).toContain(good);
    await on('target', `rm /backup/portal/backups/${bad}/resurgo/manifest.json`);
    expect((await product.run(['list'])).stdout).toMatch(
      new RegExp(`^${bad} +UNUSABLE .*its manifest is missing`, 'm'),
    );
    await expectGood();
  });

  test('a target that is its own source: outside its store it is one, inside it is refused, by a link too', async () => {
    const text = readFileSync(product.runbookFile, 'utf8');
    writeFileSync(product.runbookFile, text.replace('path: /srv/own', 'path: /backup/portal'));
    const said = await product.run(['backup'], { allow: [2] });
    expect(said.stderr).toMatch(
      /resurgo\.yaml:\d+:\d+: .*overlaps its own store \("\/backup"\): a backup would copy itself/,
    );
    writeFileSync(product.runbookFile, text);
    await on('target', 'mv /srv/own /srv/aside && ln -s /backup /srv/own');
    expect(await refused(1)).toMatch(
      /target: .*\/srv\/own leads to \/backup, into store main: a backup would copy itself/,
    );
    await on('target', 'rm /srv/own && mv /srv/aside /srv/own');
    await expectGood();
  });

  test('an engine that can not be reached: said within seconds, with the address; the store is read without it', async () => {
    const env = { TEMPORAL_ADDRESS: '127.0.0.1:9' };
    const said = await product.run(['backup'], { env, allow: [1] });
    expect(said.stderr).toMatch(/127\.0\.0\.1:9: reaching the Temporal server: no answer/);
    expect((await product.run(['list'], { env })).stdout).toMatch(/^\d{8}_\d{6} +Completed/m);
    await expectGood();
  });

  test('S4 two directors at once: the second is told who holds the group, and the first goes on', async () => {
    const other = secondDirector('second');
    const run = await slowRun();
    const said = await other.run(['backup'], { allow: [1] });
    expect(said.stderr).toMatch(
      new RegExp(
        `Failed: group portal is held by run ${run} of director-\\w+/${run}; wait for it, or end it where it was started`,
      ),
    );
    expect((await other.run(['prune', '--yes'], { allow: [0, 1] })).stderr).not.toMatch(/removed/);
    await product.fleet.limitRate('app-1', 0);
    await product.ended(run);
    await expectClean();
  });

  test('S4 a director that died in the middle: once its lease has run out, another takes the group over and the first is shut out', async () => {
    const other = secondDirector('third');
    const run = await slowRun();
    await product.run(['engine', 'stop']);
    // An hour later: the lease has run out, on a clock that the test does not wait for.
    for (const { name } of product.fleet.hosts)
      await on(name, "sed -i -E 's/^(\\S+ \\S+ \\S+ \\S+) \\S+/\\1 1/' /var/lib/resurgo/leases/portal");
    await product.fleet.limitRate('app-1', 0);
    const taken = await other.backup();
    expect(taken.state).toBe('Completed');
    await product.run(['engine', 'start']);
    const said = await product.ended(run, [1]);
    expect(said.stderr).toMatch(/superseded by term \d+ of run \S+; this run has lost its lease/);
    expect((await ids()).at(-1)).toBe(taken.id);
    // What it left of its own files is no longer its to remove.
    expect(said.stderr).toMatch(/`resurgo doctor --fix` removes what is left/);
    await product.run(['doctor', 'portal', '--fix'], { allow: [0, 1] });
    await expectGood();
  });

  test('S8 sources that left the configuration in the middle of a run leave no snapshot behind', async () => {
    const run = await slowRun();
    for (const app of ['app-1', 'app-2']) await on(app, "sed -i '/^source portal /d' /etc/resurgo/host.conf");
    await product.run(['cancel', run]);
    await product.ended(run, [1]);
    await product.fleet.limitRate('app-1', 0);
    await expectClean();
    await product.enroll(['app-1', 'app-2']);
    await expectGood();
  });

  /** The same director's keys on another machine, with an engine of its own. */
  function secondDirector(name: string) {
    const stateDir = path.join(path.dirname(product.stateDir), name);
    for (const part of ['keys', 'known_hosts'])
      cpSync(path.join(product.stateDir, part), path.join(stateDir, part), { recursive: true });
    return product.other(name, stateDir);
  }

  /** A run in the middle of a copy, which takes until the rate's limit is lifted. */
  async function slowRun(): Promise<string> {
    await on('app-1', 'head -c 20000000 /dev/urandom >/srv/data/slow');
    await product.fleet.limitRate('app-1', 2_000);
    const run = await product.detached(['backup']);
    const look = `ls -d /var/lib/resurgo/jobs/${run}.send.*`;
    await eventually(
      'a copy begins',
      async () => (await product.fleet.exec('app-1', look, { mayFail: true })).code === 0,
      60_000,
    );
    return run;
  }
});
