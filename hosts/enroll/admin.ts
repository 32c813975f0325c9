/** The administrator's own way in: a root shell for one fixed script at a time. Passwords are written to sudo's stdin and nowhere else. */
import type { Client, ClientChannel } from 'ssh2';
import { bounded } from '../bounded';
import { dial, type Login } from '../dial';
import { HostError } from '../errors';
import type { HostRef } from '../hosts';
import type { PublicKey } from '../known-hosts';

export interface AdminLogin {
  login: Login;
  /** Asked of the administrator and never stored; needed when the login is not root and sudo asks. */
  sudoPassword?: string;
}

export interface AdminOptions {
  /** Address, port and the administrator's user; `via` is dialled with the same login. */
  host: HostRef;
  admin: AdminLogin;
  /** The pinned keys of a place on the way, or who decides. */
  trust: (host: HostRef) => { pinned: readonly PublicKey[]; decide?: (key: PublicKey) => Promise<boolean> };
}

export interface ScriptOutput {
  stdout: string;
  stderr: string;
  exit: number | null;
}

const CONNECT_MS = 20_000;
const REFUSED =
  "the host does not take the administrator's login: look at `admin_user` in the runbook, and at the key (--key), the agent or the password that you gave";
/** The longest output that is taken from a script (S29). */
const OUTPUT_BYTES = 1024 * 1024;

export class AdminShell {
  private constructor(
    private readonly clients: readonly Client[],
    private readonly name: string,
    private readonly sudo: string[],
    private readonly password: string | undefined,
  ) {}

  /** Logs in, by way of the jumps, and finds out how to become root. @throws HostError */
  static async open({ host, admin, trust }: AdminOptions): Promise<AdminShell> {
    const clients: Client[] = [];
    try {
      await connect({ host, admin, trust }, clients);
      const as = (sudo: string[], password?: string) => new AdminShell(clients, host.name, sudo, password);
      const plain = as([]);
      if ((await plain.exec('id -u')).stdout.trim() === '0') return plain;
      if ((await plain.exec('sudo -k -n true')).exit === 0) return as(['sudo', '-n', '--']);
      const withPassword = as(['sudo', '-k', '-S', '-p', "''", '--'], admin.sudoPassword ?? '');
      if (admin.sudoPassword !== undefined && (await withPassword.root('exit 0', {})).exit === 0) return withPassword;
      const message =
        admin.sudoPassword === undefined
          ? `${host.user ?? ''} is not root and sudo asks for a password (or is missing)`
          : `sudo refused the password of ${host.user ?? ''}`;
      const next = 'log in as root, or give the sudo password, and run `resurgo enroll HOST` again';
      throw new HostError({ host: host.name, verb: 'enroll', step: 'sudo', code: 'sudo-refused', message, next });
    } catch (error) {
      for (const client of clients) client.destroy();
      throw error;
    }
  }

  /** Runs a script as root with `sh -c`; its arguments and stdin are given. */
  root(
    script: string,
    options: { args?: readonly string[]; stdin?: Uint8Array; timeoutMs?: number },
  ): Promise<ScriptOutput> {
    const words = [...this.sudo, '/bin/sh', '-c', quote(script), 'resurgo-enroll', ...(options.args ?? []).map(quote)];
    const password = this.password === undefined ? [] : [Buffer.from(`${this.password}\n`)];
    return this.exec(words.join(' '), {
      ...options,
      stdin: Buffer.concat([...password, options.stdin ?? Buffer.alloc(0)]),
    });
  }

  close(): void {
    for (const client of [...this.clients].reverse()) client.end();
  }

  private exec(command: string, options: { stdin?: Uint8Array; timeoutMs?: number } = {}): Promise<ScriptOutput> {
    const { stdin, timeoutMs = 60_000 } = options;
    const client = this.clients.at(-1);
    if (client === undefined) throw new Error('not connected');
    const output = new Promise<ScriptOutput>((resolve, reject) => {
      client.exec(command, (error: Error | undefined, channel: ClientChannel) => {
        if (error === undefined) collect(channel, stdin, resolve);
        else reject(new HostError({ ...this.at(), code: 'connection-lost', message: error.message, cause: error }));
      });
    });
    const late = () => new HostError({ ...this.at(), code: 'timeout', message: `no end within ${timeoutMs} ms` });
    const giveUp = () => {
      client.destroy();
    };
    return bounded(output, { timeoutMs, late, giveUp });
  }

  private at() {
    return { host: this.name, verb: 'enroll' };
  }
}

async function connect({ host, admin, trust }: AdminOptions, clients: Client[]): Promise<Client> {
  const jump = host.via === undefined ? undefined : await connect({ host: host.via, admin, trust }, clients);
  const sock = jump === undefined ? undefined : await forward(jump, host);
  const how = { timeoutMs: CONNECT_MS, keepaliveMs: 15_000, sock, whenRefused: REFUSED, ...trust(host) };
  const client = await dial({ host, login: admin.login, ...how });
  client.on('error', () => undefined);
  clients.push(client);
  return client;
}

function forward(jump: Client, host: HostRef): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    jump.forwardOut('127.0.0.1', 0, host.address, host.port ?? 22, (error, channel) => {
      if (error === undefined) resolve(channel);
      else {
        const message = `through ${host.via?.name ?? 'the jump'}: ${error.message}`;
        reject(new HostError({ host: host.name, verb: 'connect', code: 'unreachable', message, cause: error }));
      }
    });
  });
}

function collect(channel: ClientChannel, stdin: Uint8Array | undefined, done: (output: ScriptOutput) => void): void {
  const stdout: Buffer[] = [];
  let bytes = 0;
  let stderr = '';
  let exit: number | null = null;
  channel.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= OUTPUT_BYTES) stdout.push(chunk);
  });
  channel.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString('utf8')).slice(-4096);
  });
  channel.on('error', () => undefined);
  channel.on('exit', (code: unknown) => {
    exit = typeof code === 'number' ? code : null;
  });
  channel.once('close', () => {
    done({ stdout: Buffer.concat(stdout).toString('utf8'), stderr, exit });
  });
  channel.end(stdin === undefined ? Buffer.alloc(0) : Buffer.from(stdin));
}

/** One word of a shell's command line. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
