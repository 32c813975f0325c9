/** The verbs that read stores and hosts, over a fleet in memory and with no engine. */
import { patternWithin, placeOf } from '../../cli/commands/find';
import { loadDirectorKeys } from '../../hosts/director-keys';
import { HostError } from '../../hosts/errors';
import { backupId } from '../../planning/ids';
import { fleetRunbook } from './support/fleet-runbook';
import { line, useMemoryFleet } from './support/memory-fleet';
import { entry, strangerHex } from './support/stored';

// Whole commands, each with its files: on a busy machine more than jest's own 5 s.
jest.setTimeout(30_000);

const fleet = useMemoryFleet();
const ago = (hours: number) => backupId({ frozenAtMs: Date.now() - hours * 3_600_000 });

describe('find', () => {
  test('S29 shows size and time per backup, newest first, with hostile names escaped', async () => {
    fleet.store(entry({ id: '20260101_010000' }), entry({ id: '20260102_010000' }));
    const tree = 'app-1@+srv+data';
    fleet.hosts.listings.set(`20260101_010000/${tree}`, [
      line('.', 'd'),
      line('a%1B[31m', 'f', 7),
      line('d', 'd'),
      line('d/x'),
    ]);
    fleet.hosts.listings.set(`20260102_010000/${tree}`, [line('.', 'd'), line('d', 'd'), line('d/x'), line('d/y')]);
    const ran = await fleet.run('find', '/srv/data/d', '--host', 'app-1');
    expect(ran.code).toBe(0);
    expect(ran.stdout.split('\n').map((each) => each.slice(0, 15))).toEqual(['20260102_010000', '20260101_010000', '']);
    expect(ran.stdout).toContain('2 files below');
    const odd = await fleet.run('find', '/srv/*/a*');
    expect(odd.stdout).not.toContain('\u001b');
    expect(odd.stdout).toContain('a%1B[31m');
    expect(await fleet.run('find', 'd/y', '--backup', '20260101_010000')).toMatchObject({ code: 1 });
    expect(await fleet.run('find', 'x', '--limit', '0')).toMatchObject({ code: 2 });
  });

  test('a place as find itself shows it is found again; an empty path is refused', async () => {
    fleet.store(entry({ id: '20260101_010000' }));
    fleet.hosts.listings.set('20260101_010000/app-1@+srv+data', [line('.', 'd'), line('d', 'd'), line('d/x')]);
    fleet.hosts.listings.set('20260101_010000/app-2@+srv+data', [line('.', 'd'), line('d', 'd'), line('d/x')]);
    const ran = await fleet.run('find', 'app-1:/srv/data/d/x');
    expect(ran.code).toBe(0);
    expect(ran.stdout).toContain('app-1:/srv/data/d/x');
    expect(ran.stdout).not.toContain('app-2');
    expect(placeOf('/srv/../srv/data/./d//x')).toEqual({ host: undefined, path: '/srv/data/d/x' });
    expect(placeOf('a:b')).toEqual({ host: undefined, path: 'a:b' });
    expect((await fleet.run('find', '')).code).toBe(2);
    expect((await fleet.run('find', 'app-1:/srv/data/d/x', '--host', 'app-2')).code).toBe(2);
    const none = await fleet.run('--json', 'find', '/srv/data/nosuch');
    expect([none.code, JSON.parse(none.stdout)]).toEqual([1, expect.objectContaining({ type: 'error' })]);
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
    fleet.store(entry({ id: '20260101_010000' }), entry({ id: '20260102_010000', sha256: 'b'.repeat(64) }));
    const tree = 'app-1@+srv+data';
    fleet.hosts.listings.set(`20260101_010000/${tree}`, [line('.', 'd'), line('a'), line('b', 'f', 5)]);
    fleet.hosts.listings.set(`20260102_010000/${tree}`, [line('.', 'd'), line('b', 'f', 9), line('c', 'f', 3)]);
    const ran = await fleet.run('diff', '20260101_010000', 'latest');
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(ran.stdout.trim().split('\n')).toEqual([
      '- prod-app-1:/srv/data/a  (5 B)',
      'M prod-app-1:/srv/data/b  (size 5 B to 9 B)',
      '+ prod-app-1:/srv/data/c  (3 B)',
      '1 added (3 B), 1 removed (5 B), 1 changed (+4 B)',
    ]);
    expect(await fleet.run('diff', '20260101_010000', '20300101_010000')).toMatchObject({ code: 1 });
  });

  test('S18 a source that is missing from a partial backup is not told as removed; exit 3', async () => {
    fleet.store(entry({ id: '20260101_010000' }), entry({ id: '20260102_010000', state: 'Partial' }));
    const ran = await fleet.run('diff', '20260101_010000', '20260102_010000');
    expect(ran.code).toBe(3);
    expect(ran.stderr).toContain('app-1@+srv+data is missing from backup 20260102_010000');
    expect(ran.stdout).toBe('no difference\n');
  });
});

describe('status', () => {
  test('S18 only whole backups count; beyond the rpo it exits 1; the engine need not run', async () => {
    expect(await fleet.run('status')).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('NO BACKUP') as string,
    });
    fleet.store(entry({ id: ago(48) }), entry({ id: ago(1), state: 'Partial' }));
    const late = await fleet.run('status', 'portal');
    expect(late.code).toBe(1);
    expect(late.stdout).toMatch(/BEYOND RPO .*1 partial since/);
    expect(late.stdout).toContain('the engine is not running');
    const fresh = ago(0.5);
    fleet.store(entry({ id: fresh }));
    const json = await fleet.run('--json', 'status');
    expect(json.code).toBe(0);
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: true, groups: [{ verdict: 'ok', lastGood: fresh }] });
  });

  test('a store that can not be read, and a clock that runs behind, are no good state', async () => {
    fleet.store(entry({ id: ago(-5) }));
    expect(await fleet.run('status')).toMatchObject({ code: 1, stdout: expect.stringContaining('CLOCK') as string });
    fleet.intercept = (call) => {
      throw new HostError({ host: call.host, verb: call.verb, code: 'unreachable', message: 'no route' });
    };
    expect(await fleet.run('status')).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('UNREADABLE') as string,
    });
  });
});

describe('backup --dry-run', () => {
  const GIB = 2 ** 30;
  /** Two sources on one disk each of both hosts, and a store with that much room. */
  const shows = ({
    usedBytes,
    leastBytes = 0,
    freeBytes = 100 * GIB,
    device = '/dev/sdb',
  }: Record<string, unknown>) => {
    const source = { path: '/srv/data', kind: 'btrfs', device, usedBytes, leastBytes };
    fleet.intercept = ({ verb }) => {
      if (verb === 'probe') return { groups: ['portal'] };
      if (verb === 'store.space') return { freeBytes, totalBytes: 200 * GIB, reservePercent: 10, fsType: 'btrfs' };
      return verb === 'check'
        ? {
            sources: [
              { ...source, name: 'data' },
              { ...source, name: 'more' },
            ],
          }
        : undefined;
    };
  };
  beforeEach(() => {
    const sources = ['data', 'more'].map((name) => ({ host: 'app-1', path: `/srv/${name}`, name, snapshot: 'btrfs' }));
    fleet.runbook(fleetRunbook(1, { sources }));
  });

  test('sources that share a disk count once', async () => {
    shows({ usedBytes: 70 * GIB });
    const ran = await fleet.run('backup', '--dry-run');
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(ran.stdout).toContain('would send about 70.0 GiB, an estimate (2 of 2 sources whole');
    expect(ran.stdout).toContain('the store has 100.0 GiB free and keeps 20.0 GiB: it fits\n');
    expect(fleet.verbs('lease.take')).toEqual([]);
  });

  test('what a backup only warns of is a warning with exit 0, in the words of doctor', async () => {
    shows({ usedBytes: 170 * GIB });
    const ran = await fleet.run('backup', '--dry-run');
    const words = 'store main has 80.0 GiB above its reserve, and a backup may need up to 170.0 GiB before compression';
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining(`\nWARNING target: ${words}`) as string });
    expect(ran.stdout).not.toContain('it fits');
    expect((await fleet.run('doctor')).stdout).toMatch(/WARN .*room in main .*may need up to 170\.0 GiB/);
  });

  test('what ends a backup is a problem with exit 1: no room by any compression, no room at all, an unfinished restore', async () => {
    shows({ usedBytes: 10_000 * GIB, leastBytes: 10_000 * GIB });
    const large = await fleet.run('--json', 'backup', '--dry-run');
    expect(large.code).toBe(1);
    expect(JSON.parse(large.stdout)).toMatchObject({
      space: { level: 'fail', sentBytes: 10_000 * GIB, roomBytes: 80 * GIB },
      problems: [expect.stringMatching(/^target: store main has 80\.0 GiB .* at the very least/)],
    });
    shows({ usedBytes: 1, freeBytes: 20 * GIB });
    expect(await fleet.run('backup', '--dry-run')).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/PROBLEM target: store main .*below the reserve of 20\.0 GiB/) as string,
    });
    fleet.intercept = ({ verb }) => (verb === 'check' ? { problems: ['run r1 stopped it\u001b'] } : undefined);
    expect((await fleet.run('backup', '--dry-run')).stdout).toContain('PROBLEM app-1: run r1 stopped it\\u001b');
  });
});

describe('prune', () => {
  const IDS = ['20260101_010000', '20260102_010000'];
  beforeEach(() => {
    const keep = { last: 1, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
    fleet.runbook(fleetRunbook(2, { keep }));
    fleet.store(...IDS.map((id) => entry({ id })));
  });

  test('shows the reason for each and removes nothing without a word', async () => {
    const dry = await fleet.run('prune', '--dry-run');
    expect(dry.code).toBe(0);
    expect(dry.stdout).toMatch(/20260102_010000 {2}keep .*newest 1/);
    expect(dry.stdout).toMatch(/20260101_010000 {2}REMOVE .*not among last 1/);
    const asked = await fleet.run('prune');
    expect(asked).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') as string });
    expect(fleet.verbs('job.start')).toEqual([]);
  });

  test('refuses on clock skew', async () => {
    fleet.intercept = (call) => (call.verb === 'probe' ? { timeMs: Date.now() - 3_600_000 } : undefined);
    expect(await fleet.run('prune', '--yes')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('60 minutes') as string,
    });
  });
});

describe('a backup that is signed by a key unknown here', () => {
  const [OLD, OWN, FOREIGN] = ['20260101_010000', '20260102_010000', '20260103_010000'];
  beforeEach(() => {
    const keep = { last: 1, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
    fleet.runbook(fleetRunbook(2, { keep }));
    fleet.store(entry({ id: OLD }), entry({ id: OWN }), entry({ id: FOREIGN, byStranger: true }));
  });

  test('S19 is never `latest`, and is named', async () => {
    const ran = await fleet.run('show', 'latest');
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining(`backup ${OWN} `) as string });
    const passed = `\`latest\` passes over ${FOREIGN} (signed by the unknown key ${strangerHex.slice(0, 12)})`;
    expect(ran.stderr).toBe(`${passed}: see \`resurgo adopt portal\`\n`);
    expect((await fleet.run('show', FOREIGN)).code).toBe(0);
    fleet.hosts.host('target').backups.splice(0, 2);
    expect(await fleet.run('diff', FOREIGN, 'latest')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('portal has no whole backup signed by a known key') as string,
    });
  });

  test('a damaged one that is newer is passed over with a word', async () => {
    fleet.store(entry({ id: '20260104_010000' }), entry({ id: '20260105_010000' }));
    fleet.hosts.host('target').backups[4]!.manifestSig = 'AAAA';
    const ran = await fleet.run('show', 'latest');
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('backup 20260104_010000 ') as string });
    expect(ran.stderr).toMatch(
      /^`latest` passes over 20260105_010000 \(its manifest was changed .*resurgo list portal`\n$/,
    );
  });

  test('an older one is passed over without a word', async () => {
    fleet.store(entry({ id: '20260104_010000' }));
    expect(await fleet.run('show', 'latest')).toMatchObject({ code: 0, stderr: '' });
  });

  test('S19 is neither removed by prune nor counted in place of one that is known', async () => {
    const { code, stdout } = await fleet.run('prune', '--dry-run');
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`${FOREIGN} {2}keep .*signed by the unknown key .*no policy removes it`));
    expect(stdout).toMatch(new RegExp(`${OWN} {2}keep .*newest 1`));
    expect(stdout).toMatch(new RegExp(`${OLD} {2}REMOVE`));
  });
});

test('doctor tells of a run of this director that holds the group, which only the engine can tell to be over', async () => {
  const held = (owner: string) => ({ leases: [{ run: 'r-1', owner, term: 3, live: true }] });
  const { signing } = await loadDirectorKeys({ stateDir: process.env.RESURGO_STATE ?? '' });
  fleet.intercept = (call) =>
    call.verb === 'status' ? held(`director-${signing.publicHex.slice(0, 12)}/r-1`) : undefined;
  expect((await fleet.run('doctor', 'portal', '--fix')).stdout).toMatch(
    /WARN .*held by run r-1; whether that has ended only the engine can tell.*resurgo engine start/,
  );
  expect(fleet.verbs('lease.release')).toEqual([]);
  fleet.intercept = (call) => (call.verb === 'status' ? held('director-x/r-1') : undefined);
  expect((await fleet.run('doctor', 'portal')).stdout).not.toMatch(/r-1/);
});

test('a backup in words: state, instant, sources with label and evidence, contacts and notes; --json has the manifest', async () => {
  fleet.store(entry({ id: '20260101_010000', state: 'Partial', holds: ['audit'] }));
  const { code, stdout } = await fleet.run('show', '20260101_010000');
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^backup 20260101_010000 of portal: Partial, filesystem consistent\nfrozen 2026-01-01 01:00:00 UTC/,
  );
  expect(stdout).toMatch(/prod-app-2:\/srv\/data +ok +filesystem +10 +1000 B +btrfs snapshot, atomic/);
  expect(stdout).toMatch(/prod-app-1:\/srv\/data +MISSING +it was off/);
  expect(stdout).toContain('contact: Ada, +46\nnotes: ring first\n');
  expect(stdout).toContain('held: audit');
  expect(JSON.parse((await fleet.run('--json', 'show', '20260101_010000')).stdout)).toMatchObject({
    manifest: { contacts: [{ name: 'Ada' }] },
  });
  fleet.hosts.host('target').backups[0]!.manifest = '';
  expect(await fleet.run('show', '20260101_010000')).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('UNUSABLE: its manifest is missing') as string,
  });
});

test('a backup of a newer version is named as such by list, show and prune, and is not taken as latest', async () => {
  fleet.store(entry({ id: '20260101_010000' }), entry({ id: '20260102_010000' }));
  fleet.hosts.host('target').backups[1]!.manifest = Buffer.from('{"resurgoManifest":2}').toString('base64');
  const words = 'made by a newer Resurgo, whose manifests are of version 2';
  expect((await fleet.run('list')).stdout).toMatch(new RegExp(`20260102_010000 +UNUSABLE .*${words}`));
  expect((await fleet.run('show', '20260102_010000')).stdout).toContain(`UNUSABLE: it was ${words}`);
  const latest = await fleet.run('show', 'latest');
  expect(latest.stdout).toContain('backup 20260101_010000 ');
  expect(latest.stderr).toContain('`latest` passes over 20260102_010000 (it was made by a newer Resurgo');
  expect((await fleet.run('prune', '--dry-run')).stdout).toMatch(new RegExp(`20260102_010000  keep .*${words}`));
});

test('snapshots of hosts that are away are not known, and each is named once', async () => {
  fleet.intercept = (call) => {
    if (call.host !== 'app-1') return undefined;
    throw new HostError({ host: call.host, verb: call.verb, code: 'unreachable', message: 'no route' });
  };
  const one = await fleet.run('snapshots');
  expect(one).toMatchObject({ code: 3, stdout: 'no snapshot of portal on those that answered, 1 of 2 hosts\n' });
  expect(one.stderr).toMatch(/^app-1: (?!app-1)/);
  fleet.intercept = (call) => {
    throw new HostError({ host: call.host, verb: call.verb, code: 'unreachable', message: 'no route' });
  };
  expect(await fleet.run('snapshots')).toMatchObject({
    code: 1,
    stdout: 'no host of portal answered: its snapshots are not known\n',
  });
});

test('S8 snapshots of no living run are named as leftovers', async () => {
  fleet.hosts
    .host('app-1')
    .snapshots.push({ group: 'portal', source: 'data', run: 'r-dead-one', createdMs: Date.now() - 60_000 });
  const ran = await fleet.run('snapshots');
  expect(ran).toMatchObject({ code: 0, stdout: expect.stringMatching(/app-1 .*r-dead-one .*LEFTOVER/) as string });
});
