import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { log as activityLog } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createLogger, sweepRunLogs, temporalLogger } from '../../workers/logging';
import { stepLogAttributes, subjectOf } from '../../workers/step-logging';

let scratch: string;
beforeEach(() => {
  scratch = mkdtempSync(path.join(tmpdir(), 'resurgo-logging-test-'));
});
afterEach(() => {
  rmSync(scratch, { recursive: true, force: true });
});

function lines(file: string): Record<string, unknown>[] {
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('a line that names its run is in the run log as well, others are not', () => {
  const file = path.join(scratch, 'worker.log');
  const runsFolder = path.join(scratch, 'runs');
  const logger = createLogger({ file, runsFolder, level: 'info' });
  logger.info('started');
  logger.child({ run: 'run-0001', host: 'app-1', step: 'freeze' }).warn({ password: 'x' }, 'slow');
  logger.info({ note: '"run":"run-0002"' }, 'a run in a text is no run');
  expect(readdirSync(runsFolder)).toEqual(['run-0001.log']);
  expect(lines(path.join(runsFolder, 'run-0001.log'))).toMatchObject([
    { run: 'run-0001', host: 'app-1', step: 'freeze', msg: 'slow', level: 40, password: '[redacted]' },
  ]);
  expect(lines(file)).toHaveLength(3);
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('a run id that is no run id makes no file', () => {
  const runsFolder = path.join(scratch, 'runs');
  const logger = createLogger({ file: path.join(scratch, 'worker.log'), runsFolder, level: 'info' });
  logger.info({ run: '../../escape' }, 'x');
  expect(existsSync(path.join(scratch, '..', 'escape.log'))).toBe(false);
  expect(readdirSync(runsFolder)).toEqual([]);
});

test('more runs than files may be open at once all get their lines', () => {
  const runsFolder = path.join(scratch, 'runs');
  const logger = createLogger({ file: path.join(scratch, 'worker.log'), runsFolder, level: 'info' });
  for (const round of [1, 2]) {
    for (let number = 100; number < 150; number += 1) logger.info({ run: `run-0${number}`, round }, 'x');
  }
  for (const name of readdirSync(runsFolder)) expect(lines(path.join(runsFolder, name))).toHaveLength(2);
  expect(readdirSync(runsFolder)).toHaveLength(50);
});

test("Temporal's log lines carry the run that the workflow id ends in, and errors whole", () => {
  const file = path.join(scratch, 'worker.log');
  const log = temporalLogger(createLogger({ file, level: 'trace' }));
  log.info('from a workflow', { workflowId: 'backup/portal/run-0001/app-1' });
  log.error('bad', { error: new Error('why'), workflowId: 'other' });
  expect(lines(file)[0]).toMatchObject({ run: 'run-0001', host: 'director', step: 'workflow', msg: 'from a workflow' });
  expect(lines(file)[1]).toMatchObject({ level: 50, err: { message: 'why' } });
  expect(lines(file)[1]).not.toHaveProperty('run');
});

test('old run logs go, young ones stay', () => {
  const [old, young] = ['old.log', 'young.log'].map((name) => path.join(scratch, name)) as [string, string];
  writeFileSync(old, '');
  writeFileSync(young, '');
  const day = 86_400;
  utimesSync(old, 1_000 * day, 1_000 * day);
  utimesSync(young, 1_300 * day, 1_300 * day);
  sweepRunLogs(scratch, 1_401 * day * 1_000);
  expect(readdirSync(scratch)).toEqual(['young.log']);
});

test.each([
  [
    { run: 'r', host: 'h', step: 's', secret: 'x' },
    { run: 'r', host: 'h', step: 's' },
  ],
  [
    { fence: { run: 'r', group: 'g', term: 1 }, host: { name: 'h', address: 'a' } },
    { run: 'r', group: 'g', host: 'h' },
  ],
  [{ runId: 'r', host: 7 }, { run: 'r' }],
  [
    { fence: { run: 'r' }, source: { host: { name: 'h' }, name: 'data' } },
    { run: 'r', host: 'h' },
  ],
  [
    { fence: { run: 'r' }, store: { host: { name: 't' }, name: 'main' } },
    { run: 'r', host: 't' },
  ],
  [undefined, {}],
  ['text', {}],
])('what an activity input says about its run: %j', (input, subject) => {
  expect(subjectOf(input)).toEqual(subject);
});

test('an activity tells its begin and its end, with run, host and step, and nothing secret of its input', async () => {
  const runsFolder = path.join(scratch, 'runs');
  const logger = createLogger({ file: path.join(scratch, 'worker.log'), runsFolder, level: 'info' });
  const info = {
    activityType: 'copySource',
    attempt: 2,
    workflowExecution: { workflowId: 'backup/portal/run-0001', runId: 'x' },
  };
  const run = (activity: () => Promise<unknown>): Promise<unknown> =>
    new MockActivityEnvironment(info, { interceptors: [stepLogAttributes], logger: temporalLogger(logger) }).run(
      activity,
      ...input,
    );
  const secret = {
    password: 'hunter2',
    key: '-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----',
  };
  const input: unknown[] = [
    { fence: { run: 'run-0001', group: 'portal' }, source: { host: { name: 'app-1' } }, ...secret },
  ];
  await run(() => Promise.resolve({ token: 'hunter2' }));
  await expect(
    run(() => {
      activityLog.info('on the way', { url: 'https://eva:hunter2@hook.example', ...secret });
      return Promise.reject(new CancelledFailure('enough'));
    }),
  ).rejects.toThrow('enough');
  const written = lines(path.join(runsFolder, 'run-0001.log'));
  expect(written.map(({ msg }) => msg)).toEqual(
    expect.arrayContaining(['copySource begins', 'copySource ends', 'copySource is left']),
  );
  for (const line of written) expect(line).toMatchObject({ run: 'run-0001', host: 'app-1', step: 'copySource' });
  expect(written.find(({ msg }) => msg === 'copySource ends')).toMatchObject({
    attempt: 2,
    durationMs: expect.any(Number) as number,
  });
  for (const file of ['worker.log', 'runs/run-0001.log'])
    expect(readFileSync(path.join(scratch, file), 'utf8')).not.toMatch(/hunter2|PRIVATE KEY|b3Bl/);
});
