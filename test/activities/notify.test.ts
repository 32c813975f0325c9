/** What a notification sends, and what its failure tells. */
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Notify } from '../../runbooks/types';
import { again, bench, run } from './support/run';

const NOTICE = { event: 'failure' as const, group: 'portal', run: 'r-1', kind: 'backup', message: 'it failed' };
const LOGIN = 'anna:s3cret%2F@';

function to(change: Partial<Notify>): { to: Notify[]; notice: typeof NOTICE } {
  return { to: [{ kind: 'webhook', url: '', on: ['failure'], secret: null, ...change }], notice: NOTICE };
}

test.each(['webhook', 'ping'] as const)(
  'a %s with a user and a password in its address logs in with them',
  async (kind) => {
    const seen: IncomingMessage[] = [];
    const server = createServer((request, response) => {
      seen.push(request);
      response.end();
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const at = bench();
    await run(at, at.activities.notify, to({ kind, url: `http://${LOGIN}127.0.0.1:${port}/hook` }));
    server.close();
    const basic = Buffer.from('anna:s3cret/').toString('base64');
    expect(seen.map((each) => each.headers.authorization)).toEqual([`Basic ${basic}`]);
  },
);

test("a failure holds no password: neither of the address nor of what the secret's command said", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'resurgo-notify-'));
  const value = path.join(folder, 'secret');
  writeFileSync(value, '#!/bin/sh\necho "no answer from https://anna:s3cret@vault.example/" >&2\nexit 1\n');
  chmodSync(value, 0o755);
  for (const secret of [null, { from: 'command' as const, value }]) {
    const at = bench();
    const failing = run(at, at.activities.notify, to({ url: `http://${LOGIN}127.0.0.1:9/hook`, secret }));
    const message = await failing.then(
      () => '',
      (error: unknown) => (error instanceof Error ? error.message : ''),
    );
    expect(message).toMatch(/^1 of 1 notification failed/);
    expect(message).not.toContain('s3cret');
  }
  rmSync(folder, { recursive: true, force: true });
});

/** Answers every call, and counts them. */
async function listening(): Promise<{ url: string; calls: () => number; close: () => void }> {
  let calls = 0;
  const server = createServer((_request, response) => {
    calls += 1;
    response.end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/hook`, calls: () => calls, close: () => server.close() };
}

/** Nobody listens there any more. */
async function deadUrl(): Promise<string> {
  const server = await listening();
  server.close();
  return server.url.replace('/hook', '/T0KEN?key=s3cret');
}

const webhook = (url: string): Notify => ({ kind: 'webhook', url, on: ['failure'], secret: null });

test('a failure names the host and the cause, and no path: that may be the secret', async () => {
  const url = await deadUrl();
  const at = bench();
  const failing = run(at, at.activities.notify, { to: [webhook(url)], notice: NOTICE });
  const { host } = new URL(url);
  await expect(failing).rejects.toThrow(`1 of 1 notification failed: ${host}: connect ECONNREFUSED ${host}`);
  await expect(failing).rejects.not.toThrow(/T0KEN|s3cret/);
});

test('a later attempt tells only those that were not reached', async () => {
  const [good, url] = [await listening(), await deadUrl()];
  const at = bench();
  const kept: unknown[] = [];
  at.env.on('heartbeat', (details: unknown) => kept.push(details));
  const input = { to: [webhook(good.url), webhook(url)], notice: NOTICE };
  await expect(run(at, at.activities.notify, input)).rejects.toThrow(/^1 of 2/);
  const second = again(2, kept.at(-1));
  await expect(run(second, at.activities.notify, input)).rejects.toThrow(/^1 of 2/);
  expect(good.calls()).toBe(1);
  good.close();
});
