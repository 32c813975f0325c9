/** A box with a real sshd on a loopback port, an enrolled peer (itself) and grants into `/var/lib/srv/restored`. */
import { spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { types } from 'node:util';
import { Box, UNIQUE, fence } from './support';
import type { Ran, Reply } from './support';

export const TREE = 'app-1@+srv+data';
export const GROUP = 'portal';
export const RUN = `run-${UNIQUE}`;
/** A source that is a system path; `disarm` takes away what allows writing there. */
export const ARMED = '/etc/armed';
const CONF = [
  `source ${GROUP} data none /var/lib/srv/data ${TREE}`,
  `source ${GROUP} system none /etc/ssh app-1@+etc+ssh`,
  `source ${GROUP} armed none ${ARMED} app-1@+etc+armed`,
  'restore-to /var/lib/srv/restored',
  'restore-to /etc/opened',
  'store main hardlink /var/lib/srv/store none 0',
  `accept main ${GROUP} ${TREE}`,
  'store small hardlink /var/lib/srv/small none 50',
  `accept small ${GROUP} ${TREE}`,
];
export const TARGET = '127.0.0.1::data/';

export interface Opened {
  grant: string;
  /** The private key's file. */
  key: string;
  added: Reply;
}

export class SshBox {
  readonly box: Box;
  hostKey = '';
  port = 0;
  otherPort = 0;
  number = 0;

  constructor() {
    this.box = new Box({
      conf: [...CONF, `arm-system ${ARMED}`],
    });
  }

  async start(): Promise<void> {
    const { box } = this;
    fs.mkdirSync(box.file('var/srv/data/inner'), { recursive: true });
    for (const dir of ['var/srv/restored', 'var/srv/store', 'etc/armed']) fs.mkdirSync(box.file(dir));
    fs.writeFileSync(box.file('one'), '1');
    fs.writeFileSync(box.file('var/srv/secret'), 'another source');
    fs.writeFileSync(box.file('var/srv/data/old'), 'what lies there already');
    const identity = makeKey(box.file('etc/resurgo/host.key'));
    fs.writeFileSync(box.file('etc/resurgo/peers'), `app-1 ${identity}\n`, { mode: 0o600 });
    fs.writeFileSync(box.file('etc/resurgo/director.keys'), `${makeKey(box.file('director'))}\n`, { mode: 0o600 });
    fs.rmSync(box.file('etc/ssh'), { recursive: true, force: true });
    fs.mkdirSync(box.file('etc/ssh'));
    this.hostKey = makeKey(box.file('etc/ssh/ssh_host_ed25519_key'));
    fs.writeFileSync(box.file('known_hosts'), `box ${this.hostKey}\n`);
    fs.mkdirSync(box.file('run/sshd'));
    this.port = await freePort();
    this.otherPort = await freePort();
    fs.writeFileSync(box.file('etc/ssh/sshd_config'), sshdConfig(this.port));
    box.runs('/usr/local/lib/resurgo/sweep-boot', []);
    box.starts('/usr/sbin/sshd', ['-D', '-e', '-f', '/etc/ssh/sshd_config']);
    box.waitFor('sshd', () => !this.ssh(box.file('director'), []).stderr.includes('refused'));
  }

  /** Starts a second sshd at `otherPort`, with a host key that nobody has signed. */
  another(): void {
    const { box } = this;
    makeKey(box.file('etc/ssh/other_key'));
    const config = [
      '-f',
      '/dev/null',
      '-h',
      '/etc/ssh/other_key',
      '-o',
      'ListenAddress=127.0.0.1',
      '-o',
      'PidFile=none',
    ];
    box.starts('/usr/sbin/sshd', ['-D', '-e', '-p', String(this.otherPort), ...config]);
    const scan = () => spawnSync('ssh-keyscan', ['-p', String(this.otherPort), '127.0.0.1'], { timeout: 5_000 });
    box.waitFor('the other sshd', () => scan().stdout.length > 0);
  }

  /** Nothing is armed any more. */
  disarm(): void {
    this.box.conf(['host app-1', ...CONF]);
  }

  /** Anyone's ssh with this key. */
  ssh(key: string, args: string[], input = ''): Ran {
    const ran = spawnSync('ssh', [...this.sshArgs(key), 'resurgo@127.0.0.1', ...args], { input, timeout: 10_000 });
    return { status: ran.status, stdout: ran.stdout.toString(), stderr: ran.stderr.toString() };
  }

  /** rsync's `-e` with this key. */
  shell(key: string): string {
    return ['ssh', ...this.sshArgs(key), '-l', 'resurgo'].join(' ');
  }

  /** Anyone's rsync with this key, in the box's folder. */
  rsync(key: string, args: string[]): Ran {
    const ran = spawnSync('rsync', ['-e', this.shell(key), ...args], { timeout: 20_000, cwd: this.box.root });
    return { status: ran.status, stdout: ran.stdout.toString(), stderr: ran.stderr.toString() };
  }

  startRsync(key: string, args: string[]): ChildProcess {
    return this.box.starts('rsync', ['-e', this.shell(key), ...args]);
  }

  /** Makes a key and has it granted one receive into a folder of its own. */
  open(over: Record<string, string | number> = {}): Opened {
    const grant = `${RUN}.grant.${++this.number}`;
    const made = this.box.ask('grant.key', { ...fence({ run: RUN }), grant, purpose: 'receive' });
    const signed = { pubkey: String(made.pubkey), signature: String(made.signature), peer: 'app-1' };
    const keys = { grant, purpose: 'receive', ...signed, expires_s: 60, ...this.folder() };
    const added = this.box.ask('grant.add', { ...fence({ run: RUN }), ...keys, ...over });
    return { grant, key: this.keyOf(grant), added };
  }

  keyOf(grant: string): string {
    return this.box.state(`runs/${RUN}/grants/${grant}/key`);
  }

  /** The scope of the newest grant. */
  folder(): Record<string, string> {
    return { scope: 'folder', path: '/var/lib/srv/restored', tree: `app-1@+t${this.number}` };
  }

  /** What arrived through the newest grant. */
  received(name: string): string {
    return this.box.file(path.join('var/srv/restored', `app-1@+t${this.number}`, name));
  }

  authorizedKeys(): string {
    return fs.readFileSync(this.box.state('home/.ssh/authorized_keys'), 'utf8');
  }

  /** What lies around the module: it must not change. */
  outside(): string[] {
    const around = ['var/srv', 'var/srv/data', 'var', 'etc', '.'].flatMap((dir) =>
      fs.readdirSync(this.box.file(dir)).map((name) => `${dir}/${name}`),
    );
    return [...around, fs.readFileSync(this.box.file('var/srv/secret'), 'utf8')];
  }

  private sshArgs(key: string): string[] {
    const pinned = ['-o', `UserKnownHostsFile=${this.box.file('known_hosts')}`, '-o', 'StrictHostKeyChecking=yes'];
    const quiet = ['-o', 'IdentitiesOnly=yes', '-o', 'BatchMode=yes', '-o', 'LogLevel=ERROR', '-o', 'HostKeyAlias=box'];
    return ['-F', '/dev/null', '-p', String(this.port), '-i', key, ...quiet, ...pinned];
  }
}

/** The processes that came in by this grant. */
export function insiders(grant: string): string[] {
  return marked(`RESURGO_GRANT=receive ${grant}\0`);
}

/** The processes of a job. */
export function jobProcesses(job: string): string[] {
  return marked(`RESURGO_JOB=${job}\0`);
}

/** Ends a job's processes as a reboot does: all at one instant, so that none sees another's end and reports it. */
export function killJob(job: string): void {
  const held = new Set<string>();
  for (let fresh = jobProcesses(job); fresh.length > 0; fresh = jobProcesses(job).filter((pid) => !held.has(pid)))
    for (const pid of fresh) {
      signal(pid, 'SIGSTOP');
      held.add(pid);
    }
  for (const pid of held) signal(pid, 'SIGKILL');
}

function signal(pid: string, name: NodeJS.Signals): void {
  try {
    process.kill(Number(pid), name);
  } catch (error) {
    // It has ended by itself since it was listed: a job's shells ask for the time and sleep in processes of their own.
    if (!types.isNativeError(error) || !('code' in error) || error.code !== 'ESRCH') throw error;
  }
}

function marked(mark: string): string[] {
  return fs.readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && environment(pid).includes(mark));
}

function environment(pid: string): string {
  try {
    return fs.readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return '';
  }
}

/** Makes an ed25519 key; returns its public half, `ssh-ed25519 BASE64`. */
export function makeKey(file: string): string {
  spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
  return fs.readFileSync(`${file}.pub`, 'utf8').split(' ').slice(0, 2).join(' ');
}

/** An sshd on loopback that lets in by the hostkit's authorized_keys alone; `more` lines stand at its end. */
export function sshdConfig(port: number, more: readonly string[] = ['MaxStartups 100']): string {
  return [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    'HostKey /etc/ssh/ssh_host_ed25519_key',
    'AuthorizedKeysFile /var/lib/resurgo/home/.ssh/authorized_keys',
    'UsePAM no',
    'PidFile /run/sshd.pid',
    'PasswordAuthentication no',
    ...more,
    '',
  ].join('\n');
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  });
}
