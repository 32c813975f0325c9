import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { withLock } from '../../workers/lock';
import { choosePorts } from '../../workers/ports';
import { endProcess, identify, isAlive, readRecord, startDetached, tail, writeRecord } from '../../workers/processes';

let scratch: string;
beforeEach(() => {
  scratch = mkdtempSync(path.join(tmpdir(), 'resurgo-processes-test-'));
});
afterEach(() => {
  rmSync(scratch, { recursive: true, force: true });
});

/** A detached `sh -c` with its output in the scratch folder. */
function sh(script: string): ReturnType<typeof startDetached> {
  return startDetached({
    ...{ command: 'sh', args: ['-c', script], env: { PATH: process.env.PATH }, cwd: scratch },
    logFile: path.join(scratch, 'out'),
  });
}

test('a detached process leads a session of its own, and is ended by its identity alone', async () => {
  const started = await sh('echo up; exec sleep 60');
  const session = readFileSync(`/proc/${started.pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[3];
  expect(Number(session)).toBe(started.pid);
  expect(isAlive(started)).toBe(true);
  const stranger = { ...started, startTicks: `${started.startTicks}1` };
  expect(await endProcess(stranger, 1_000)).toBe('gone');
  expect(isAlive(started)).toBe(true);
  expect(await endProcess(started, 5_000)).toBe('ended');
  expect(isAlive(started)).toBe(false);
  expect(await endProcess(started, 1_000)).toBe('gone');
});

test('one that ignores SIGTERM is killed after the grace', async () => {
  const started = await sh('trap "" TERM; echo up; while :; do sleep 0.1; done');
  while (!readFileSync(path.join(scratch, 'out'), 'utf8').includes('up')) await sleep(10);
  expect(await endProcess(started, 300)).toBe('killed');
});

test('a zombie is not alive', async () => {
  const child = spawn('true', { stdio: 'ignore' });
  const before = identify(child.pid!);
  await once(child, 'exit');
  expect(before === undefined || !isAlive(before)).toBe(true);
  expect(identify(2 ** 22 + 1)).toBeUndefined();
});

test('a torn or foreign record counts as none', () => {
  const file = path.join(scratch, 'record.json');
  const schema = z.object({ port: z.number() });
  expect(readRecord(file, schema)).toBeUndefined();
  writeRecord(file, { port: 7 });
  expect(readRecord(file, schema)).toEqual({ port: 7 });
  writeFileSync(file, '{"port": 7');
  expect(readRecord(file, schema)).toBeUndefined();
  writeFileSync(file, '{"port": "7"}');
  expect(readRecord(file, schema)).toBeUndefined();
});

test('ports are kept, and chosen anew when somebody else has one', async () => {
  const file = path.join(scratch, 'ports.json');
  const first = await choosePorts(file);
  expect(await choosePorts(file)).toEqual(first);
  const squatter = createServer().listen(first.uiPort, '127.0.0.1');
  await once(squatter, 'listening');
  try {
    const second = await choosePorts(file);
    expect(second.port).not.toBe(first.port);
    expect(await choosePorts(file)).toEqual(second);
  } finally {
    squatter.close();
  }
});

test('each state folder looks for ports in a place of its own: a server that is away for a moment loses its port to no other director', async () => {
  const places = Array.from({ length: 6 }, (_, nth) => path.join(scratch, `state-${nth}.json`));
  const found: number[] = [];
  for (const place of places) found.push((await choosePorts(place)).port);
  expect(new Set(found).size).toBeGreaterThan(3);
  for (const place of places) rmSync(place);
  expect((await choosePorts(places[0] ?? '')).port).toBe(found[0]);
});

describe('the engine lock', () => {
  test('holds one at a time', async () => {
    const file = path.join(scratch, 'lock');
    let inside = 0;
    let most = 0;
    const turns = Array.from({ length: 5 }, () =>
      withLock({ file, waitMs: 20_000 }, async () => {
        inside += 1;
        most = Math.max(most, inside);
        await sleep(30);
        inside -= 1;
      }),
    );
    await Promise.all(turns);
    expect(most).toBe(1);
  });

  test('is free again after an error, and a second taker gives up in time with a typed error', async () => {
    const file = path.join(scratch, 'lock');
    await expect(
      withLock({ file, waitMs: 1_000 }, async () => {
        await expect(withLock({ file, waitMs: 200 }, () => Promise.resolve())).rejects.toMatchObject({
          code: 'engine-busy',
        });
        throw new Error('work failed');
      }),
    ).rejects.toThrow('work failed');
    expect(await withLock({ file, waitMs: 1_000 }, () => Promise.resolve('free'))).toBe('free');
  });

  test('is free the moment its holder is killed', async () => {
    const file = path.join(scratch, 'lock');
    const register = path.join(__dirname, 'fixtures', 'register.js');
    const script = `require(process.argv[1]).withLock({ file: process.argv[2], waitMs: 5000 },
      () => { console.log('held'); return new Promise(() => setInterval(() => undefined, 1000)); });`;
    const lock = path.join(__dirname, '..', '..', 'workers', 'lock.ts');
    const holder = spawn(process.execPath, ['-r', register, '-e', script, lock, file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(holder.stdout, 'data');
    await expect(withLock({ file, waitMs: 100 }, () => Promise.resolve())).rejects.toMatchObject({
      code: 'engine-busy',
    });
    holder.kill('SIGKILL');
    expect(await withLock({ file, waitMs: 5_000 }, () => Promise.resolve('free'))).toBe('free');
  });
});

test('the end of a log shows why a program in Go has died, not its stack', () => {
  const log = path.join(scratch, 'log');
  const frame = (n: number): string =>
    `github.com/x/y@v1.2.0/z.(*Command).Execute(0x${n}, {{0x0, ...}, 0xb})\n\t/home/x/go/y/command.go:${n} +0x465\n`;
  const stack = Array.from({ length: 50 }, (_, n) => frame(n)).join('');
  writeFileSync(
    log,
    `started\npanic: bind: address already in use\n\ngoroutine 1 [running]:\n${stack}created by main.main\n`,
  );
  expect(tail(log)).toBe('started\npanic: bind: address already in use');
  expect(tail(path.join(scratch, 'none'))).toBe('');
});
