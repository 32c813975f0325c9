/** What a command says, and its exit code, when it is used wrongly or can't do what it was asked. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CliContext } from '../../cli/context';
import { fleetRunbook } from './support/fleet-runbook';
import { resurgo } from './support/run';

const ROOT = path.resolve(__dirname, '../..');
const state = process.env.RESURGO_STATE;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'resurgo-trouble-'));
  // No keys, no fleet: whatever asks for them fails with 1.
  process.env.RESURGO_STATE = path.join(folder, 'state');
  writeFileSync(path.join(folder, 'fleet.yaml'), fleetRunbook(1));
});
afterEach(() => {
  if (state === undefined) delete process.env.RESURGO_STATE;
  else process.env.RESURGO_STATE = state;
  rmSync(folder, { recursive: true, force: true });
});

const run = (...args: string[]) => resurgo('-r', path.join(folder, 'fleet.yaml'), ...args);

test.each([
  [['restore', 'latest', '--to', 'relative'], '--to wants an absolute path'],
  [['restore', 'latest', '--to', '/var/restore/../x'], '--to wants an absolute path without ".."'],
  [['restore', 'latest', '--to', 'app-1:/var/a\tb'], "a path with control characters can't be named"],
  [['restore', 'latest', '--path', 'data'], '--path wants an absolute path'],
  [['restore', 'latest', '--path', '/srv/data/../x'], '--path wants an absolute path without ".."'],
  [
    ['restore', 'latest', '--path', '/srv/data/a\nb'],
    'can\'t be named ("/srv/data/a\\nb"); restore the folder above it',
  ],
  [['restore', 'latest', '--path', '/srv/data/\u007f'], 'restore the folder above it'],
  [['restore', 'latest', '--to', '/x', '--into', 'other.yaml'], 'exclude each other'],
  [['restore', 'latest', '--approve', 'yes'], '--approve wants the hash'],
  [['pause', 'portal', '--for', '20x'], '--for wants a duration'],
  [['adopt', '--approve', 'f'], 'nothing was adopted'],
  [['find', '/x', '--limit', '0'], '--limit wants'],
])('wrong options are told before anything is read: %j exits 2', async (args, message) => {
  expect(await run(...args)).toMatchObject({ code: 2, stderr: expect.stringContaining(message) as string });
});

test('a path that no host could be asked for is told at once', async () => {
  const ran = await run('restore', 'latest', '--path', `/srv/data/${'ä'.repeat(2050)}`);
  expect(ran).toMatchObject({ code: 2, stderr: expect.stringContaining('more than 4096 bytes') as string });
});

test.each([
  [['list'], 1, 'failed', 'keys'],
  [['restore', 'latest', '--to', 'relative'], 2, 'usage', '--to wants an absolute path'],
  [['list', 'nosuch'], 2, 'usage', 'no group'],
  [['list', 'constructor'], 2, 'usage', 'no group'],
  [['nosuch'], 2, 'usage', "unknown command 'nosuch'"],
  [['list', '--nosuch'], 2, 'usage', "unknown option '--nosuch'"],
])('--json has one object for a failure: %j', async (args, exit, code, message) => {
  const ran = await run('--json', ...args);
  expect(ran.code).toBe(exit);
  const lines = ran.stdout.trim().split('\n');
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toEqual({
    type: 'error',
    code: expect.stringContaining(code) as string,
    message: expect.stringContaining(message) as string,
  });
  expect(ran.stderr).toContain(message);
  expect((await run(...args)).stdout).toBe('');
});

describe('where no engine has ever run', () => {
  const start = () => jest.spyOn(CliContext.prototype, 'engine').mockRejectedValue(new Error('it was started'));
  afterEach(() => {
    jest.restoreAllMocks();
  });

  test.each([['watch'], ['retry'], ['skip'], ['abort'], ['cancel'], ['show'], ['approve', '1f2e3d4c5b6a']])(
    '%s says that there can be no such run, and starts and makes nothing',
    async (verb, ...more) => {
      const started = start();
      const ran = await run(verb, 'r20261121t013000z-000001', ...more);
      expect(ran).toMatchObject({ code: 1, stdout: '' });
      expect(ran.stderr).toMatch(/^there is no run r20261121t013000z-000001: no engine has ever run here \(.*state\)/);
      expect(started).not.toHaveBeenCalled();
      expect(existsSync(path.join(folder, 'state'))).toBe(false);
    },
  );

  test('`runs` has none, and no schedule can be removed', async () => {
    const started = start();
    expect(await run('runs')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('nothing runs: no engine has ever run here') as string,
    });
    expect(JSON.parse((await run('--json', 'runs')).stdout)).toEqual({ runs: [] });
    expect((await run('schedule', 'remove', 'portal')).stderr).toContain('portal has no schedule: no engine has ever');
    expect(started).not.toHaveBeenCalled();
  });

  test('`runs` starts none that was stopped, and says that it is', async () => {
    const started = start();
    mkdirSync(path.join(folder, 'state', 'engine'), { recursive: true });
    writeFileSync(path.join(folder, 'state', 'engine', 'temporal.db'), '');
    expect(await run('runs')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('the engine is stopped') as string,
    });
    expect(started).not.toHaveBeenCalled();
  });

  test('a database of one is reason enough to start it', async () => {
    const started = start();
    mkdirSync(path.join(folder, 'state', 'engine'), { recursive: true });
    writeFileSync(path.join(folder, 'state', 'engine', 'temporal.db'), '');
    expect(await run('watch', 'r2026')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('started') as string,
    });
    expect(started).toHaveBeenCalledTimes(1);
  });
});

test.each([['runbook', 'validate'], ['list'], ['backup', '--dry-run'], ['doctor'], ['enroll', '--all'], ['status']])(
  '`%s %s` refuses a runbook that is no UTF-8, too large, a folder or not there, as every verb does',
  async (...args) => {
    const file = path.join(folder, 'fleet.yaml');
    const says = async (message: string) => {
      expect(await run(...args)).toMatchObject({ code: 2, stderr: expect.stringContaining(message) as string });
    };
    writeFileSync(file, Buffer.from(`# caf\xe9\n${fleetRunbook(1)}`, 'latin1'));
    await says(`${file}:1:1: is not UTF-8 text`);
    // Its size alone is enough: it has no content on disk.
    truncateSync(file, 2 ** 40);
    await says(`${file}:1:1: is ${2 ** 40} bytes long`);
    rmSync(file);
    await says(`${file}:1:1: can't be read: no such file; name one with --runbook FILE`);
    mkdirSync(file);
    await says(`${file}:1:1: is a folder`);
  },
);

test('an inventory that is not there is not looked for as a runbook', async () => {
  const { code, stderr } = await run('import', 'ansible', path.join(folder, 'nofile'));
  expect(code).toBe(2);
  expect(stderr).toContain('no such file; give the path of an inventory');
  expect(stderr).not.toContain('--runbook');
});

test('--json names the code of a runbook that is wrong', async () => {
  writeFileSync(path.join(folder, 'fleet.yaml'), 'version: 1\nhosts:\n  a: { adress: x }\n');
  const ran = await run('--json', 'list');
  expect(ran.code).toBe(2);
  expect(JSON.parse(ran.stdout)).toMatchObject({ type: 'error', code: 'bad-runbook' });
});

test('help of what there is exits 0, of what there is not 2, however deep', async () => {
  expect(await run('help', 'schedule', 'apply')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('Usage: resurgo schedule apply') as string,
  });
  expect((await run('help')).code).toBe(0);
  for (const args of [
    ['help', 'nosuch'],
    ['help', 'schedule', 'nosuch'],
    ['runbook', 'help', 'nosuch'],
  ])
    expect([args, (await run(...args)).code]).toEqual([args, 2]);
  expect((await run('help', 'schedule', 'nosuch')).stderr).toContain("unknown command 'schedule nosuch'");
});

describe('where the output goes', () => {
  const shell = (line: string) =>
    spawnSync(
      'bash',
      ['-o', 'pipefail', '-c', `"$0" -r ./test/workers/fixtures/register.js cli/main.ts ${line}`, process.execPath],
      { cwd: ROOT, encoding: 'utf8', timeout: 60_000 },
    );

  test('a full disk is told in a line, and the exit code is 1', () => {
    const ran = shell('runbook schema > /dev/full');
    expect(ran.stderr).toMatch(/^the output can't be written: ENOSPC[^\n]*\n$/);
    expect(ran.status).toBe(1);
  });

  test('a reader that has gone is no trouble', () => {
    expect(shell('runbook schema | true').stderr).toBe('');
  });

  test('trouble that can not be told keeps its exit code', () => {
    expect(shell('nosuch 2> /dev/full').status).toBe(2);
  });
});
