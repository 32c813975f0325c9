/** A schedule says what it removes before it does, and removes nothing where the runbook doesn't say what to keep. */
import type { Client } from '@temporalio/client';
import { ScheduleNotFoundError } from '@temporalio/client';
import { CliContext } from '../../cli/context';
import { showReport } from '../../cli/commands/reports';
import { Output } from '../../cli/output';
import { parseRunbook } from '../../runbooks/load';
import type { Engine } from '../../workers/engine';
import { fleetRunbook } from './support/fleet-runbook';
import { useMemoryFleet } from './support/memory-fleet';
import { entry } from './support/stored';

const NIGHTLY = { schedule: { cron: '30 1 * * *' }, rpo: '2d' };
const KEEP = { keep: { last: 5, daily: 2 } };

const fleet = useMemoryFleet();

const prunes = (group: object): boolean | undefined =>
  parseRunbook({ text: fleetRunbook(1, group), file: 'r.yaml' }).groups.portal?.schedule?.prune;

test.each([
  ['no `keep`', NIGHTLY, false],
  ['a `keep`', { ...NIGHTLY, ...KEEP }, true],
  ['an empty `keep`, which takes the defaults', { ...NIGHTLY, keep: {} }, true],
  ['a `keep`, and the schedule not to prune', { schedule: { ...NIGHTLY.schedule, prune: false }, ...KEEP }, false],
  ['no `keep`, and the schedule to prune', { schedule: { ...NIGHTLY.schedule, prune: true } }, true],
])('where the runbook writes %s, a schedule prunes accordingly', (_what, group, expected) => {
  expect(prunes(group)).toBe(expected);
});

describe('schedule apply', () => {
  beforeEach(() => {
    const describeNone = () => Promise.reject(new ScheduleNotFoundError('none', 'none'));
    const schedule = { getHandle: () => ({ describe: describeNone }), create: () => Promise.resolve() };
    const client = { schedule } as unknown as Client;
    jest.spyOn(CliContext.prototype, 'engine').mockResolvedValue({ client, engine: { external: true } as Engine });
  });

  test('tells what each backup then removes, and how to see it', async () => {
    fleet.runbook(fleetRunbook(2, { ...NIGHTLY, ...KEEP }));
    const ran = await fleet.run('schedule', 'apply');
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(ran.stdout).toMatch(/then removes, unasked.*last 5, daily 2, weekly 4, .*resurgo prune portal --dry-run/);
  });

  test('warns where the runbook writes no `keep`, with the defaults', async () => {
    fleet.runbook(fleetRunbook(2, NIGHTLY));
    const ran = await fleet.run('schedule', 'apply');
    expect(ran.stdout).not.toContain('then removes');
    expect(ran.stderr).toMatch(
      /schedule of portal removes no old backups: the runbook writes no `keep`.*last 3, daily 7/,
    );
  });
});

test('status says that nothing is pruned', async () => {
  fleet.store(entry({ id: '20260101_010000' }));
  fleet.runbook(fleetRunbook(2, NIGHTLY));
  expect((await fleet.run('status')).stdout).toContain('its schedule removes no old backups');
  fleet.runbook(fleetRunbook(2, { ...NIGHTLY, ...KEEP }));
  expect((await fleet.run('status')).stdout).not.toContain('removes no old backups');
});

test.each([
  [{ state: 'Off', reason: 'old backups stay: no `keep`' }, 'old backups stay: no `keep`'],
  [{ state: 'Completed', removed: [{ id: '20260101_010000' }] }, 'removed 20260101_010000'],
  [{ state: 'Failed', failure: { message: 'two clocks' } }, 'the prune failed: two clocks'],
  [null, 'nothing was pruned'],
])('the report of a firing tells of its prune: %j', (prune, words) => {
  let stdout = '';
  const write = jest.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    stdout += String(chunk);
    return true;
  });
  const context: Pick<CliContext, 'out'> = { out: new Output({ json: false, quiet: false }) };
  showReport(context as CliContext, { kind: undefined, report: { state: 'Completed', id: '20260102_010000', prune } });
  write.mockRestore();
  expect(stdout).toContain(words);
});
