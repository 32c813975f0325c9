/**
 * A store on a loop device, one source, one jail behind a real sshd on loopback, and the hostkit's own verbs and jobs:
 * what the stores' tests stand on. Everything is below one scratch folder and goes with `close()`.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  readdirSync,
  writeFileSync,
} from 'node:fs';
import { gzipSync } from 'node:zlib';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const hostkit = resolve(__dirname, '../../hostkit');
const runner = join(__dirname, 'stores-job.sh');
export const tree = 'app-1@+data';

export type Answer = Record<string, unknown> & { ok: boolean; code?: string; message?: string };

/** What the jail leaves alone of attributes. */
const [, jailFilter = ''] = /^jail_filter='(.*)'$/m.exec(readFileSync(join(hostkit, 'lib/jail.sh'), 'utf8')) ?? [];

/** Percent-encodes a value as a request does. */
const encode = (value: string): string =>
  [...Buffer.from(value)]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      return /[A-Za-z0-9._/@:=,+-]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');

export function sh(script: string, ...args: string[]): string {
  return execFileSync('sh', ['-euc', script, 'sh', ...args], { encoding: 'utf8', maxBuffer: 64 << 20 });
}

async function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === 'object') done(address.port);
        else fail(new Error('no port'));
      });
    });
  });
}

export interface StoreKit {
  root: string;
  /** The store's place. */
  place: string;
  source: string;
  /** PLACE/GROUP/current/TREE */
  received: string;
  job(kind: string, args?: Record<string, string>, run?: string): Answer;
  verb(name: string, args?: Record<string, string>): Answer;
  /** Starts a job and leaves it running. */
  start(kind: string, args: Record<string, string>, run?: string): ChildProcess;
  /** Points the jail at a folder; returns the keys that name this peer. */
  serve(data: string, meta: string): Promise<void>;
  peer(): Record<string, string>;
  /** The request's keys with the peer's signature for that run. */
  signed(args: Record<string, string>, run: string): Record<string, string>;
  /** open → send → compare. */
  copy(run: string, extra?: Record<string, string>): Promise<{ open: Answer; send: Answer; compare: Answer }>;
  seal(run: string, id: string, options?: { compressed?: boolean; manifest?: Record<string, unknown> }): Answer;
  close(): void;
}

export interface StoreKitOptions {
  kind: 'btrfs' | 'hardlink';
  /** File system of the store's disk. */
  fs: 'btrfs' | 'ext4' | 'xfs';
  sizeMiB?: number;
  /** More lines for host.conf. */
  conf?: string;
}

export async function storeKit(options: StoreKitOptions): Promise<StoreKit> {
  const root = mkdtempSync(join(tmpdir(), 'resurgo-stores-'));
  const place = join(root, 'place');
  const source = join(root, 'source');
  const port = await freePort();
  for (const dir of ['etc', 'var/log', 'var/lock', 'run', 'lib/lib', 'ssh', 'jobs', 'place', 'source'])
    mkdirSync(join(root, dir), { recursive: true });
  for (const dir of ['jobs', 'verbs', 'stores', 'snapshots']) symlinkSync(join(hostkit, dir), join(root, 'lib', dir));
  const replaced: Record<string, string> = {
    // A snapshot of the kit is lost where there is a file `lost`, and none, but the source itself, where there is a file `live`.
    'view.sh': [
      `. ${hostkit}/lib/view.sh`,
      'snapshot_view() { mkdir -p "$4"; mount --bind "$src_path" "$4"; snap_record=/dev/null view_live=no view_shown=$2; [ ! -e "$RESURGO_VAR/live" ] || view_live=yes; }',
      `kit_intact() { [ ! -e "$RESURGO_VAR/lost" ] || { snap_problem='it has overflowed'; return 1; }; }`,
      ...['none', 'btrfs', 'zfs'].map((kind) => `snapshot_${kind}_intact() { kit_intact; }\n`),
    ].join('\n'),
    'snapshots.sh': '',
    'grants.sh': `. ${hostkit}/lib/grants.sh\ngrants_close_run() { echo "$1" >>"$RESURGO_VAR/closed"; }\n`,
  };
  for (const file of readdirSync(join(hostkit, 'lib')))
    if (!(file in replaced)) symlinkSync(join(hostkit, 'lib', file), join(root, 'lib/lib', file));
  for (const [file, text] of Object.entries(replaced)) writeFileSync(join(root, 'lib/lib', file), text);
  const conf = [
    'host app-1',
    `source web data btrfs ${source} ${encode(tree)}`,
    `store main ${options.kind} ${place} none 2`,
    `accept main web ${encode(tree)}`,
    options.conf ?? '',
  ];
  writeFileSync(join(root, 'etc/host.conf'), `${conf.join('\n')}\n`, { mode: 0o600 });
  sh(
    `truncate -s ${options.sizeMiB ?? 512}M "$1/disk"
     mkfs.${options.fs} -q "$1/disk" >/dev/null
     mount -o loop,nosuid,nodev "$1/disk" "$1/place"
     ssh-keygen -q -t ed25519 -N '' -f "$1/ssh/host"
     ssh-keygen -q -t ed25519 -N '' -f "$1/ssh/key"
     ssh-keygen -q -t ed25519 -N '' -f "$1/ssh/identity"
     (umask 077; echo "peer-1 $(cut -d' ' -f1-2 "$1/ssh/identity.pub")" >"$1/etc/peers")
     mkdir -p /run/sshd`,
    root,
  );
  const jail = join(root, 'ssh/jail');
  writeFileSync(jail, `#!/bin/sh\nexec rsync --server --daemon --config=${root}/ssh/rsyncd.conf .\n`, { mode: 0o755 });
  writeFileSync(
    join(root, 'ssh/keys'),
    `restrict,command="${jail}" ${readFileSync(join(root, 'ssh/key.pub'), 'utf8')}`,
  );
  const sshd = spawn(
    '/usr/sbin/sshd',
    ['-D', '-f', '/dev/null', '-h', join(root, 'ssh/host'), '-o', 'UsePAM=no', '-o', `ListenAddress=127.0.0.1:${port}`]
      .concat(['-o', `AuthorizedKeysFile=${root}/ssh/keys`, '-o', 'StrictModes=no', '-o', 'UseDNS=no'])
      .concat(['-o', 'PermitRootLogin=forced-commands-only', '-o', `PidFile=${root}/ssh/pid`, '-o', 'MaxStartups=50']),
    { stdio: 'ignore' },
  );
  const received = join(place, 'web/current', tree);
  const full = (kind: 'job' | 'verb', name: string, args: Record<string, string>, run: string): string[] => {
    const fence = { group: 'web', run, term: '1', step: 's', attempt: '1' };
    const all =
      kind === 'job' ? { ...fence, job: `${name}.${run}`, ...args } : { store: 'main', group: 'web', ...args };
    return [root, kind, name, ...Object.entries(all).map(([key, value]) => `${key}=${encode(value)}`)];
  };
  const command = (args: string[]): string[] => ['-m', '--propagation', 'private', 'sh', runner, ...args];
  const invoke = (args: string[]): Answer => {
    const { stdout, stderr, status, signal } = spawnSync('unshare', command(args), {
      encoding: 'utf8',
      timeout: 60_000,
    });
    const line = stdout.trim().split('\n').at(-1) ?? '';
    if (!line.startsWith('{')) throw new Error(`no answer (exit ${status}, signal ${signal}): ${stdout}${stderr}`);
    return JSON.parse(line) as Answer;
  };
  const keyOf = (run: string): void => {
    const dir = join(root, 'var/runs', run, 'grants/g1');
    if (existsSync(dir)) return;
    mkdirSync(dir, { recursive: true });
    sh('cp "$1" "$2/key" && chmod 600 "$2/key"', join(root, 'ssh/key'), dir);
  };
  const peerKey = readFileSync(join(root, 'ssh/host.pub'), 'utf8').split(' ').slice(0, 2).join(' ');
  /** What names the peer in a request is signed by it, for the run. */
  const signed = (args: Record<string, string>, run: string): Record<string, string> => {
    if (args['peer_key'] === undefined || args['signature'] !== undefined) return args;
    const statement = `resurgo-host ${run} g1 ${args['peer_key']}\n`;
    const made = execFileSync(
      'ssh-keygen',
      ['-q', '-Y', 'sign', '-n', 'resurgo-grant', '-f', join(root, 'ssh/identity')],
      {
        input: statement,
        encoding: 'utf8',
      },
    );
    const lines = made.split('\n').filter((line) => !line.startsWith('-----'));
    return { ...args, signature: lines.join('') };
  };
  const kit: StoreKit = {
    root,
    place,
    source,
    received,
    signed,
    job: (kind, args = {}, run = 'run-0001') => (keyOf(run), invoke(full('job', kind, signed(args, run), run))),
    verb: (name, args = {}) => invoke(full('verb', name, args, '')),
    start: (kind, args, run = 'run-0001') => {
      keyOf(run);
      return spawn('unshare', command(full('job', kind, signed(args, run), run)), { stdio: 'ignore', detached: true });
    },
    serve: async (data, meta) => {
      mkdirSync(data, { recursive: true });
      mkdirSync(meta, { recursive: true });
      const modules = `[data]\npath = ${data}\n[meta]\npath = ${meta}\n`;
      writeFileSync(
        join(root, 'ssh/rsyncd.conf'),
        `use chroot = yes\nuid = 0\ngid = 0\nnumeric ids = yes\nread only = no\nwrite only = yes\nreverse lookup = no\nlog file = /dev/null\nfilter = ${jailFilter}\n${modules}`,
      );
      for (let tries = 0; !existsSync(join(root, 'ssh/pid')); tries++) {
        if (tries === 500) throw new Error('no sshd within 10 s');
        await new Promise((done) => setTimeout(done, 20));
      }
    },
    peer: () => ({
      grant: 'g1',
      peer: 'peer-1',
      peer_host: '127.0.0.1',
      peer_port: String(port),
      peer_user: 'root',
      peer_key: peerKey,
    }),
    copy: async (run, extra = {}) => {
      const open = kit.job('store-open', { store: 'main' }, run);
      await kit.serve(received, join(root, 'var/runs', run, 'incoming', tree));
      const send = kit.job('send', { source: 'data', ...kit.peer(), ...extra }, run);
      const compare = kit.job(
        'store-compare',
        { store: 'main', tree, sha256: typeof send['sha256'] === 'string' ? send['sha256'] : '0' },
        run,
      );
      return { open, send, compare };
    },
    seal: (run, id, { compressed = false, manifest: more = {} } = {}) => {
      const bytes = Buffer.from(JSON.stringify({ id, run, ...more }));
      const text = (compressed ? gzipSync(bytes) : bytes).toString('base64');
      // One that is long comes in two parts.
      const cut = compressed ? 8 : text.length;
      const parts = { manifest: text.slice(0, cut), ...(compressed ? { manifest_rest: text.slice(cut) } : {}) };
      return kit.job('store-seal', { store: 'main', id, ...parts, manifest_sig: 'c2ln' }, run);
    },
    close: () => {
      sshd.kill('SIGKILL');
      spawnSync('umount', [place]);
      if (spawnSync('mountpoint', ['-q', place]).status === 0) spawnSync('umount', ['-l', place]);
      rmSync(root, { recursive: true, force: true });
    },
  };
  return kit;
}
