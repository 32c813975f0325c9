/** A real sshd on loopback with keys of its own, whose only command is a fixture that speaks the hostkit's protocol. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import type { HostRef } from '../../../hosts/hosts';
import { parsePublicKey, type PublicKey } from '../../../hosts/known-hosts';

const FIXTURE = resolve(__dirname, '../fixtures/hostkit.sh');

export interface TestSshd {
  dir: string;
  port: number;
  hostKey: PublicKey;
  ref: (name?: string, more?: Partial<HostRef>) => HostRef;
  start: () => Promise<void>;
  /** Kills the listener and every session it serves, as a crash or a power cut would. */
  kill: () => Promise<void>;
  /** A new host key, as after a reinstall. */
  newHostKey: () => void;
  authorize: (lines: string[]) => void;
  /** What the fixture was asked, one line a request. */
  log: () => string[];
  remove: () => Promise<void>;
}

export function makeSshd(options: { port: number; maxSessions?: number; forceCommand?: boolean }): TestSshd {
  const dir = mkdtempSync(join(tmpdir(), 'resurgo-hosts-'));
  const state = join(dir, 'state');
  mkdirSync(state);
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const keyFile = join(dir, 'host_key');
  const config = join(dir, 'sshd_config');
  let child: ChildProcess | undefined;
  const sshd: TestSshd = {
    dir,
    port: options.port,
    hostKey: { type: '', base64: '' },
    ref: (name = 'app-1', more = {}) => ({
      name,
      address: '127.0.0.1',
      port: options.port,
      user: userInfo().username,
      ...more,
    }),
    newHostKey: () => {
      rmSync(keyFile, { force: true });
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', keyFile]);
      sshd.hostKey = parsePublicKey(readFileSync(`${keyFile}.pub`, 'utf8'));
    },
    authorize: (lines) => {
      writeFileSync(join(dir, 'authorized_keys'), `${lines.join('\n')}\n`);
    },
    start: async () => {
      const [program, ...args] = withoutShellStartup(['/usr/sbin/sshd', '-D', '-e', '-f', config]);
      child = spawn(program, args, { stdio: 'ignore', detached: true });
      await listening(options.port);
    },
    kill: async () => {
      const pid = child?.pid;
      if (child === undefined || pid === undefined) return;
      const gone = new Promise((done) => child?.once('exit', done));
      const sessions = descendants(pid);
      child.kill('SIGKILL');
      for (const session of sessions) signalIfThere(session);
      await gone;
      child = undefined;
    },
    log: () => {
      try {
        return readFileSync(join(state, 'log'), 'utf8').trim().split('\n');
      } catch {
        return [];
      }
    },
    remove: async () => {
      await sshd.kill();
      rmSync(dir, { recursive: true, force: true });
    },
  };
  sshd.newHostKey();
  writeFileSync(join(dir, 'authorized_keys'), '');
  const lines = [
    `Port ${options.port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${keyFile}`,
    `AuthorizedKeysFile ${join(dir, 'authorized_keys')}`,
    `PidFile ${join(dir, 'pid')}`,
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'PermitRootLogin yes',
    'UseDNS no',
    'MaxStartups 200:30:400',
    `MaxSessions ${options.maxSessions ?? 10}`,
    ...(options.forceCommand === false ? [] : [`ForceCommand FIXTURE=${state} exec /bin/sh ${FIXTURE}`]),
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  return sshd;
}

/**
 * sshd runs a command through the user's own shell, and bash then reads the user's .bashrc: whatever that does on this machine, and
 * however long it takes, is not what is tested. As root the files are masked, for this sshd alone.
 */
function withoutShellStartup(command: [string, ...string[]]): [string, ...string[]] {
  if (process.getuid?.() !== 0) return command;
  const mask =
    'for file in .bashrc .profile .bash_profile .zshenv; do [ ! -e "$HOME/$file" ] || mount --bind /dev/null "$HOME/$file"; done; exec "$@"';
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', mask, 'sh', ...command];
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => {
        done(port);
      });
    });
  });
}

async function listening(port: number): Promise<void> {
  for (let tried = 0; tried < 100; tried += 1) {
    const open = await new Promise<boolean>((done) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => {
        socket.destroy();
        done(true);
      });
      socket.once('error', () => {
        done(false);
      });
    });
    if (open) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`no sshd on port ${port}`);
}

function descendants(pid: number): number[] {
  const table = execFileSync('ps', ['-e', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  const pairs = table
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  const found: number[] = [];
  for (let next = [pid]; next.length > 0;) {
    next = pairs.filter(([, parent]) => next.includes(parent ?? -1)).map(([child]) => child ?? -1);
    found.push(...next);
  }
  return found;
}

function signalIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended in the meantime.
  }
}
