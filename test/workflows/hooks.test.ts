/** Hooks belong to their freeze: each try has its own, and only those of the try that counts are evidence (S7). */
import type { WorkflowHandle } from '@temporalio/client';
import { HostError } from '../../hosts/errors';
import type { FakeCall } from '../../hosts/fake';
import type { Manifest } from '../../planning/manifest';
import { CONTROL_QUEUE } from '../../planning/queues';
import type { backup, BackupReport } from '../../workflows/backup';
import type { OpenQuestion } from '../../workflows/gate';
import { until } from '../workers/fixtures/engine';
import { backupInput, fleetRunbook, useEngine, withFleet } from './support/engine';

jest.setTimeout(120_000);

const engine = useEngine();

const HOOK = { host: 'app-1', name: 'dump', command: '/usr/local/bin/dump' };
const HOOKED = fleetRunbook(1, { quiesce: { hooks: { before: [HOOK], after: [HOOK] } } });

interface Played {
  report: BackupReport;
  manifest: Manifest;
  /** The hooks and the freezes in their order; `asked` where the run waited for a person. */
  seen: string[];
  attempts: number[];
}

/**
 * A backup of one host with a hook around its freeze.
 * @param refused how many freezes fail, each of which is retried by a person
 * @param undone whether the dead-man of this (the n-th) "after" had fired
 */
async function play({ refused = 0, undone }: { refused?: number; undone: (after: number) => boolean }) {
  const played: Pick<Played, 'seen' | 'attempts'> = { seen: [], attempts: [] };
  const { seen, attempts } = played;
  let [freezes, afters] = [0, 0];
  const intercept = (call: FakeCall): Record<string, unknown> | undefined => {
    if (call.verb === 'hook') {
      seen.push(String(call.args['phase']));
      attempts.push(Number(call.args['attempt']));
      return { deadmanFired: call.args['phase'] === 'after' && undone((afters += 1)) };
    }
    if (call.verb === 'freeze:pause') {
      seen.push('freeze');
      const message = 'said the test';
      if ((freezes += 1) <= refused)
        throw new HostError({ host: call.host, verb: 'freeze', code: 'not-allowed', message });
    }
    return call.verb === 'freeze:thaw' ? { containers: [{ id: 'c1', name: 'db' }] } : undefined;
  };
  return withFleet({ engine, fake: { intercept } }, async (fleet): Promise<Played> => {
    const input = backupInput(HOOKED);
    const handle = await engine.env.client.workflow.start<typeof backup>('backup', {
      workflowId: `backup/portal/${input.run}`,
      taskQueue: CONTROL_QUEUE,
      args: [input],
    });
    for (let answered = 0; answered < refused; answered += 1) {
      await until('a question', async () => (await steps(handle)).includes('freeze'));
      seen.push('asked');
      await handle.executeUpdate('decide', { args: [{ decision: 'retry', step: 'freeze', by: 'anna' }] });
      await until('it is tried again', () => seen.at(-1) !== 'asked');
    }
    const report = await handle.result();
    const [sealed] = fleet.host('target').backups;
    const manifest = JSON.parse(Buffer.from(sealed?.manifest ?? '', 'base64').toString('utf8')) as Manifest;
    return { ...played, report, manifest };
  });
}

async function steps(handle: WorkflowHandle): Promise<string[]> {
  return (await handle.query<OpenQuestion[]>('questions')).map(({ step }) => step);
}

/** What the label of the one source rests on, by the manifest. */
function evidenceOf({ manifest }: Played): string[] {
  const [source] = manifest.sources;
  if (source?.state !== 'ok') throw new Error('the source is missing');
  return source.evidence;
}

const RAN_WELL = 'hooks ran well before the freeze: dump';

test('S7 a hook that ran well makes the label "application", and the evidence names it', async () => {
  const played = await play({ undone: () => false });
  expect(played.seen).toEqual(['before', 'freeze', 'after']);
  expect(played.report).toMatchObject({ label: 'application', warnings: [] });
  expect(evidenceOf(played)).toContain(RAN_WELL);
});

test('S7 a freeze that is tried again has its hooks again, and has let go before anybody was asked', async () => {
  const played = await play({ refused: 2, undone: () => false });
  const round = ['before', 'freeze', 'after'];
  expect(played.seen).toEqual([...round, 'asked', ...round, 'asked', ...round]);
  // The hosts refuse what looks like an older try (S3).
  expect(played.attempts).toEqual([...played.attempts].sort((a, b) => a - b));
  expect(new Set(played.attempts).size).toBe(played.attempts.length);
  expect(played.report.label).toBe('application');
  // Once: what ran before an earlier freeze is no evidence of this one.
  expect(evidenceOf(played)).toContain(RAN_WELL);
  expect(played.manifest.hosts[0]?.hooks).toEqual([{ name: 'dump', phase: 'before', ok: true }]);
});

test('S7 a hook that its dead-man undid is no evidence: the label falls, and the report says why', async () => {
  const played = await play({ undone: () => true });
  expect(played.report.label).toBe('filesystem');
  expect(played.report.warnings).toEqual([
    expect.stringContaining('hook dump of app-1 was undone by its dead-man before the freeze had ended'),
  ]);
  expect(evidenceOf(played)).not.toContain(RAN_WELL);
});

test('S7 what the dead-man undid in the try that counts is no evidence, whatever earlier tries were', async () => {
  const played = await play({ refused: 1, undone: (after) => after === 2 });
  expect(played.report.label).toBe('filesystem');
  expect(evidenceOf(played).join()).not.toContain('hooks ran well');
});

test('S7 what the dead-man undid in an earlier try takes nothing from the one that counts', async () => {
  const played = await play({ refused: 1, undone: (after) => after === 1 });
  expect(played.report).toMatchObject({ label: 'application', warnings: [] });
  expect(evidenceOf(played)).toContain(RAN_WELL);
});
