/** The verbs that read stores and act by hand, over a fleet in memory and with no engine. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { patternWithin } from '../../cli/commands/find';
import { adoptSigner } from '../../hosts/adopted-signers';
import { ensureDirectorKeys } from '../../hosts/director-keys';
import { HostError } from '../../hosts/errors';
import { FakeHosts } from '../../hosts/fake';
import type { FakeCall } from '../../hosts/fake';
import { SshHosts } from '../../hosts/ssh-hosts';
import { backupId } from '../../planning/ids';
import { fleetRunbook } from './support/fleet-runbook';
import { resurgo } from './support/run';
import { entry, publicKeyHex } from './support/stored';

let folder: string;
let calls: FakeCall[];
let intercept: (call: FakeCall) => Record<string, unknown> | undefined;
let fleet: ListedHosts;
const state = process.env.RESURGO_STATE;

/** A fleet whose listings are written by the test: `ID/TREE` → lines. */
class ListedHosts extends FakeHosts {
  readonly listings = new Map<string, string[]>();

  override listing({ id, tree }: { id: string; tree: string }): Promise<Readable> {
    const lines = this.listings.get(`${id}/${tree}`) ?? [line('.', 'd')];
    return Promise.resolve(Readable.from([gzipSync(['resurgo-listing 1', ...lines, 'xattrs', ''].join('\n'))]));
  }

  override close(): Promise<void> {
    return Promise.resolve();
  }
}

function line(path: string, type = 'f', size = 5): string {
  return [type, '0644', 0, 0, type === 'f' ? size : '-', '1800000000.000000000', '-', '-', '-', path].join('\t');
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'resurgo-cli-'));
  process.env.RESURGO_STATE = join(folder, 'state');
  await ensureDirectorKeys({ stateDir: join(folder, 'state') });
  await adoptSigner({ stateDir: join(folder, 'state'), publicKeyHex, by: 'test', now: new Date(0) });
  writeFileSync(join(folder, 'fleet.yaml'), fleetRunbook(2));
  calls = [];
  intercept = () => undefined;
  fleet = new ListedHosts({
    latencyMs: 0,
    intercept: (call) => {
      calls.push(call);
      return intercept(call);
    },
  });
  jest.spyOn(SshHosts, 'open').mockResolvedValue(fleet as unknown as SshHosts);
});
afterEach(() => {
  jest.restoreAllMocks();
  if (state === undefined) delete process.env.RESURGO_STATE;
  else process.env.RESURGO_STATE = state;
  rmSync(folder, { recursive: true, force: true });
});

const run = (...args: string[]) => resurgo('-r', join(folder, 'fleet.yaml'), ...args);
const store = (...entries: ReturnType<typeof entry>[]) => fleet.host('target').backups.push(...entries);
const ago = (hours: number) => backupId({ frozenAtMs: Date.now() - hours * 3_600_000 });
const verbs = (verb: string) => calls.filter((each) => each.verb === verb);

describe('find', () => {
  test('S29 shows size and time per backup, newest first, with hostile names escaped', async () => {
    store(entry({ id: '20260101_010000' }), entry({ id: '20260102_010000' }));
    const tree = 'app-1@+srv+data';
    fleet.listings.set(`20260101_010000/${tree}`, [
      line('.', 'd'),
      line('a%1B[31m', 'f', 7),
      line('d', 'd'),
      line('d/x'),
    ]);
    fleet.listings.set(`20260102_010000/${tree}`, [line('.', 'd'), line('d', 'd'), line('d/x'), line('d/y')]);
    const ran = await run('find', '/srv/data/d', '--host', 'app-1');
    expect(ran.code).toBe(0);
    expect(ran.stdout.split('\n').map((each) => each.slice(0, 15))).toEqual(['20260102_010000', '20260101_010000', '']);
    expect(ran.stdout).toContain('2 files below');
    const odd = await run('find', '/srv/*/a*');
    expect(odd.stdout).not.toContain('\u001b');
    expect(odd.stdout).toContain('a%1B[31m');
    expect(await run('find', 'd/y', '--backup', '20260101_010000')).toMatchObject({ code: 1 });
    expect(await run('find', 'x', '--limit', '0')).toMatchObject({ code: 2 });
  });

  test.each([
    ['/srv/data/x', 'x'],
    ['/srv/data', ''],
    ['/srv', ''],
    ['/s*/data/*.ods', '*.ods'],
    ['/**/x', '**/x'],
    ['*.sql', '*.sql'],
    ['/srv/database/x', undefined],
    ['/etc', undefined],
  ])('a path %s is %s within /srv/data', (path, pattern) => {
    expect(patternWithin({ path, source: '/srv/data' })).toBe(pattern);
  });
});

describe('diff', () => {
  test('tells added, removed and changed with their fields, and sums them up', async () => {
    store(entry({ id: '20260101_010000' }), entry({ id: '20260102_010000', sha256: 'b'.repeat(64) }));
    const tree = 'app-1@+srv+data';
    fleet.listings.set(`20260101_010000/${tree}`, [line('.', 'd'), line('a'), line('b', 'f', 5)]);
    fleet.listings.set(`20260102_010000/${tree}`, [line('.', 'd'), line('b', 'f', 9), line('c', 'f', 3)]);
    const ran = await run('diff', '20260101_010000', 'latest');
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(ran.stdout.trim().split('\n')).toEqual([
      '- prod-app-1:/srv/data/a  (5 B)',
      'M prod-app-1:/srv/data/b  (size 5 B to 9 B)',
      '+ prod-app-1:/srv/data/c  (3 B)',
      '1 added (3 B), 1 removed (5 B), 1 changed (+4 B)',
    ]);
    expect(await run('diff', '20260101_010000', '20300101_010000')).toMatchObject({ code: 1 });
  });

  test('S18 a source that is missing from a partial backup is not told as removed; exit 3', async () => {
    store(entry({ id: '20260101_010000' }), entry({ id: '20260102_010000', state: 'Partial' }));
    const ran = await run('diff', '20260101_010000', '20260102_010000');
    expect(ran.code).toBe(3);
    expect(ran.stderr).toContain('app-1@+srv+data is missing from backup 20260102_010000');
    expect(ran.stdout).toBe('no difference\n');
  });
});

describe('status', () => {
  test('S18 only whole backups count; beyond the rpo it exits 1; the engine need not run', async () => {
    expect(await run('status')).toMatchObject({ code: 1, stdout: expect.stringContaining('NO BACKUP') as string });
    store(entry({ id: ago(48) }), entry({ id: ago(1), state: 'Partial' }));
    const late = await run('status', 'portal');
    expect(late.code).toBe(1);
    expect(late.stdout).toMatch(/BEYOND RPO .*1 partial since/);
    expect(late.stdout).toContain('the engine is not running');
    const fresh = ago(0.5);
    store(entry({ id: fresh }));
    const json = await run('--json', 'status');
    expect(json.code).toBe(0);
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: true, groups: [{ verdict: 'ok', lastGood: fresh }] });
  });

  test('a store that can not be read, and a clock that runs behind, are no good state', async () => {
    store(entry({ id: ago(-5) }));
    expect(await run('status')).toMatchObject({ code: 1, stdout: expect.stringContaining('CLOCK') as string });
    intercept = (call) => {
      throw new HostError({ host: call.host, verb: call.verb, code: 'unreachable', message: 'no route' });
    };
    expect(await run('status')).toMatchObject({ code: 1, stdout: expect.stringContaining('UNREADABLE') as string });
  });
});

describe('prune', () => {
  const IDS = ['20260101_010000', '20260102_010000'];
  beforeEach(() => {
    const keep = { last: 1, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
    writeFileSync(join(folder, 'fleet.yaml'), fleetRunbook(2, { keep }));
    store(...IDS.map((id) => entry({ id })));
  });

  test('shows the reason for each and removes nothing without a word', async () => {
    const dry = await run('prune', '--dry-run');
    expect(dry.code).toBe(0);
    expect(dry.stdout).toMatch(/20260102_010000 {2}keep .*newest 1/);
    expect(dry.stdout).toMatch(/20260101_010000 {2}REMOVE .*not among last 1/);
    const asked = await run('prune');
    expect(asked).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') as string });
    expect(verbs('job.start')).toEqual([]);
  });

  test('refuses on clock skew', async () => {
    intercept = (call) => (call.verb === 'probe' ? { timeMs: Date.now() - 3_600_000 } : undefined);
    expect(await run('prune', '--yes')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('60 minutes') as string,
    });
  });
});

describe('the hand', () => {
  test('S2 pause takes the group, says when the dead-man reverses it, and keeps the group while it stands', async () => {
    intercept = (call) => (call.verb === 'workload.pause' ? { paused: ['web'], limitMs: 15_000 } : undefined);
    const ran = await run('pause', 'portal', '--for', '15s');
    expect(ran.code).toBe(0);
    expect(ran.stdout).toMatch(/app-2 {2}paused: web {2}runs again by itself at .* UTC at the latest \(15\.0s\)/);
    const [first, second] = verbs('workload.pause');
    expect(first?.args).toMatchObject({ term: 1, maxPause: 15, run: second?.args.run });
    expect(verbs('lease.release')).toEqual([]);
    expect(verbs('lease.take').every((each) => each.args.ttl === 75)).toBe(true);
  });

  test('S4 nothing is touched while a run holds the group', async () => {
    intercept = (call) => {
      if (call.verb !== 'lease.take') return undefined;
      throw new HostError({ host: call.host, verb: call.verb, code: 'lease-held', message: 'held by run r-other' });
    };
    expect(await run('stop', 'portal')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('r-other') as string,
    });
    expect(verbs('workload.stop')).toEqual([]);
  });

  test('S3 unpause goes on under the run of the hand that paused', async () => {
    const lease = { run: 'hand-20260101t000000z-aaaaaa', term: 7, live: true };
    intercept = (call) =>
      call.verb === 'status' ? { leases: [lease] } : call.verb === 'lease.take' ? { term: 7 } : undefined;
    expect((await run('unpause', 'portal')).code).toBe(0);
    expect(verbs('workload.unpause').map((each) => [each.args.run, each.args.term])).toEqual([
      [lease.run, 7],
      [lease.run, 7],
    ]);
    expect(verbs('lease.release')).toHaveLength(3);
  });

  test('S3 with the store away unpause works under what each host knew last, and takes nothing over', async () => {
    intercept = (call) => {
      if (call.host === 'target')
        throw new HostError({ host: call.host, verb: call.verb, code: 'unreachable', message: 'no route' });
      return call.verb === 'status' ? { leases: [{ run: 'r-last-one', term: 4, live: false }] } : undefined;
    };
    const ran = await run('unpause', 'portal');
    expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining("the store can't be asked") as string });
    expect(verbs('workload.unpause').map((each) => [each.args.run, each.args.term])).toEqual([
      ['r-last-one', 4],
      ['r-last-one', 4],
    ]);
    expect(verbs('lease.take')).toEqual([]);
    expect((await run('pause', 'portal')).code).toBe(1);
  });

  test.each([
    'host-key-changed',
    'host-key-unknown',
    'auth-refused',
    'hostkit-missing',
    'timeout',
    'not-mounted',
  ] as const)('S3 a target that answers with %s keeps nothing paused or stopped', async (code) => {
    intercept = (call) => {
      if (call.host === 'target')
        throw new HostError({ host: call.host, verb: call.verb, code, message: 'rebuilt after a disaster' });
      return undefined;
    };
    for (const verb of ['start', 'unpause'] as const) {
      const ran = await run(verb, 'portal');
      expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining("the store can't be asked") as string });
      expect(verbs(`workload.${verb}`)).toHaveLength(2);
    }
    expect(await run('stop', 'portal')).toMatchObject({ code: 1 });
    expect(verbs('workload.stop')).toEqual([]);
  });

  test.each(['lease.take', 'status'])('one host whose %s fails keeps the others from nothing; exit 3', async (verb) => {
    intercept = (call) => {
      if (call.host === 'app-2' && call.verb === verb)
        throw new HostError({ host: call.host, verb, code: 'host-key-changed', message: 'another key' });
      if (call.host === 'target' && verb === 'status')
        throw new HostError({ host: call.host, verb: call.verb, code: 'hostkit-missing', message: 'none' });
      return call.verb === 'workload.start' ? { started: ['web'] } : undefined;
    };
    const ran = await run('start', 'portal');
    expect(ran.code).toBe(3);
    expect(ran.stdout).toMatch(/app-1 {2}started: web/);
    expect(ran.stdout).toMatch(/app-2 {2}FAILED .*another key/);
    expect(verbs('workload.start').map((each) => each.host)).toEqual(['app-1']);
  });

  test('S4 a target that was replaced counts terms anew, and is asked for one above what the hosts have seen', async () => {
    intercept = (call) => {
      if (call.verb === 'lease.take' && call.host === 'target') return { term: Number(call.args.least ?? 1) };
      if (call.verb === 'lease.take' && Number(call.args.term) < 40)
        throw new HostError({
          host: call.host,
          verb: call.verb,
          code: 'fenced',
          message: 'lower',
          detail: { seen: 40 },
        });
      return call.verb === 'workload.start' ? { started: ['web'] } : undefined;
    };
    expect((await run('start', 'portal')).code).toBe(0);
    expect(verbs('workload.start').map((each) => each.args.term)).toEqual([41, 41]);
    intercept = (call) => {
      if (call.verb === 'lease.take' && call.host !== 'target')
        throw new HostError({ host: call.host, verb: call.verb, code: 'fenced', message: 'a run is at it' });
      return undefined;
    };
    expect(await run('start', 'portal')).toMatchObject({ code: 1, stderr: expect.stringContaining('at it') as string });
    expect(verbs('workload.start')).toHaveLength(2);
  });

  test('what was done is told though the group can not be given back', async () => {
    intercept = (call) => {
      if (call.verb === 'lease.release' && call.host === 'target')
        throw new HostError({ host: call.host, verb: call.verb, code: 'timeout', message: 'no answer' });
      return call.verb === 'workload.start' ? { started: ['web'] } : undefined;
    };
    const ran = await run('start', 'portal');
    expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining('not given back') as string });
    expect(ran.stdout).toMatch(/app-2 {2}started: web/);
  });

  test('one host that fails is named, and the exit code is 3', async () => {
    intercept = (call) => {
      if (call.verb === 'workload.stop' && call.host === 'app-2')
        throw new HostError({ host: call.host, verb: call.verb, code: 'failed', message: 'not stopped: web' });
      return undefined;
    };
    const ran = await run('stop', 'portal');
    expect(ran.code).toBe(3);
    expect(ran.stdout).toMatch(/app-2 {2}FAILED .*not stopped: web/);
    expect(await run('pause', 'portal', '--for', 'long')).toMatchObject({ code: 2 });
  });
});

test('a backup in words: state, instant, sources with label and evidence, contacts and notes; --json has the manifest', async () => {
  store(entry({ id: '20260101_010000', state: 'Partial', holds: ['audit'] }));
  const { code, stdout } = await run('show', '20260101_010000');
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^backup 20260101_010000 of portal: Partial, filesystem consistent\nfrozen 2026-01-01 01:00:00 UTC/,
  );
  expect(stdout).toMatch(/prod-app-2:\/srv\/data +ok +filesystem +10 +1000 B +btrfs snapshot, atomic/);
  expect(stdout).toMatch(/prod-app-1:\/srv\/data +MISSING +it was off/);
  expect(stdout).toContain('contact: Ada, +46\nnotes: ring first\n');
  expect(stdout).toContain('held: audit');
  expect(JSON.parse((await run('--json', 'show', '20260101_010000')).stdout)).toMatchObject({
    manifest: { contacts: [{ name: 'Ada' }] },
  });
  fleet.host('target').backups[0]!.manifest = '';
  expect(await run('show', '20260101_010000')).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('UNUSABLE: its manifest is missing') as string,
  });
});

test('snapshots of hosts that are away are not known, and each is named once', async () => {
  intercept = (call) => {
    if (call.host !== 'app-1') return undefined;
    throw new HostError({ host: call.host, verb: call.verb, code: 'unreachable', message: 'no route' });
  };
  const one = await run('snapshots');
  expect(one).toMatchObject({ code: 3, stdout: 'no snapshot of portal on those that answered, 1 of 2 hosts\n' });
  expect(one.stderr).toMatch(/^app-1: (?!app-1)/);
  intercept = (call) => {
    throw new HostError({ host: call.host, verb: call.verb, code: 'unreachable', message: 'no route' });
  };
  expect(await run('snapshots')).toMatchObject({
    code: 1,
    stdout: 'no host of portal answered: its snapshots are not known\n',
  });
});

test('S8 snapshots of no living run are named as leftovers', async () => {
  fleet
    .host('app-1')
    .snapshots.push({ group: 'portal', source: 'data', run: 'r-dead-one', createdMs: Date.now() - 60_000 });
  const ran = await run('snapshots');
  expect(ran).toMatchObject({ code: 0, stdout: expect.stringMatching(/app-1 .*r-dead-one .*LEFTOVER/) as string });
});
