/** Today's workflow code over histories of finished runs: it must go the same way, and come to the same end. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils';
import type { History } from '@temporalio/common/lib/proto-utils';
import type { InjectedSinks, WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { bundleWorkflowCode, DefaultLogger, Worker } from '@temporalio/worker';
import * as workflows from '../../workflows';
import { cleanHistory, historyFile, outcomeOf, readHistory, tracesIn } from './support/histories';
import type { Outcome, OutcomeSinks } from './support/outcome';
import { SCENARIOS } from './support/scenarios';

jest.setTimeout(120_000);

let workflowBundle: WorkflowBundleWithSourceMap;
beforeAll(async () => {
  workflowBundle = await bundleWorkflowCode({
    workflowsPath: path.resolve(__dirname, '../../workflows/index.ts'),
    workflowInterceptorModules: [path.resolve(__dirname, 'support/outcome.ts')],
    logger: new DefaultLogger('ERROR'),
  });
});

/** Replays a history and returns what the code came to. @throws where it goes another way than the history */
async function replay(history: History): Promise<Outcome | undefined> {
  let outcome: Outcome | undefined;
  const sinks: InjectedSinks<OutcomeSinks> = {
    outcome: {
      tell: {
        fn: (_info, told) => {
          outcome = told;
        },
        callDuringReplay: true,
      },
    },
  };
  await Worker.runReplayHistory({ workflowBundle, sinks }, history);
  return outcome;
}

describe.each(SCENARIOS)('$name', ({ name, expected }) => {
  test('is replayed by the code of today to the same end', async () => {
    const history = readHistory(name);
    const outcome = await replay(history);
    expect(outcome).toEqual(outcomeOf(history));
    if (expected.state !== undefined) expect(outcome).toMatchObject({ result: { state: expected.state } });
    if (expected.failure !== undefined) expect(outcome).toMatchObject({ failure: { type: expected.failure } });
  });

  test('holds nothing of the machine or the person that recorded it', () => {
    const text = readFileSync(historyFile(name), 'utf8');
    expect(tracesIn(text)).toEqual([]);
    // Recorded and cleaned, not written by hand.
    expect(cleanHistory(readHistory(name))).toBe(text);
  });
});

test('every workflow has a history', () => {
  const types = SCENARIOS.map(
    ({ name }) => readHistory(name).events?.[0]?.workflowExecutionStartedEventAttributes?.workflowType?.name,
  );
  expect(Object.keys(workflows).filter((name) => !types.includes(name))).toEqual([]);
});

describe('a replay can fail', () => {
  function changed(name: string, change: (text: string) => string): History {
    const before = historyToJSON(readHistory(name));
    const after = change(before);
    if (after === before) throw new Error('nothing was changed');
    return historyFromJSON(JSON.parse(after));
  }

  test('where another step was made', async () => {
    const history = changed('backup-completed', (text) => text.replace('"name": "openStore"', '"name": "openedStore"'));
    await expect(replay(history)).rejects.toMatchObject({ name: 'DeterminismViolationError' });
  });

  test('where the steps came in another order', async () => {
    const history = changed('prune-completed', (text) =>
      text.replace('"name": "listPrunable"', '"name": "x"').replace('"name": "removeBackup"', '"name": "listPrunable"'),
    );
    await expect(replay(history)).rejects.toMatchObject({ name: 'DeterminismViolationError' });
  });

  test('where only the result is another', async () => {
    const history = readHistory('backup-completed');
    const last = history.events?.at(-1)?.workflowExecutionCompletedEventAttributes;
    if (!last) throw new Error('it did not complete');
    last.result = { payloads: [{ ...last.result?.payloads?.[0], data: Buffer.from('{"state":"Partial"}') }] };
    expect(await replay(history)).not.toEqual(outcomeOf(history));
  });
});
