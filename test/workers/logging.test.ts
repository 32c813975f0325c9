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
import { createLogger, sweepRunLogs, temporalLogger } from '../../workers/logging';
import { subjectOf } from '../../workers/step-logging';

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
  expect(lines(file)[0]).toMatchObject({ run: 'run-0001', msg: 'from a workflow' });
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
  [undefined, {}],
  ['text', {}],
])('what an activity input says about its run: %j', (input, subject) => {
  expect(subjectOf(input)).toEqual(subject);
});
