/**
 * The real hostkit in a box: a mount namespace whose /etc, /run, /usr/local/lib and /var/lib are folders of this test, so that
 * nothing of the machine is touched. Needs root; without it the tests say so, and with CI=true that is a failure.
 */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { end, endInside } from './namespaces';

export type Shell = 'dash' | 'busybox ash';
export const SHELLS: Shell[] = ['dash', 'busybox ash'];
/** Marks of processes are looked for in the whole /proc, so names must differ from those of a test run beside this one. */
export const UNIQUE = `p${String(process.pid).padStart(8, '0')}`;
export const HOSTKIT = '/usr/local/lib/resurgo/hostkit';
const HOSTKIT_SOURCE = path.join(__dirname, '../../hostkit');

/** `describe` where the box can stand; elsewhere one test that says why not, and fails under CI=true. */
export function describeAsRoot(name: string, body: () => void): void {
  if (process.getuid?.() === 0) {
    describe(name, body);
    return;
  }
  describe(name, () => {
    const reason = 'skipped: needs root for a mount namespace of its own';
    if (process.env.CI === 'true') it(reason, () => fail(reason));
    else it.skip(reason, () => undefined);
  });
}

function fail(reason: string): never {
  throw new Error(reason);
}

export interface Reply {
  ok: boolean;
  code?: string;
  message?: string;
  [key: string]: unknown;
}

export interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
}

export interface BoxOptions {
  shell?: Shell;
  /** Lines of host.conf besides `host`. */
  conf?: string[];
  host?: string;
}

/** One simulated host. Close it in afterAll. */
export class Box {
  readonly root: string;
  readonly shell: Shell;
  private readonly keeper: ChildProcess;
  private readonly others: ChildProcess[] = [];

  constructor({ shell = 'dash', conf = [], host = 'app-1' }: BoxOptions = {}) {
    this.shell = shell;
    this.root = fs.mkdtempSync(path.join(os.tmpdir(), 'resurgo-box-'));
    fs.chmodSync(this.root, 0o755);
    for (const dir of ['etc', 'run', 'lib', 'var', 'var/resurgo', 'lib/resurgo']) fs.mkdirSync(this.file(dir));
    fs.chmodSync(this.file('var/resurgo'), 0o711);
    this.copyEtc();
    fs.mkdirSync(this.file('etc/resurgo'), { mode: 0o700 });
    this.conf([`host ${host}`, ...conf]);
    fs.cpSync(HOSTKIT_SOURCE, this.file('lib/resurgo'), { recursive: true });
    must(spawnSync('chown', ['-R', '0:0', this.file('lib/resurgo')]));
    const script = [
      'mount --make-rprivate /',
      ...['etc', 'run'].map((dir) => `mount --bind ${this.file(dir)} /${dir}`),
      `mount --bind ${this.file('var')} /var/lib`,
      // Last: what is waited for below is the hostkit, and a request before all stands would be about this machine.
      `mount --bind ${this.file('lib')} /usr/local/lib`,
      'exec sleep 600',
    ].join(' && ');
    this.keeper = spawn('unshare', ['-m', 'sh', '-c', script], { stdio: ['ignore', 'ignore', 'inherit'] });
    try {
      this.waitFor('the box', () => this.runs('test', ['-e', HOSTKIT]).status === 0);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** A path of the box's folder as this process sees it: `etc/…`, `var/resurgo/…`. */
  file(name: string): string {
    return path.join(this.root, name);
  }

  state(name: string): string {
    return this.file(path.join('var/resurgo', name));
  }

  conf(lines: string[]): void {
    fs.writeFileSync(this.file('etc/resurgo/host.conf'), `${lines.join('\n')}\n`, { mode: 0o600 });
  }

  /** Runs a program inside. */
  runs(command: string, args: string[], input?: string | Buffer, env?: NodeJS.ProcessEnv): Ran {
    const ran = spawnSync('nsenter', this.inside(command, args), { input, env, timeout: 30_000, maxBuffer: 2 ** 26 });
    return { status: ran.status, stdout: ran.stdout.toString(), stderr: ran.stderr.toString() };
  }

  inside(command: string, args: string[]): string[] {
    return ['-t', String(this.keeper.pid), '-m', '--', command, ...args];
  }

  /** Starts a program inside; the box ends it on close. */
  starts(command: string, args: string[]): ChildProcess {
    const child = spawn('nsenter', this.inside(command, args), { stdio: ['pipe', 'pipe', 'pipe'] });
    this.others.push(child);
    return child;
  }

  /** The hostkit with this text on stdin. */
  raw(input: string | Buffer, env: NodeJS.ProcessEnv = {}): Ran {
    const [command = 'dash', ...args] = this.shell.split(' ');
    return this.runs(command, [...args, HOSTKIT], input, { PATH: process.env.PATH, ...env });
  }

  /** The hostkit with this request; the reply is parsed. */
  ask(verb: string, args: Record<string, string | number> = {}): Reply {
    const ran = this.raw(request(verb, args));
    return parseReply(ran);
  }

  /** Several requests at once; the replies in their order. */
  async askAll(requests: [string, Record<string, string | number>][]): Promise<Reply[]> {
    const [command = 'dash', ...args] = this.shell.split(' ');
    return Promise.all(
      requests.map(([verb, keys]) => {
        const child = this.starts(command, [...args, HOSTKIT]);
        let stdout = '';
        child.stdout?.on('data', (data: Buffer) => (stdout += data.toString()));
        child.stdin?.end(request(verb, keys));
        return new Promise<Reply>((resolve) =>
          child.on('close', (status) => {
            resolve(parseReply({ status, stdout, stderr: '' }));
          }),
        );
      }),
    );
  }

  /** Everything below the box's /etc/resurgo and /var/lib/resurgo, content included, as one text; locks and logs left out. */
  snapshot(): string {
    return [...walk(this.file('etc/resurgo')), ...walk(this.file('var/resurgo'))].sort().join('\n');
  }

  waitFor(what: string, seen: () => boolean, ms = 10_000): void {
    const deadline = Date.now() + ms;
    while (!seen()) {
      if (Date.now() > deadline) throw new Error(`${what}: not seen within ${ms} ms`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }

  /** Ends what still runs inside, by the mark of the box's mount namespace, and removes the folder. */
  close(): void {
    endInside(this.keeper.pid);
    for (const dir of listDirs(this.state('jobs'))) this.endJob(dir);
    for (const child of [...this.others, this.keeper]) child.kill('SIGKILL');
    fs.rmSync(this.root, { recursive: true, force: true });
  }

  /** Jobs have mount namespaces of their own. */
  private endJob(job: string): void {
    const mark = `RESURGO_JOB=${job}\0`;
    for (const pid of fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      if (readOr(`/proc/${pid}/environ`).includes(mark)) end(Number(pid));
    }
  }

  /** What programs need of /etc, and the user that the director logs in as. */
  private copyEtc(): void {
    const wanted = [
      'alternatives',
      'ssh',
      'pam.d',
      'security',
      'nsswitch.conf',
      'ld.so.cache',
      'ld.so.conf',
      'localtime',
    ];
    for (const name of [...wanted, 'os-release', 'hosts', 'login.defs', 'passwd', 'group', 'shadow', 'sudo.conf']) {
      const from = path.join('/etc', name);
      if (fs.existsSync(from)) must(spawnSync('cp', ['-a', from, this.file('etc')]));
    }
    fs.appendFileSync(this.file('etc/passwd'), 'resurgo:x:64999:64999::/var/lib/resurgo/home:/bin/sh\n');
    fs.appendFileSync(this.file('etc/group'), 'resurgo:x:64999:\n');
    fs.appendFileSync(this.file('etc/shadow'), 'resurgo:*:19000:0:99999:7:::\n');
    const sudoers = [
      'Defaults!/usr/local/lib/resurgo/hostkit env_keep += "RESURGO_GRANT", !requiretty',
      'resurgo ALL=(root) NOPASSWD: /usr/local/lib/resurgo/hostkit ""',
    ];
    fs.writeFileSync(this.file('etc/sudoers'), `${sudoers.join('\n')}\n`, { mode: 0o440 });
  }
}

/** The fence keys, with a run of the test. */
export function fence(over: Record<string, string | number> = {}): Record<string, string | number> {
  return { group: 'portal', run: 'run-00000001', term: 1, step: 'step', attempt: 1, ...over };
}

export function request(verb: string, args: Record<string, string | number>): string {
  const lines = Object.entries(args).map(([key, value]) => `${key} ${encode(String(value))}`);
  return [`resurgo 1 ${verb}`, ...lines, '.', ''].join('\n');
}

export function encode(value: string): string {
  return [...Buffer.from(value)]
    .map((byte) => {
      const letter = String.fromCharCode(byte);
      return /[A-Za-z0-9._/@:=,+-]/.test(letter) ? letter : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}

export function parseReply({ status, stdout, stderr }: Ran): Reply {
  const lines = stdout.split('\n').filter((line) => line !== '');
  if (lines.length !== 1) throw new Error(`not one line of reply (exit ${status}): ${stdout}${stderr}`);
  const parsed: unknown = JSON.parse(lines[0] ?? '');
  if (!isReply(parsed)) throw new Error(`not a reply: ${stdout}`);
  if ((status === 0) !== parsed.ok) throw new Error(`exit ${status} does not fit: ${stdout}${stderr}`);
  return parsed;
}

function isReply(value: unknown): value is Reply {
  return typeof value === 'object' && value !== null && 'ok' in value && typeof value.ok === 'boolean';
}

function* walk(dir: string): Generator<string> {
  for (const entry of fs.readdirSync(dir, { withFileTypes: true })) {
    const full = path.join(dir, entry.name);
    if (entry.name === 'lock' || entry.name === 'log') continue;
    const { mode, mtimeMs } = fs.lstatSync(full);
    if (entry.isDirectory()) {
      yield `${full} ${mode}`;
      yield* walk(full);
    } else {
      const digest = entry.isFile() ? createHash('sha256').update(fs.readFileSync(full)).digest('hex') : '';
      yield `${full} ${mode} ${mtimeMs} ${digest}`;
    }
  }
}

function listDirs(dir: string): string[] {
  return fs.existsSync(dir) ? fs.readdirSync(dir) : [];
}

function readOr(file: string): string {
  try {
    return fs.readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

function must(ran: { status: number | null; stderr: Buffer }): void {
  if (ran.status !== 0) throw new Error(ran.stderr.toString());
}
