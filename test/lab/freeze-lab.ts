/** What the freeze's tests share: the hostkit on a lab host, requests to it, and its session over a real ssh connection. */
import { execFileSync, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import * as path from 'node:path';
import { z } from 'zod';
import type { Fleet, Output } from './support/fleet';

const HOSTKIT = path.join(__dirname, '..', '..', 'hostkit');
/** No phase of a freeze takes longer on a busy machine, in milliseconds. */
const ANSWER_MS = 30_000;
const named = z.looseObject({ name: z.string() });
const names = z.array(z.string()).default([]);

/** Every reply of the verbs under test, loosely: a test looks at the members it is about. */
export const reply = z.looseObject({
  ok: z.boolean(),
  code: z.string().default(''),
  message: z.string().default(''),
  phase: z.string().default(''),
  torn: z.string().default(''),
  containers: z.array(named).default([]),
  left: z.array(z.looseObject({ name: z.string(), why: z.string() })).default([]),
  snapshots: z.array(z.looseObject({ source: z.string(), name: z.string() })).default([]),
  sources: z.array(z.looseObject({ name: z.string(), nested: names, mountsBelow: names, problems: names })).default([]),
  unprotected: names,
  thawed: names,
  failed: names,
  gone: names,
  healthy: z.boolean().optional(),
  dropped: names,
  deadmanFired: z.boolean().default(false),
  pausedMs: z.number().default(-1),
});
export type Reply = z.infer<typeof reply>;

/** Puts the hostkit and a configuration on the host, as enrolment would. */
export async function installHostkit(fleet: Fleet, host: string, conf: readonly string[]): Promise<void> {
  const kit = execFileSync('tar', ['-C', HOSTKIT, '-cz', '.']).toString('base64');
  const place = 'rm -rf /usr/local/lib/resurgo && mkdir -p /usr/local/lib/resurgo && cd /usr/local/lib/resurgo';
  await fleet.exec(host, `${place} && base64 -d | tar -xz --no-same-owner && chown -R root: .`, { input: kit });
  await configure(fleet, host, conf);
}

export async function configure(fleet: Fleet, host: string, conf: readonly string[]): Promise<void> {
  const write = 'mkdir -p /etc/resurgo && cat > /etc/resurgo/host.conf && chmod 600 /etc/resurgo/host.conf';
  await fleet.exec(host, write, { input: ['host app-1', ...conf, ''].join('\n') });
}

function requestText(verb: string, keys: Record<string, string | number>): string {
  const lines = Object.entries(keys).map(([key, value]) => `${key} ${value}`);
  return [`resurgo 1 ${verb}`, ...lines, '.', ''].join('\n');
}

let attempts = 0;
/** Fence keys of a step; each call is the next attempt. */
export function fence(step: string, run = 'run-00000001'): Record<string, string | number> {
  attempts += 1;
  return { group: 'portal', run, term: run === 'run-00000001' ? 1 : 2, step, attempt: attempts };
}

/** One request to the host's hostkit, answered by its reply, refusals included. */
export async function ask(
  fleet: Fleet,
  host: string,
  verb: string,
  keys: Record<string, string | number>,
): Promise<Reply> {
  const input = requestText(verb, keys);
  const output: Output = await fleet.exec(host, 'sh /usr/local/lib/resurgo/hostkit', { input, mayFail: true });
  return reply.parse(JSON.parse(output.stdout.trim()));
}

/** A freeze session through the host's sshd. */
export class Session {
  private readonly child: ChildProcessWithoutNullStreams;
  private text = '';
  private closed = false;

  constructor(
    fleet: Fleet,
    host: string,
    { maxPauseS, freeze = 0, run }: { maxPauseS: number; freeze?: number; run?: string },
  ) {
    const to = `root@${fleet.host(host).address}`;
    const pinned = [
      '-o',
      `UserKnownHostsFile=${fleet.knownHosts}`,
      '-o',
      'StrictHostKeyChecking=yes',
      '-o',
      'BatchMode=yes',
    ];
    this.child = spawn('ssh', ['-T', '-i', fleet.adminKey, ...pinned, to, 'sh /usr/local/lib/resurgo/hostkit']);
    this.child.stdout.on('data', (chunk: Buffer) => (this.text += chunk.toString()));
    this.child.on('close', () => (this.closed = true));
    this.child.stdin.on('error', () => undefined);
    this.child.stdin.write(requestText('freeze', { ...fence('freeze', run), freeze, max_pause: maxPauseS }));
  }

  /** Says a word (none for the first answer) and resolves with the next answer. */
  async say(word?: 'pause' | 'snapshot' | 'thaw'): Promise<Reply> {
    if (word !== undefined) this.child.stdin.write(`${word}\n`);
    const arrived = await until(() => this.text.includes('\n') || this.closed, ANSWER_MS);
    const end = this.text.indexOf('\n');
    if (!arrived || end < 0) throw new Error(`no answer to '${word ?? 'the request'}'`);
    const line = this.text.slice(0, end);
    this.text = this.text.slice(end + 1);
    return reply.parse(JSON.parse(line));
  }

  /** The director vanishes: its connection breaks without a word. */
  vanish(): void {
    this.child.kill('SIGKILL');
  }
}

/** Polls until it holds, or the time (ms) is over: then false. */
export async function until(holds: () => boolean | Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    if (await holds()) return true;
    if (Date.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
