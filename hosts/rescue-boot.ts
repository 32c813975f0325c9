/**
 * Starts rescue media in a virtual machine of this very machine and logs in with the director's key: the proof that they boot. QEMU runs
 * under this user, without any network but a port on loopback; by KVM where this user may, else in software. What it needs lies in a
 * folder of its own, 0700, as media with a pinned host key are a secret (S30); it goes with the test, or with the next one after a crash.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { access, constants, mkdir, mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { RescueBuild } from '../planning/rescue-media';
import { loadDirectorKeys, type DirectorKeys } from './director-keys';
import { dial } from './dial';
import { HostError } from './errors';
import { isMissing } from './files';
import type { HostRef } from './hosts';
import { fingerprint, KnownHosts, parsePublicKey, type PublicKey } from './known-hosts';
import { SshPool } from './pool';
import { rescueName } from './rescue-ref';
import { SerialConsole } from './serial-console';
import { SshHosts } from './ssh-hosts';
import { probe } from './verbs/reading';

/** What is started: the build's files, and how one is read. */
export interface MediaToBoot extends Pick<RescueBuild, 'files' | 'hostKey'> {
  host: string;
  /** Opens one of the files. */
  open: (name: string) => Promise<Readable>;
  /** Told what is under way. */
  onStep?: (step: 'fetch' | 'boot') => void;
  signal?: AbortSignal;
}

export interface BootedMedia {
  bootedAt: string;
  /** From power-on to an answer of its hostkit. */
  seconds: number;
  kernel: string;
  /** How it was started: `by BIOS`, `kernel and initramfs`; and what emulated the processor. */
  how: string;
}

/** In software a machine boots in half a minute where there is nothing else to do. */
const BOOT_MS = 300_000;
const QEMU = 'qemu-system-x86_64';
/** UEFI firmware of the distributions, for media that no BIOS can boot. */
const FIRMWARE = [
  '/usr/share/ovmf/OVMF.fd',
  '/usr/share/OVMF/OVMF.fd',
  '/usr/share/qemu/OVMF.fd',
  '/usr/share/edk2/ovmf/OVMF.fd',
];

/** Starts the media; null where this machine has no QEMU. @throws HostError when they do not boot, or nobody can log in */
export async function bootMedia({
  stateDir,
  media,
}: {
  stateDir: string;
  media: MediaToBoot;
}): Promise<BootedMedia | null> {
  if (!(await isInPath(QEMU))) return null;
  const keys = await loadDirectorKeys({ stateDir });
  const scratch = join(stateDir, 'rescue-boot');
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  await sweepBoots({ stateDir });
  const folder = await mkdtemp(join(scratch, `${process.pid}.${await beganAt(process.pid)}.`));
  try {
    media.onStep?.('fetch');
    const names = media.files.some(({ name }) => name === 'rescue.iso') ? ['rescue.iso'] : ['vmlinuz', 'initramfs.img'];
    for (const name of names) await fetched({ media, name, folder });
    media.onStep?.('boot');
    return await booted({ media, keys, folder });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Ends machines of directors that are gone, and removes what they had fetched. */
export async function sweepBoots({ stateDir }: { stateDir: string }): Promise<void> {
  const scratch = join(stateDir, 'rescue-boot');
  const folders = await readdir(scratch).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  for (const name of folders) {
    const [owner = '', began = ''] = name.split('.');
    if ((await beganAt(Number(owner))) === began) continue;
    const folder = join(scratch, name);
    const machine = Number(await readFile(join(folder, 'pid'), 'utf8').catch(() => '0'));
    // By its own folder in its arguments: the number may be another's by now.
    if (machine > 1 && (await commandOf(machine)).includes(folder)) process.kill(machine, 'SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }
}

/** When a process began, in ticks since the boot: with its number it names one process. Empty where there is none. */
async function beganAt(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The command's name, in brackets, may hold anything.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

async function commandOf(pid: number): Promise<string> {
  return pid > 1 ? readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '') : '';
}

/** A copy of one file, whose sum is that of the build. */
async function fetched({ media, name, folder }: { media: MediaToBoot; name: string; folder: string }): Promise<void> {
  const wanted = media.files.find((each) => each.name === name);
  if (wanted === undefined) throw failed(media, `its build has no ${name} that could be started`);
  const sum = createHash('sha256');
  const summed = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      sum.update(chunk);
      done(null, chunk);
    },
  });
  const out = createWriteStream(join(folder, name), { mode: 0o600 });
  await pipeline(await media.open(name), summed, out, { signal: media.signal });
  if (sum.digest('hex') !== wanted.sha256)
    throw failed(media, `${name} came from the store with another sum than it was built with`);
}

interface Machine {
  media: MediaToBoot;
  keys: DirectorKeys;
  folder: string;
}

async function booted({ media, keys, folder }: Machine): Promise<BootedMedia> {
  const port = await freePort();
  const { args, how } = await machineOf({ media, folder, port });
  const fromMs = Date.now();
  // Bounded also when nobody is left to end it.
  const limit = ['--kill-after=5', String(BOOT_MS / 1000), QEMU, ...args];
  const child = spawn('timeout', limit, { stdio: ['pipe', 'pipe', 'pipe'] });
  const console = new SerialConsole(child);
  const signal = AbortSignal.any([console.ended, ...(media.signal === undefined ? [] : [media.signal])]);
  try {
    const answer = await answers({ media, keys, folder, port, console, signal });
    const seconds = Math.round((Date.now() - fromMs) / 100) / 10;
    return { bootedAt: new Date().toISOString(), seconds, kernel: answer.kernel, how };
  } catch (error) {
    if (media.signal?.aborted === true) throw media.signal.reason;
    const why = console.ended.aborted ? console.why() : error instanceof Error ? error.message : String(error);
    throw failed(
      media,
      `it does not come up in a virtual machine (${how}): ${why}. Its console ends with: ${console.tail()}`,
    );
  } finally {
    await console.end();
  }
}

/** Asks until its hostkit answers: that is a login with the director's key, past its sudo, into its verbs. */
async function answers(options: Machine & { port: number; console: SerialConsole; signal: AbortSignal }) {
  const { media, keys, folder, port, console, signal } = options;
  await console.says(/RESURGO-RESCUE-READY/, signal);
  const host: HostRef = { name: rescueName(media.host), address: '127.0.0.1', port };
  const knownHosts = await KnownHosts.open({ stateDir: folder });
  const key = media.hostKey === null ? await shownKey({ host, keys, console }) : parsePublicKey(media.hostKey);
  await knownHosts.pin({ host, keys: [key] });
  const hosts = new SshHosts(new SshPool({ keys, knownHosts, limits: { connectTimeoutMs: 30_000 } }));
  try {
    return await probe({ hosts, host, step: 'boot', timeoutMs: 60_000, signal });
  } finally {
    await hosts.close();
  }
}

/** The key that it made at boot: the one that it shows is the one whose fingerprint stands on its console. */
async function shownKey({
  host,
  keys,
  console,
}: {
  host: HostRef;
  keys: DirectorKeys;
  console: SerialConsole;
}): Promise<PublicKey> {
  let shown: PublicKey | undefined;
  const decide = (key: PublicKey) => {
    shown = key;
    return Promise.resolve(console.said().includes(fingerprint(key)));
  };
  const login = { privateKey: keys.director.privateKey };
  const client = await dial({ host, login, pinned: [], decide, timeoutMs: 30_000, keepaliveMs: 10_000 });
  client.end();
  if (shown === undefined) throw new Error('it showed no host key');
  return shown;
}

async function machineOf(at: {
  media: MediaToBoot;
  folder: string;
  port: number;
}): Promise<{ args: string[]; how: string }> {
  const { media, folder, port } = at;
  const kvm = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  const emulated = kvm ? ['-accel', 'kvm', '-cpu', 'host'] : ['-accel', 'tcg,thread=multi', '-cpu', 'qemu64'];
  const { from, how } = await bootOf({ media, folder });
  return {
    args: [
      ...['-M', 'q35', ...emulated, '-m', '1536', '-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
      ...['-serial', 'stdio', '-pidfile', join(folder, 'pid'), '-device', 'virtio-rng-pci'],
      ...[
        '-netdev',
        `user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:${port}-:22`,
        '-device',
        'virtio-net-pci,netdev=net',
      ],
      ...from,
    ],
    how: `${how}, ${kvm ? 'by KVM' : 'in software'}`,
  };
}

async function bootOf({
  media,
  folder,
}: {
  media: MediaToBoot;
  folder: string;
}): Promise<{ from: string[]; how: string }> {
  const iso = join(folder, 'rescue.iso');
  if (!media.files.some(({ name }) => name === 'rescue.iso')) {
    const line = 'console=ttyS0,115200 resurgo.ip=dhcp';
    const files = ['-kernel', join(folder, 'vmlinuz'), '-initrd', join(folder, 'initramfs.img'), '-append', line];
    return { from: files, how: 'kernel and initramfs' };
  }
  const cd = ['-drive', `file=${iso},format=raw,if=none,id=cd,readonly=on,media=cdrom`, '-device', 'ide-cd,drive=cd'];
  if (await hasBootSector(iso)) return { from: cd, how: 'by BIOS' };
  for (const firmware of FIRMWARE)
    if (await isReadable(firmware)) return { from: ['-bios', firmware, ...cd], how: 'by UEFI' };
  throw failed(
    media,
    `its image boots by UEFI alone, and this machine has no UEFI for virtual machines: install the package ovmf`,
  );
}

/** Whether a BIOS finds boot code at the image's beginning. */
async function hasBootSector(iso: string): Promise<boolean> {
  const file = await open(iso, 'r');
  try {
    const { buffer } = await file.read(Buffer.alloc(440), 0, 440, 0);
    return buffer.some((byte) => byte !== 0);
  } finally {
    await file.close();
  }
}

function failed({ host }: MediaToBoot, message: string): HostError {
  const next = 'look at the message; the media stay in the list as made, not as booted';
  return new HostError({ host, verb: 'boot', step: `boot ${host}`, code: 'failed', message, next, retryable: false });
}

async function isInPath(program: string): Promise<boolean> {
  const folders = (process.env.PATH ?? '').split(':').filter((each) => each !== '');
  const found = await Promise.all(folders.map((folder) => isReadable(join(folder, program))));
  return found.includes(true);
}

function isReadable(file: string): Promise<boolean> {
  return access(file, constants.R_OK).then(
    () => true,
    () => false,
  );
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  });
}
