/** What a worker says while its server is not there, and at its end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { connectAtBoot } from '../../workers/boot-wait';

const FIXTURES = path.join(__dirname, 'fixtures');
/** A port on loopback where nothing listens. */
const NOBODY = '127.0.0.1:9';

let scratch: string;
beforeEach(() => {
  scratch = mkdtempSync(path.join(tmpdir(), 'resurgo-boot-test-'));
});
afterEach(() => {
  rmSync(scratch, { recursive: true, force: true });
});

test('the first attempt that fails is told at once, with the address and what to check', async () => {
  const said: string[] = [];
  const logger = pino({}, { write: (line: string) => said.push(line) });
  const settings = { address: NOBODY, namespace: 'default', external: true };
  await expect(connectAtBoot({ settings, logger, waitMs: 1_000 })).rejects.toMatchObject({
    code: 'engine-unreachable',
  });
  // The attempts after it are not told one by one.
  expect(said).toHaveLength(1);
  expect(JSON.parse(said[0] ?? '')).toMatchObject({
    address: NOBODY,
    msg: expect.stringMatching(
      /waiting for the Temporal server at 127\.0\.0\.1:9 \(.+\)\. Check .*TEMPORAL_ADDRESS/,
    ) as string,
  });
}, 20_000);

test('a worker that knows no server ends with one line that says what to do, and without a stack', async () => {
  const bundle = path.join(scratch, 'bundle.js');
  writeFileSync(bundle, '');
  const args = ['-r', path.join(FIXTURES, 'register.js'), path.join(FIXTURES, 'worker-main.ts')];
  const { PATH } = process.env;
  const child = spawn(process.execPath, [...args, '--state', path.join(scratch, 'state')], {
    env: { PATH, HOME: scratch, XDG_CONFIG_HOME: scratch, RESURGO_WORKFLOWS_BUNDLE: bundle },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [code] = (await once(child, 'close')) as [number | null];
  expect(code).toBe(1);
  expect(stderr).toMatch(/^[^\n]*no address is configured[^\n]*Set TEMPORAL_ADDRESS[^\n]*\n$/);
  expect(stdout).toContain('the worker has not started');
  expect(stdout).not.toContain('"stack"');
}, 60_000);
