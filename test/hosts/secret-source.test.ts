/** A program that gives a secret: what it prints, and that no wait for it is without end. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSecret } from '../../hosts/secret-source';

jest.setTimeout(60_000);

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'resurgo-secret-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

function given(script: string, timeoutMs = 20_000): Promise<string> {
  const value = join(dir, 'program');
  writeFileSync(value, `#!/bin/sh\ncd ${dir}\n${script}\n`, { mode: 0o700 });
  return readSecret({ secret: { from: 'command', value }, timeoutMs });
}

/** Whether the process whose id was noted there runs still; a zombie does not. */
function runs(file: string): boolean {
  const pid = readFileSync(join(dir, file), 'utf8').trim();
  return existsSync(`/proc/${pid}`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

async function gone(file: string): Promise<void> {
  for (let tried = 0; tried < 100 && runs(file); tried += 1) await new Promise((done) => setTimeout(done, 50));
  expect(runs(file)).toBe(false);
}

test('what it prints is given as it is, and its failure without what it printed', async () => {
  expect(await given("printf ' with blanks \\n'")).toBe(' with blanks \n');
  await expect(given('echo HUSH; exit 3')).rejects.toThrow(/program ended with exit 3$/);
  await expect(given('echo HUSH; kill -9 $$')).rejects.toThrow(/program failed$/);
  const secret = { from: 'command' as const, value: join(dir, 'nowhere') };
  await expect(readSecret({ secret, timeoutMs: 1_000 })).rejects.toThrow(/can't be run \(ENOENT\)$/);
});

test('one that does not want to end is ended, with all that it has started', async () => {
  const late = given(
    "trap '' TERM; echo $$ >own; sleep 300 & echo $! >child; while [ -e own ]; do sleep 1; done",
    1_000,
  );
  await expect(late).rejects.toThrow(/program did not end in time$/);
  await gone('own');
  await gone('child');
});

test('one that has left a child with its output is not waited for without end, and the child ends', async () => {
  const late = given("trap '' TERM; sleep 300 & echo $! >child; echo secret", 1_000);
  await expect(late).rejects.toThrow(/program did not end in time$/);
  await gone('child');
});

test('one that prints without end is ended', async () => {
  await expect(given('exec cat /dev/zero')).rejects.toThrow(/program printed more than any secret is long$/);
});
