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
  /** What it is for: the command, as errors name it. */
  verb: 'enroll' | 'unenroll' | 'keys rotate' | 'recover' | 'adopt';
  /** Address, port and the administrator's user; `via` is dialled with the same login. */
  host: HostRef;
  admin: AdminLogin;
  /** The pinned keys of a place on the way, or who decides. */
  trust: (host: HostRef) => { pinned: readonly PublicKey[]; decide?: (key: PublicKey) => Promise<boolean> };
  /** For each connection on the way, in ms. Default 20,000. */
  connectTimeoutMs?: number;
  /** Where the login's name comes from. @default the runbook's `admin_user` */
  named?: string;
}

/** A script for root, or what is asked of the login beforehand. */
interface Run {
  /** As errors name it. */
  step: string;
  args?: readonly string[];
  stdin?: Uint8Array;
  /** Default 60,000. */
  timeoutMs?: number;
}

export interface ScriptOutput {
  stdout: string;
  stderr: string;
  exit: number | null;
}

const CONNECT_MS = 20_000;
const NAMED = '`admin_user` in the runbook';
/** The longest output that is taken from a script (S29). */
const OUTPUT_BYTES = 1024 * 1024;

export class AdminShell {
  private constructor(
    private readonly clients: readonly Client[],
    private readonly at: { host: string; verb: AdminOptions['verb'] },
    private readonly sudo: string[],
    private readonly password: string | undefined,
  ) {}

  /** Logs in, by way of the jumps, and finds out how to become root. @throws HostError */
  static async open(options: AdminOptions): Promise<AdminShell> {
    const { verb, host, admin, named = NAMED } = options;
    const clients: Client[] = [];
    try {
      await connect(options, clients);
      const at = { host: host.name, verb };
      const as = (sudo: string[], password?: string) => new AdminShell(clients, at, sudo, password);
      const plain = as([]);
      if ((await plain.exec('id -u', { step: 'login' })).stdout.trim() === '0') return plain;
      if ((await plain.exec('sudo -k -n true', { step: 'sudo' })).exit === 0) return as(['sudo', '-n', '--']);
      const withPassword = as(['sudo', '-k', '-S', '-p', "''", '--'], admin.sudoPassword ?? '');
      if (admin.sudoPassword !== undefined && (await withPassword.root('exit 0', { step: 'sudo' })).exit === 0)
        return withPassword;
      const message =
        admin.sudoPassword === undefined
          ? `${host.user ?? ''} is not root and sudo asks for a password (or is missing)`
          : `sudo refused the password of ${host.user ?? ''}`;
      const next = `log in as root (${named}), or give the right sudo password with --ask-sudo: run \`resurgo ${verb}\` again`;
      throw new HostError({ ...at, step: 'sudo', code: 'sudo-refused', message, next });
    } catch (error) {
      for (const client of clients) client.destroy();
      throw error;
    }
  }

  /** Runs a script as root with `sh -c`; its arguments and stdin are given. */
  root(script: string, options: Run): Promise<ScriptOutput> {
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

  private exec(command: string, { step, stdin, timeoutMs = 60_000 }: Run): Promise<ScriptOutput> {
    const at = { ...this.at, step };
    const client = this.clients.at(-1);
    if (client === undefined) throw new Error('not connected');
    const output = new Promise<ScriptOutput>((resolve, reject) => {
      client.exec(command, (error: Error | undefined, channel: ClientChannel) => {
        if (error === undefined) collect(channel, stdin, resolve);
        else reject(new HostError({ ...at, code: 'connection-lost', message: error.message, cause: error }));
      });
    });
    const late = () => new HostError({ ...at, code: 'timeout', message: `no end within ${timeoutMs} ms` });
    const giveUp = () => {
      client.destroy();
    };
    return bounded(output, { timeoutMs, late, giveUp });
  }
}

async function connect(options: AdminOptions, clients: Client[]): Promise<Client> {
  const { verb, host, admin, trust, connectTimeoutMs: timeoutMs = CONNECT_MS, named = NAMED } = options;
  const jump = host.via === undefined ? undefined : await connect({ ...options, host: host.via }, clients);
  try {
    const sock = jump === undefined ? undefined : await forward(jump, host, timeoutMs);
    const whenRefused = `the host does not take the administrator's login: look at ${named}, and at the key (--key), the agent or the password that you gave`;
    const how = { timeoutMs, keepaliveMs: 15_000, sock, whenRefused, ...trust(host) };
    const client = await dial({ host, login: admin.login, ...how });
    client.on('error', () => undefined);
    clients.push(client);
    return client;
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    const { code, reason, next, retryable, detail } = error;
    const at = { host: host.name, verb, step: 'connect' };
    throw new HostError({ ...at, code, message: reason, next, retryable, detail, cause: error });
  }
}

/** A jump goes on trying a silent host for minutes: the wait has an end of its own. Who asked closes the jump's connection then. */
function forward(jump: Client, host: HostRef, timeoutMs: number): Promise<ClientChannel> {
  const failure = (why: string, cause?: unknown) => {
    const message = `through ${host.via?.name ?? 'the jump'}: ${why}`;
    return new HostError({ host: host.name, verb: 'connect', code: 'unreachable', message, cause });
  };
  const opened = new Promise<ClientChannel>((resolve, reject) => {
    jump.forwardOut('127.0.0.1', 0, host.address, host.port ?? 22, (error, channel) => {
      if (error === undefined) resolve(channel);
      else reject(failure(error.message, error));
    });
  });
  return bounded(opened, { timeoutMs, late: () => failure(`no answer within ${timeoutMs} ms`) });
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
