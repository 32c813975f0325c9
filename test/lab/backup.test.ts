/** Backup from end to end: real hosts, containers, file systems and engine, driven by the command line. */
import { readdirSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { z } from 'zod';
import { facts } from './support/awkward';
import { describeLab } from './support/describe-lab';
import { type BackupEnd, type Product, takeDown } from './support/product';
import { BACKUPS, ONE, raisePortal, TWO } from './support/product-portal';

const entry = z.looseObject({
  id: z.string(),
  manifest: z.looseObject({
    state: z.string(),
    label: z.string(),
    sources: z.array(z.looseObject({ tree: z.string() })),
  }),
});
const logged = z.looseObject({
  run: z.string(),
  host: z.string(),
  step: z.string(),
  msg: z.string(),
  activity: z.string().optional(),
  durationMs: z.number().optional(),
});
const listed = z.looseObject({ incomplete: z.string().nullable(), backups: z.array(entry) });

describeLab('backup from end to end', () => {
  let product: Product;
  let first: BackupEnd;
  let second: BackupEnd;
  const on = async (host: string, command: string) => (await product.fleet.exec(host, command)).stdout;
  const list = async () => listed.parse(JSON.parse((await product.run(['list', '--json'])).stdout));
  const sent = (end: BackupEnd, tree: string) => end.sources.find((each) => each.tree === tree)?.sentBytes ?? -1;

  beforeAll(async () => {
    product = await raisePortal('backup');
  }, 400_000);
  afterAll(() => takeDown(product), 120_000);

  test('S7 a whole group is backed up at one instant while its containers write', async () => {
    first = await product.backup();
    expect(first).toMatchObject({ state: 'Completed', label: 'filesystem' });
    expect(first.pauseMs).toBeGreaterThan(0);
    expect(first.sources.map(({ tree, state }) => `${tree} ${state}`).sort()).toEqual([`${ONE} ok`, `${TWO} ok`]);
    expect(await product.leftovers('portal')).toEqual([]);
    for (const app of ['app-1', 'app-2']) {
      expect(await on(app, 'docker ps --format "{{.Names}} {{.Status}}"')).toMatch(/^writer Up (?!.*Paused)/);
      expect(await on(app, 'ls -A /srv/.resurgo/portal 2>/dev/null; zfs list -H -t snapshot 2>/dev/null || :')).toBe(
        '',
      );
    }
  });

  test('the log of a run tells each step with run, host and step on every line, and how long it took', () => {
    const folder = path.join(product.stateDir, 'logs', 'runs');
    const [name = ''] = readdirSync(folder);
    const text = readFileSync(path.join(folder, name), 'utf8');
    const lines = text
      .trim()
      .split('\n')
      .map((line) => logged.parse(JSON.parse(line)));
    expect(new Set(lines.map(({ run }) => `${run}.log`))).toEqual(new Set([name]));
    for (const step of ['lease', 'checks', 'freeze', 'seal'])
      expect(lines).toContainEqual(
        expect.objectContaining({ step, state: 'done', durationMs: expect.any(Number) as number }),
      );
    for (const host of ['app-1', 'app-2']) {
      const copied = lines.filter((line) => line.activity === 'copySource' && line.host === host);
      expect(copied.map(({ msg }) => msg)).toEqual(['copySource begins', 'copySource ends']);
      expect(copied[1]?.durationMs).toBeGreaterThan(0);
    }
    expect(text).not.toMatch(/PRIVATE KEY|ssh-ed25519 /);
  });

  test('S9 S13 what lies in the store is what lies at the sources, subvolumes and child datasets with it', async () => {
    const inStore = (tree: string) => facts(product.fleet, 'target', `${BACKUPS}/${first.id}/${tree}`);
    expect(await inStore(ONE)).toBe(await facts(product.fleet, 'app-1', '/srv/data'));
    expect(await inStore(TWO)).toBe(await facts(product.fleet, 'app-2', '/tank/data'));
    const deep = `cd ${BACKUPS}/${first.id} && cat ${ONE}/nested/file ${TWO}/child/file && ls ${ONE}/cache 2>&1`;
    expect((await product.fleet.exec('target', deep, { mayFail: true })).stdout).toMatch(
      /^deep\ndeep\n.*(No such file|^$)/s,
    );
  });

  test('list and show read the store while the engine is stopped', async () => {
    await product.run(['engine', 'stop']);
    const { incomplete, backups } = await list();
    expect(incomplete).toBeNull();
    expect(backups.map(({ id }) => id)).toEqual([first.id]);
    const shown = entry.parse(JSON.parse((await product.run(['show', 'latest', '--json'])).stdout));
    expect(shown.manifest).toMatchObject({ state: 'Completed', label: 'filesystem' });
    expect((await product.run(['engine', 'status'], { allow: [0, 1] })).code).toBe(1);
  });

  test('S10 S11 S15 changes that a copy overlooks arrive, and little else is sent', async () => {
    const pair = 'cd /srv/data/pair && printf BBBB >same && touch -d "2020-01-01 00:00:00.2" same';
    await on(
      'app-1',
      `${pair} && cp --reflink=never -p a cut && printf changed | dd of=cut bs=1 conv=notrunc status=none && mv cut a`,
    );
    const current = `/backup/portal/current/${ONE}`;
    await on(
      'target',
      `cp -p ${current}/big /tmp/stamp && dd if=/dev/zero of=${current}/big bs=1 count=9 conv=notrunc status=none && touch -r /tmp/stamp ${current}/big`,
    );
    second = await product.backup();
    expect(second.state).toBe('Completed');
    expect(await facts(product.fleet, 'target', `${BACKUPS}/${second.id}/${ONE}`)).toBe(
      await facts(product.fleet, 'app-1', '/srv/data'),
    );
    expect(
      await on(
        'target',
        `cd ${BACKUPS}/${second.id}/${ONE}/pair && cat same && head -c 7 a && cmp -s a b || echo ' and not b'`,
      ),
    ).toBe('BBBBchanged and not b\n');
    expect(sent(first, ONE)).toBeGreaterThan(3_000_000);
    expect(sent(second, ONE)).toBeLessThan(300_000);
    expect(sent(second, TWO)).toBeLessThan(300_000);
    expect(await on('target', `cat ${BACKUPS}/${first.id}/${ONE}/pair/same`)).toBe('AAAA');
  });

  test('S18 a host that can not be reached makes a partial backup, which is never the latest', async () => {
    // Connections that stand would take their keepalive's time to be seen as dead.
    await product.run(['engine', 'stop']);
    await product.fleet.cut('app-2', 'director');
    try {
      const { code, events } = await product.run(['backup', '--json'], { allow: [3] });
      expect(code).toBe(3);
      expect(events.find(({ type }) => type === 'ended')).toMatchObject({ state: 'Partial' });
    } finally {
      await product.fleet.heal('app-2', 'director');
    }
    const { backups } = await list();
    expect(backups.map(({ manifest }) => manifest.state)).toEqual(['Completed', 'Completed', 'Partial']);
    expect(entry.parse(JSON.parse((await product.run(['show', 'latest', '--json'])).stdout)).id).toBe(second.id);
    expect(await product.leftovers('portal')).toEqual([]);
  });

  test('S14 an emptied source stops at the gate, and nothing is sealed when a person says no', async () => {
    await on(
      'app-1',
      'mkdir /srv/aside && mv /srv/data/big /srv/data/pair /srv/data/d /srv/data/[a-z]* /srv/aside/ 2>/dev/null || :',
    );
    const run = await product.detached(['backup']);
    const question = await product.question(run);
    expect(question.message).toMatch(/app-1/);
    expect(question.allowed).toEqual(['skip', 'abort']);
    await product.run(['abort', run, '--reason', 'it was emptied']);
    expect((await product.run(['watch', run], { allow: [1] })).stderr).toMatch(/aborted by/);
    expect((await list()).backups).toHaveLength(3);
    expect(await product.leftovers('portal')).toEqual([]);
  });
});
