/** The whole product on a simulated fleet: hosts enrolled, a director with a state folder of its own, and its command line as an operator runs it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { enrollHosts } from '../../../hosts/enroll/enroll';
import { hostRef } from '../../../hosts/refs';
import { SshHosts } from '../../../hosts/ssh-hosts';
import { status } from '../../../hosts/verbs/reading';
import { parseRunbook } from '../../../runbooks/load';
import type { Runbook } from '../../../runbooks/types';
import { connectEngine, stopEngine } from '../../../workers/engine';
import { type Fleet, type FleetSpec, raiseFleet } from './fleet';
import { ensureBuilt, RESURGO } from './product-build';

/** No command of a test takes longer on a busy machine, in milliseconds; what takes longer hangs. */
const COMMAND_MS = 120_000;

const event = z.looseObject({ type: z.string().optional() });
export type Event = z.infer<typeof event>;

const backupEnd = z.looseObject({
  type: z.literal('ended'),
  state: z.string(),
  id: z.string(),
  pauseMs: z.number(),
  label: z.string(),
  sources: z.array(
    z.looseObject({ tree: z.string(), state: z.string(), sentBytes: z.number(), bytes: z.number(), files: z.number() }),
  ),
  warnings: z.array(z.string()),
});
export type BackupEnd = z.infer<typeof backupEnd>;

const planned = z.looseObject({
  type: z.literal('plan'),
  run: z.string(),
  hash: z.string(),
  plan: z.looseObject({
    totals: z.looseObject({ files: z.number(), bytes: z.number(), deletions: z.number() }),
    stops: z.array(z.looseObject({ host: z.string() })),
    blockers: z.array(z.string()),
    items: z.array(z.looseObject({ deletions: z.number(), files: z.number() })),
  }),
});
export type Planned = z.infer<typeof planned>;

const questionsAsked = z.array(
  z.looseObject({ step: z.string(), failure: z.looseObject({ message: z.string() }), allowed: z.array(z.string()) }),
);
/** What a run asks a person. */
export interface Question {
  step: string;
  message: string;
  allowed: string[];
}

/** What one command said and how it ended. */
export interface Said {
  code: number;
  stdout: string;
  stderr: string;
  /** The objects of a `--json` output, one a line. */
  events: Event[];
}

export interface RunOptions {
  /** Added to the command's environment. */
  env?: NodeJS.ProcessEnv;
  /** Exit codes that are not a failure of the test. Default: 0 alone. */
  allow?: readonly number[];
  /** After this long the command is killed and the call fails, in milliseconds. */
  timeoutMs?: number;
}

export interface ProductSpec extends FleetSpec {
  /** The runbook's text, once the addresses are known; `hosts:` is written by {@link hostLines}. */
  runbook: (fleet: Fleet) => string;
  /** Makes data and workloads before the hosts are enrolled. */
  prepare?: (fleet: Fleet) => Promise<void>;
}

/** One director with its own state folder, keys and engine. */
export class Director {
  constructor(
    readonly fleet: Fleet,
    readonly stateDir: string,
    readonly runbookFile: string,
  ) {}

  get runbook(): Runbook {
    return parseRunbook({ text: readFileSync(this.runbookFile, 'utf8'), file: this.runbookFile });
  }

  /** Enrols hosts with the administrator's key. @throws the first host's error */
  async enroll(hosts: readonly string[] = Object.keys(this.runbook.hosts), takeOver = false): Promise<void> {
    const { failed } = await enrollHosts({
      stateDir: this.stateDir,
      runbook: this.runbook,
      hosts,
      takeOver,
      admin: () => ({ login: { privateKey: readFileSync(this.fleet.adminKey, 'utf8') } }),
      adminKnownHosts: readFileSync(this.fleet.knownHosts, 'utf8'),
    });
    for (const { error } of failed) throw error;
  }

  /** Runs `resurgo` as a process of its own. @throws when it exits with a code that is not allowed, with all that it said */
  async run(
    args: readonly string[],
    { env = {}, allow = [0], timeoutMs = COMMAND_MS }: RunOptions = {},
  ): Promise<Said> {
    const said = await this.spawned(args, { env, timeoutMs });
    if (!allow.includes(said.code))
      throw new Error(`resurgo ${args.join(' ')}: exit ${said.code}\n${said.stderr}\n${said.stdout.slice(-3000)}`);
    return said;
  }

  /** A backup that must not fail, to its end. */
  async backup(args: readonly string[] = [], options: RunOptions = {}): Promise<BackupEnd> {
    const { events } = await this.run(['backup', ...args, '--json'], options);
    return backupEnd.parse(events.find(({ type }) => type === 'ended'));
  }

  /** Starts a restore, which waits for the approval of its plan. @throws with what it asks instead */
  async plan(args: readonly string[]): Promise<Planned> {
    const said = await this.run(['restore', ...args, '--json'], { allow: [3], timeoutMs: 60_000 });
    const shown = said.events.find(({ type }) => type === 'plan');
    if (shown === undefined) throw new Error(`no plan: ${said.stdout}${said.stderr}`);
    return planned.parse(shown);
  }

  /** A restore with its plan approved, to its end. */
  async restore(args: readonly string[]): Promise<Planned> {
    const plan = await this.plan(args);
    await this.run(['approve', plan.run, plan.hash.slice(0, 12)]);
    await this.ended(plan.run);
    return plan;
  }

  /** Starts a run and leaves it; resolves with its id. */
  async detached(args: readonly string[]): Promise<string> {
    const { events } = await this.run([...args, '--detach', '--json']);
    return z.looseObject({ run: z.string() }).parse(events.find(({ type }) => type === 'started')).run;
  }

  /** Waits until a run asks a person. @throws when it ends, or asks nothing in time */
  async question(run: string, timeoutMs = 90_000): Promise<Question> {
    const asked = await this.settled(run, timeoutMs);
    if (asked !== undefined) return asked;
    const said = await this.run(['watch', run], { allow: [0, 1, 3] });
    throw new Error(`run ${run} ended without a question: ${said.stdout}${said.stderr}`);
  }

  /** Waits for a run's end and returns what `watch` says of it. @throws when it asks a person instead, with the question */
  async ended(run: string, allow: readonly number[] = [0], timeoutMs = 100_000): Promise<Said> {
    const asked = await this.settled(run, timeoutMs);
    if (asked !== undefined) throw new Error(`run ${run} waits at step "${asked.step}": ${asked.message}`);
    return this.run(['watch', run], { allow });
  }

  /** Until the run asks (then the question) or has ended (then nothing). Read from the engine itself, as a process each time would take longer than a step. */
  async settled(run: string, timeoutMs: number): Promise<Question | undefined> {
    // The engine stands, with the worker of the compiled command line; none of ours is to take its place.
    const { client, connection } = await connectEngine({ stateDir: this.stateDir, worker: false });
    try {
      const end = Date.now() + timeoutMs;
      while (Date.now() < end) {
        await sleep(200);
        const ids: string[] = [];
        for await (const { workflowId } of client.workflow.list()) if (workflowId.endsWith(run)) ids.push(workflowId);
        const [id] = ids;
        if (id === undefined) continue;
        const handle = client.workflow.getHandle(id);
        if ((await handle.describe()).status.name !== 'RUNNING') return undefined;
        const [asked] = questionsAsked.parse(await handle.query('questions').catch(() => []));
        if (asked !== undefined) return { step: asked.step, message: asked.failure.message, allowed: asked.allowed };
      }
      throw new Error(`run ${run} neither ended nor asked within ${timeoutMs} ms`);
    } finally {
      await connection.close();
    }
  }

  /**
   * What is left of runs on the hosts, as `host kind name`; empty is clean. Leases of ended runs count only while they are live; the safety
   * snapshots of restores are kept by design.
   */
  async leftovers(group: string): Promise<string[]> {
    const hosts = await SshHosts.open({ stateDir: this.stateDir });
    try {
      const { runbook } = this;
      const found: string[] = [];
      for (const name of Object.keys(runbook.hosts)) {
        const now = await status({ hosts, host: hostRef({ runbook, host: name }), group });
        for (const kind of ['grants', 'jobs', 'snapshots', 'deadmen', 'paused', 'runs'] as const)
          for (const each of now[kind]) if (!('safety' in each)) found.push(`${name} ${kind} ${JSON.stringify(each)}`);
        for (const each of now.leases)
          if (!('live' in each) || each.live !== false) found.push(`${name} leases ${JSON.stringify(each)}`);
      }
      return found;
    } finally {
      await hosts.close();
    }
  }

  private spawned(args: readonly string[], { env, timeoutMs }: Required<Omit<RunOptions, 'allow'>>): Promise<Said> {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [RESURGO, ...args], {
        env: { ...process.env, RESURGO_STATE: this.stateDir, RESURGO_RUNBOOK: this.runbookFile, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let stdout = '';
      let stderr = '';
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
      let tooLate = false;
      const timer = setTimeout(() => {
        tooLate = true;
        child.kill('SIGKILL');
        const late = `resurgo ${args.join(' ')}: not within ${timeoutMs} ms\n${stderr}\n${stdout.slice(-3000)}`;
        // What it waits for is the first thing to know.
        const waits = args[0] === 'runs' ? Promise.resolve('') : this.run(['runs']).then(({ stdout: text }) => text);
        waits.catch(String).then((text) => {
          reject(new Error(`${late}\n${text}`));
        }, reject);
      }, timeoutMs);
      child.on('error', reject);
      child.on('close', (code) => {
        clearTimeout(timer);
        if (!tooLate)
          resolve({ code: code ?? -1, stdout, stderr, events: args.includes('--json') ? eventsOf(stdout) : [] });
      });
    });
  }
}

/** A director and its fleet; `down` takes everything away. */
export class Product extends Director {
  private readonly directors: { stateDir: string; guard: ChildProcess }[] = [];

  constructor(
    fleet: Fleet,
    private readonly folder: string,
  ) {
    super(fleet, path.join(folder, 'state'), path.join(folder, 'resurgo.yaml'));
    this.directors.push({ stateDir: this.stateDir, guard: guard(this.stateDir, folder) });
  }

  /** Another director with another state folder, engine and keys; it ends with this product. */
  other(name: string, stateDir = path.join(this.folder, name)): Director {
    this.directors.push({ stateDir, guard: guard(stateDir, stateDir) });
    return new Director(this.fleet, stateDir, this.runbookFile);
  }

  writeRunbook(text: string): void {
    writeFileSync(this.runbookFile, text);
  }

  /** Ends engines, fleet and folders, each also when another one fails. */
  async down(): Promise<void> {
    const failures: unknown[] = [];
    const attempt = async (work: () => Promise<unknown>) => {
      await work().catch((error: unknown) => failures.push(error));
    };
    for (const { stateDir } of this.directors) await attempt(() => stopEngine({ stateDir }));
    await attempt(() => this.fleet.down());
    rmSync(this.folder, { recursive: true, force: true });
    for (const { guard: each } of this.directors) each.kill('SIGKILL');
    if (failures.length > 0) throw failures[0];
  }
}

/** Raises the fleet, makes its data, writes the runbook, enrols all hosts. Whatever fails, nothing stays. */
export async function raiseProduct(spec: ProductSpec): Promise<Product> {
  ensureBuilt();
  const fleet = await raiseFleet(spec);
  const folder = mkdtempSync(path.join(tmpdir(), `resurgo-${spec.name}-`));
  const product = new Product(fleet, folder);
  try {
    product.writeRunbook(spec.runbook(fleet));
    await spec.prepare?.(fleet);
    await product.enroll();
    return product;
  } catch (error) {
    await product.down();
    throw error;
  }
}

/** The runbook's `hosts:` for all hosts of a fleet. */
export function hostLines(fleet: Fleet): string {
  return ['hosts:', ...fleet.hosts.map(({ name, address }) => `  ${name}: { address: ${address} }`)].join('\n');
}

/** A process that ends the director's engine when the test's own process was killed and could not do it itself. */
function guard(stateDir: string, folder: string): ChildProcess {
  const script =
    'while kill -0 "$1" 2>/dev/null; do sleep 1; done; [ ! -d "$2" ] || RESURGO_STATE=$2 "$3" "$4" engine stop; rm -rf "$5"';
  const args = ['-c', script, 'guard', String(process.pid), stateDir, process.execPath, RESURGO, folder];
  const child = spawn('/bin/sh', args, { detached: true, stdio: 'ignore' });
  child.unref();
  return child;
}

function eventsOf(stdout: string): Event[] {
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => event.parse(JSON.parse(line)));
}

/** Polls until it holds. @throws when it does not in time (ms) */
export async function eventually(what: string, holds: () => Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  for (const end = Date.now() + timeoutMs; !(await holds());) {
    if (Date.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(100);
  }
}

/** Runs a program of this machine and returns its output. @throws with its stderr */
export function local(command: string, args: readonly string[], input = ''): string {
  const ran = spawnSync(command, args, { input, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, timeout: 60_000 });
  if (ran.error !== undefined) throw ran.error;
  if (ran.status !== 0)
    throw new Error(`${command} ${args.join(' ')}: exit ${ran.status ?? 'by a signal'}: ${ran.stderr}`);
  return ran.stdout;
}

/** Takes a product down, if the suite came as far as raising it. */
export async function takeDown(product: Product | undefined): Promise<void> {
  await product?.down();
}
