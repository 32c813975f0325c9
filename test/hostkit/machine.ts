/** A simulated machine with a `/` of its own on loop devices, and the hostkit in it; see system-root.sh. */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { endInside } from './namespaces';
import { HOSTKIT, UNIQUE, fence, parseReply, request } from './support';
import type { Ran, Reply, Shell } from './support';

const SOURCE = path.join(__dirname, '../../hostkit');
export const MACHINE_CONF = [
  'host app-1',
  'source portal root system / app-1@+ 10',
  'containers portal none',
  'max-pause portal 30',
];

/** Of this test process alone: jobs are ended by their names, and machines beside each other see one /proc. */
export const MACHINE_RUN = `run-${UNIQUE}`;

/** Close it in afterAll. */
export class Machine {
  /** The folder of its disks' images; its root is `root` below, seen in its own namespace alone. */
  readonly folder: string;
  private readonly keeper: ChildProcess;

  constructor(readonly shell: Shell) {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'resurgo-machine-'));
    const script = `exec >"$1/log" 2>&1; ${__dirname}/system-root.sh "$1" "$2" && : >"$1/ready" && exec sleep 600`;
    this.keeper = spawn('unshare', ['-m', 'sh', '-c', script, 'sh', this.folder, SOURCE], { stdio: 'ignore' });
    const deadline = Date.now() + 60_000;
    while (!fs.existsSync(path.join(this.folder, 'ready'))) {
      if (Date.now() > deadline || this.keeper.exitCode !== null) {
        const log = fs.readFileSync(path.join(this.folder, 'log'), 'utf8');
        this.close();
        throw new Error(`the machine does not stand: ${log}`);
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    }
    this.conf(MACHINE_CONF);
  }

  conf(lines: string[]): void {
    this.sh('umask 077; cat >/etc/resurgo/host.conf', `${lines.join('\n')}\n`);
  }

  /** A script inside; what it prints. */
  sh(script: string, input = ''): string {
    const ran = this.runs('sh', ['-euc', script], input);
    if (ran.status !== 0) throw new Error(`${script}: ${ran.stderr}`);
    return ran.stdout.trim();
  }

  /** A script in the machine's namespace and outside its root, in the images' folder. */
  outside(script: string): void {
    const at = ['-t', String(this.keeper.pid), '-m', '--'];
    const ran = spawnSync('nsenter', [...at, 'sh', '-euc', `cd "$1"; ${script}`, 'sh', this.folder]);
    if (ran.status !== 0) throw new Error(`${script}: ${ran.stderr.toString()}`);
  }

  ask(verb: string, args: Record<string, string | number> = {}): Reply {
    const [command = 'dash', ...rest] = this.shell.split(' ');
    return parseReply(this.runs(command, [...rest, HOSTKIT], request(verb, args)));
  }

  /** A whole freeze; `between` happens after it was armed. The answers in their order. */
  async freeze({ run, freeze = 1, between }: { run: string; freeze?: number; between?: () => void }): Promise<Reply[]> {
    const [command = 'dash', ...rest] = this.shell.split(' ');
    const child = spawn('nsenter', this.inside(command, [...rest, HOSTKIT]), { stdio: ['pipe', 'pipe', 'inherit'] });
    let said = '';
    const lines = () => said.split('\n').slice(0, -1);
    const ended = new Promise<void>((resolve) =>
      child.on('close', () => {
        resolve();
      }),
    );
    const answered = (count: number) =>
      new Promise<void>((resolve) => {
        const look = () => {
          if (lines().length >= count) resolve();
        };
        child.stdout.on('data', look);
        look();
      });
    child.stdout.on('data', (data: Buffer) => (said += data.toString()));
    child.stdin.on('error', () => undefined);
    child.stdin.write(request('freeze', { ...fence({ run }), freeze, max_pause: 20 }));
    await Promise.race([answered(1), ended]);
    between?.();
    child.stdin.end('pause\nsnapshot\nthaw\n');
    await ended;
    return lines().map((line) =>
      parseReply({ status: line.startsWith('{"ok":true') ? 0 : 1, stdout: line, stderr: '' }),
    );
  }

  /** A job to its end. */
  job({ kind, run, ...args }: { kind: string; run: string } & Record<string, string>): Reply {
    const job = `${kind}-${run}`;
    this.ask('job.start', { ...fence({ run }), job, kind, ...args });
    for (;;) {
      const polled = this.ask('job.poll', { job, wait_ms: 5000 });
      if (polled['state'] !== 'running') return polled;
    }
  }

  close(): void {
    endInside(this.keeper.pid);
    this.keeper.kill('SIGKILL');
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  private inside(command: string, args: string[]): string[] {
    return ['-t', String(this.keeper.pid), '-m', 'chroot', `${this.folder}/root`, command, ...args];
  }

  private runs(command: string, args: string[], input: string): Ran {
    const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };
    const ran = spawnSync('nsenter', this.inside(command, args), { input, env, timeout: 60_000, maxBuffer: 2 ** 26 });
    return { status: ran.status, stdout: ran.stdout.toString(), stderr: ran.stderr.toString() };
  }
}
