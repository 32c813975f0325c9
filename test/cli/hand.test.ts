/** What is done by hand, over a fleet in memory and with no engine: holds, pauses, stops. */
import { stoppedWords } from '../../cli/commands/status-stopped';
import { HostError } from '../../hosts/errors';
import { backupId } from '../../planning/ids';
import { useMemoryFleet } from './support/memory-fleet';
import { entry } from './support/stored';

const fleet = useMemoryFleet();

describe('hold and release', () => {
  const id = '20260101_010000';

  test('take the group at the target alone, keep the backup under a name, and give the group back', async () => {
    fleet.store(entry({ id, holds: ['audit'] }));
    fleet.intercept = (call) => {
      if (call.host !== 'target')
        throw new HostError({ host: call.host, verb: call.verb, code: 'unreachable', message: 'no route' });
      return undefined;
    };
    expect(await fleet.run('hold', 'latest', '--as', 'court-case')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`resurgo release ${id} portal --as court-case`) as string,
    });
    expect(fleet.verbs('store.hold').map(({ args }) => args)).toMatchObject([{ id, name: 'court-case', term: 1 }]);
    expect(fleet.verbs('lease.take').map(({ args }) => args)).toMatchObject([
      { run: expect.stringMatching(/^hold-/) as string, ttl: 120 },
    ]);
    expect(fleet.verbs('lease.release')).toHaveLength(1);
    const ran = await fleet.run('release', id, '--as', 'audit');
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('the policy decides') as string });
    expect(fleet.verbs('store.release').map(({ args }) => args)).toMatchObject([{ id, name: 'audit' }]);
  });

  test('what is not held so, or is no name, is refused before anything is taken', async () => {
    fleet.store(entry({ id, holds: ['audit'] }));
    const other = await fleet.run('release', id);
    expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining('it is held as audit') as string });
    expect((await fleet.run('hold', id, '--as', '../x')).code).toBe(2);
    expect((await fleet.run('hold', '20300101_010000')).code).toBe(1);
    expect(fleet.verbs('lease.take')).toEqual([]);
  });

  test('S2 S4 no backup is held under a pause that stands: giving the group back would end it', async () => {
    fleet.store(entry({ id }));
    fleet.intercept = (call) => {
      if (call.verb === 'status') return { leases: [{ run: 'hand-1', term: 7, live: true }] };
      if (call.verb !== 'lease.take') return undefined;
      expect(call.args.run).not.toBe('hand-1');
      const detail = { holder: { run: 'hand-1', owner: 'director-x/anna@desk/hand-1' } };
      throw new HostError({
        host: call.host,
        verb: call.verb,
        code: 'lease-held',
        message: 'held by run hand-1',
        detail,
      });
    };
    const ran = await fleet.run('hold', id);
    expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining('resurgo unpause portal') as string });
    expect(fleet.verbs('store.hold')).toEqual([]);
    expect(fleet.verbs('lease.release')).toEqual([]);
  });

  test('is not joined by a hand that begins meanwhile', async () => {
    const detail = { holder: { run: 'hold-1', owner: 'director-x/anna@desk/hold-1' } };
    fleet.intercept = (call) => {
      if (call.verb === 'status') return { leases: [{ run: 'hold-1', term: 7, live: true }] };
      if (call.verb !== 'lease.take') return undefined;
      throw new HostError({ host: call.host, verb: call.verb, code: 'lease-held', message: 'held', detail });
    };
    const ran = await fleet.run('pause', 'portal');
    expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining('in a moment, try again') as string });
    expect(fleet.verbs('lease.take').every(({ args }) => args.run !== 'hold-1')).toBe(true);
    expect(fleet.verbs('workload.pause')).toEqual([]);
  });

  test('that is made stays made when somebody has taken the group over meanwhile', async () => {
    fleet.store(entry({ id }));
    fleet.intercept = (call) => {
      if (call.verb !== 'lease.release') return undefined;
      throw new HostError({ host: call.host, verb: call.verb, code: 'fenced', message: 'another term' });
    };
    expect(await fleet.run('hold', id)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('not given back') as string,
    });
  });

  test('a hold that fails gives the group back', async () => {
    fleet.store(entry({ id }));
    fleet.intercept = (call) => {
      if (call.verb !== 'store.hold') return undefined;
      throw new HostError({ host: call.host, verb: call.verb, code: 'not-found', message: 'no backup' });
    };
    expect((await fleet.run('hold', id)).code).toBe(1);
    expect(fleet.verbs('lease.release')).toHaveLength(1);
  });
});

describe('the hand', () => {
  test('S2 pause takes the group, says when the dead-man reverses it, and keeps the group while it stands', async () => {
    fleet.intercept = (call) => (call.verb === 'workload.pause' ? { paused: ['web'], limitMs: 15_000 } : undefined);
    const ran = await fleet.run('pause', 'portal', '--for', '15s');
    expect(ran.code).toBe(0);
    expect(ran.stdout).toMatch(/app-2 {2}paused: web {2}runs again by itself at .* UTC at the latest \(15\.0s\)/);
    const [first, second] = fleet.verbs('workload.pause');
    expect(first?.args).toMatchObject({ term: 1, maxPause: 15, run: second?.args.run });
    expect(fleet.verbs('lease.release')).toEqual([]);
    expect(fleet.verbs('lease.take').every((each) => each.args.ttl === 75)).toBe(true);
  });

  test('S4 a pause that is asked for longer than the hosts grant holds the group no longer than they do, and says so', async () => {
    fleet.intercept = (call) => (call.verb === 'workload.pause' ? { paused: ['web'], limitMs: 30_000 } : undefined);
    const ran = await fleet.run('pause', 'portal', '--for', '1h');
    expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining('max_pause of 30.0s') as string });
    expect(fleet.verbs('workload.pause').map(({ args }) => args.maxPause)).toEqual([30, 30]);
    expect(fleet.verbs('lease.take').map(({ args }) => args.ttl)).toEqual([90, 90, 90]);
  });

  test('status tells of a group that a hand holds', async () => {
    const lease = { run: 'hand-1', owner: 'd/ann/hand-1', term: 1, untilMs: Date.parse('2026-01-01T10:20:30Z') };
    fleet.store(entry({ id: '20260101_010000' }));
    for (const live of [true, false]) {
      fleet.intercept = ({ verb, host }) =>
        verb === 'status' && host === 'target' ? { leases: [{ name: 'portal', live, ...lease }] } : undefined;
      const { stdout } = await fleet.run('status');
      expect(/HELD BY HAND \(d\/ann.*until 10:20:30 UTC.*resurgo unpause portal/.test(stdout)).toBe(live);
    }
  });

  test('S21 status tells of a group that an unfinished restore keeps stopped, though a host of it is away', async () => {
    fleet.store(entry({ id: backupId({ frozenAtMs: Date.now() - 60_000 }) }));
    const before = await fleet.run('status');
    expect([before.code, before.stdout]).toEqual([0, expect.not.stringMatching(/STOPPED|not known of/)]);
    fleet.intercept = ({ verb, host }) => {
      if (verb !== 'status' || host === 'target') return undefined;
      if (host === 'app-1') return { restore: 'r-half' };
      throw new HostError({ host, verb, code: 'unreachable', message: 'no route' });
    };
    const ran = await fleet.run('status');
    expect(ran.code).toBe(1);
    expect(ran.stdout).toMatch(
      /STOPPED on app-1 by restore r-half, which is not finished, no backup begins: if it waits .*resurgo start portal --as-it-is/,
    );
    expect(ran.stdout).toMatch(/a restore keeps it stopped is not known of app-2/);
    expect(JSON.parse((await fleet.run('--json', 'status')).stdout)).toMatchObject({
      ok: false,
      groups: [{ verdict: 'stopped', notes: [expect.stringContaining('r-half'), expect.stringContaining('app-2')] }],
    });
  });

  test.each([
    ['under way', ['r-half'], []],
    ['over', ['r-other'], [expect.stringMatching(/no backup begins: restore again/)]],
    ['unknown, as no engine runs', undefined, [expect.stringMatching(/resurgo engine start.*if not, restore again/)]],
  ])('S21 status and a restore that is %s', (_how, underWay, words) => {
    expect(stoppedWords({ group: 'portal', stopped: [{ run: 'r-half', hosts: ['app-1'] }], underWay })).toEqual(words);
  });

  test('S21 what an unfinished restore has stopped is told, and that start alone leaves it; exit 3', async () => {
    const half = { started: [], failed: [], restore: 'r-half' };
    fleet.intercept = (call) => (call.verb === 'workload.start' && call.host === 'app-1' ? half : undefined);
    const ran = await fleet.run('start', 'portal');
    expect(ran.code).toBe(3);
    expect(ran.stdout).toMatch(/app-1 .*r-half.*--as-it-is/);
    expect((await fleet.run('start', 'portal', '--as-it-is')).code).toBe(0);
  });

  test('S21 what another restore of the host needs stopped is named, unless the stop by hand has it and starts it; exit 3', async () => {
    const other = { name: 'db.service', by: 'the restore of group ledger' };
    const hand = { name: 'web', by: 'the stop by hand of group portal' };
    fleet.intercept = ({ host, verb }) => {
      if (host !== 'app-1') return undefined;
      if (verb === 'restore.start') return { started: [], kept: [other, hand] };
      return verb === 'workload.start' ? { started: ['web'], kept: [] } : undefined;
    };
    const ran = await fleet.run('start', 'portal', '--as-it-is');
    expect(ran.code).toBe(3);
    expect(ran.stdout).toMatch(/started: web +FAILED: db.service: kept stopped by the restore of group ledger, whose/);
    expect(ran.stdout).not.toMatch(/stop by hand/);
    fleet.intercept = ({ host, verb }) => (host + verb === 'app-1workload.start' ? { kept: [other] } : undefined);
    expect(await fleet.run('start', 'portal')).toMatchObject({
      code: 3,
      stdout: expect.stringContaining('db.service: kept stopped') as string,
    });
  });

  test('what was removed while it was stopped is a warning, and what does not start of one record bars not the other', async () => {
    fleet.intercept = (call) => {
      if (call.host !== 'app-1' || !call.verb.endsWith('.start') || call.verb === 'job.start') return undefined;
      if (call.verb === 'workload.start') return { started: ['cache'], gone: ['lost'] };
      throw new HostError({
        host: call.host,
        verb: call.verb,
        code: 'failed',
        message: 'not everything starts again: db: port is already allocated',
        detail: { started: ['web'], failed: ['db'], gone: ['old'] },
      });
    };
    const ran = await fleet.run('start', 'portal', '--as-it-is');
    expect(ran.code).toBe(3);
    expect(ran.stdout).toMatch(/app-1 {2}started: web, cache .*FAILED: .*db: port is already allocated/);
    expect(ran.stderr).toMatch(/app-1: container old was removed .*app-1: container lost was removed/s);
    // While the restore's record stands the host starts nothing of the hand's.
    const asked = fleet.verbs('restore.start').concat(fleet.verbs('workload.start'));
    expect(asked.filter(({ host }) => host === 'app-1').map(({ verb }) => verb)).toEqual([
      'restore.start',
      'workload.start',
    ]);
    expect(await fleet.run('start', 'portal')).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('container lost was removed') as string,
    });
  });

  test('S4 nothing is touched while a run holds the group', async () => {
    fleet.intercept = (call) => {
      if (call.verb !== 'lease.take') return undefined;
      const detail = { holder: { run: 'r-other', owner: 'director-x/r-other' } };
      const held = { code: 'lease-held', message: 'held by run r-other', detail } as const;
      throw new HostError({ host: call.host, verb: call.verb, ...held });
    };
    for (const command of [['stop'], ['start', '--as-it-is']])
      expect(await fleet.run(...command, 'portal')).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(
          /held by run r-other.*`resurgo cancel r-other`\. If it has ended already, `resurgo doctor portal --fix`/,
        ) as string,
      });
    expect(fleet.verbs('workload.stop')).toEqual([]);
  });

  test('S3 unpause goes on under the run of the hand that paused', async () => {
    const lease = { run: 'hand-20260101t000000z-aaaaaa', term: 7, live: true };
    fleet.intercept = (call) =>
      call.verb === 'status' ? { leases: [lease] } : call.verb === 'lease.take' ? { term: 7 } : undefined;
    expect((await fleet.run('unpause', 'portal')).code).toBe(0);
    expect(fleet.verbs('workload.unpause').map((each) => [each.args.run, each.args.term])).toEqual([
      [lease.run, 7],
      [lease.run, 7],
    ]);
    expect(fleet.verbs('lease.release')).toHaveLength(3);
  });

  test('S3 with the store away unpause works under what each host knew last, and takes nothing over', async () => {
    fleet.intercept = (call) => {
      if (call.host === 'target')
        throw new HostError({ host: call.host, verb: call.verb, code: 'unreachable', message: 'no route' });
      return call.verb === 'status' ? { leases: [{ run: 'r-last-one', term: 4, live: false }] } : undefined;
    };
    const ran = await fleet.run('unpause', 'portal');
    expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining("the store can't be asked") as string });
    expect(fleet.verbs('workload.unpause').map((each) => [each.args.run, each.args.term])).toEqual([
      ['r-last-one', 4],
      ['r-last-one', 4],
    ]);
    expect(fleet.verbs('lease.take')).toEqual([]);
    expect((await fleet.run('pause', 'portal')).code).toBe(1);
  });

  test.each([
    'host-key-changed',
    'host-key-unknown',
    'auth-refused',
    'hostkit-missing',
    'timeout',
    'not-mounted',
  ] as const)('S3 a target that answers with %s keeps nothing paused or stopped', async (code) => {
    fleet.intercept = (call) => {
      if (call.host === 'target')
        throw new HostError({ host: call.host, verb: call.verb, code, message: 'rebuilt after a disaster' });
      return undefined;
    };
    for (const verb of ['start', 'unpause'] as const) {
      const ran = await fleet.run(verb, 'portal');
      expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining("the store can't be asked") as string });
      expect(fleet.verbs(`workload.${verb}`)).toHaveLength(2);
    }
    expect(await fleet.run('stop', 'portal')).toMatchObject({ code: 1 });
    expect(fleet.verbs('workload.stop')).toEqual([]);
  });

  test.each(['lease.take', 'status'])('one host whose %s fails keeps the others from nothing; exit 3', async (verb) => {
    fleet.intercept = (call) => {
      if (call.host === 'app-2' && call.verb === verb)
        throw new HostError({ host: call.host, verb, code: 'host-key-changed', message: 'another key' });
      if (call.host === 'target' && verb === 'status')
        throw new HostError({ host: call.host, verb: call.verb, code: 'hostkit-missing', message: 'none' });
      return call.verb === 'workload.start' ? { started: ['web'] } : undefined;
    };
    const ran = await fleet.run('start', 'portal');
    expect(ran.code).toBe(3);
    expect(ran.stdout).toMatch(/app-1 {2}started: web/);
    expect(ran.stdout).toMatch(/app-2 {2}FAILED .*another key/);
    expect(fleet.verbs('workload.start').map((each) => each.host)).toEqual(['app-1']);
  });

  test('S4 a target that was replaced counts terms anew, and is asked for one above what the hosts have seen', async () => {
    fleet.intercept = (call) => {
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
    expect((await fleet.run('start', 'portal')).code).toBe(0);
    expect(fleet.verbs('workload.start').map((each) => each.args.term)).toEqual([41, 41]);
    fleet.intercept = (call) => {
      if (call.verb === 'lease.take' && call.host !== 'target')
        throw new HostError({ host: call.host, verb: call.verb, code: 'fenced', message: 'a run is at it' });
      return undefined;
    };
    expect(await fleet.run('start', 'portal')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('at it') as string,
    });
    expect(fleet.verbs('workload.start')).toHaveLength(2);
  });

  test('what was done is told though the group can not be given back', async () => {
    fleet.intercept = (call) => {
      if (call.verb === 'lease.release' && call.host === 'target')
        throw new HostError({ host: call.host, verb: call.verb, code: 'timeout', message: 'no answer' });
      return call.verb === 'workload.start' ? { started: ['web'] } : undefined;
    };
    const ran = await fleet.run('start', 'portal');
    expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining('not given back') as string });
    expect(ran.stdout).toMatch(/app-2 {2}started: web/);
  });

  test('one host that fails is named, and the exit code is 3', async () => {
    fleet.intercept = (call) => {
      if (call.verb === 'workload.stop' && call.host === 'app-2')
        throw new HostError({ host: call.host, verb: call.verb, code: 'failed', message: 'not stopped: web' });
      return undefined;
    };
    const ran = await fleet.run('stop', 'portal');
    expect(ran.code).toBe(3);
    expect(ran.stdout).toMatch(/app-2 {2}FAILED .*not stopped: web/);
    expect(await fleet.run('pause', 'portal', '--for', 'long')).toMatchObject({ code: 2 });
  });
});
