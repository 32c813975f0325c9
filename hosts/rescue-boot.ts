/**
 * Starts rescue media in a virtual machine of this very machine and logs in with the director's key: the proof that they boot. QEMU runs
 * under this user, without any network but a port on loopback; by KVM where this user may, else in software. What it needs lies in a
 * folder of its own, 0700, as media with a pinned host key are a secret (S30); it goes with the test, or with the next one after a crash.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { RescueBuild } from '../planning/rescue-media';
import { loadDirectorKeys, type DirectorKeys } from './director-keys';
import { dial } from './dial';
import { HostError, isAway } from './errors';
import { isMissing } from './files';
import type { HostRef } from './hosts';
import { fingerprint, KnownHosts, parsePublicKey, type PublicKey } from './known-hosts';
import { SshPool } from './pool';
import { freePort, hasQemu, machineOf, processors, QEMU, type Processor } from './rescue-machine';
import { rescueName } from './rescue-ref';
import { SerialConsole } from './serial-console';
import { pause } from './slots';
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

/** In software a machine boots in half a minute where there is nothing else to do, and in some minutes where there is much. */
const BOOT_MS = 600_000;
const PANIC = /Kernel panic - not syncing: ([^\r\n]*)/;
const READY = new RegExp(`RESURGO-RESCUE-READY|${PANIC.source}`);
/** What a kernel finds whose processor is emulated too slowly for its timer to tick: it says nothing of the media. */
const STARVED = /Kernel panic - not syncing: IO-APIC \+ timer doesn't work/;
const STARVED_AGAIN: Processor[] = ['software', 'software'];
/** How long its sshd may take once it says that it is ready, in ms. */
const LOGIN_MS = 60_000;

/** Starts the media; null where this machine has no QEMU. @throws HostError when they do not boot, or nobody can log in */
export async function bootMedia({
  stateDir,
  media,
}: {
  stateDir: string;
  media: MediaToBoot;
}): Promise<BootedMedia | null> {
  if (!(await hasQemu())) return null;
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
    // Kernel and initramfs alone make their key at boot, whatever the other media of the build do.
    const holds = media.files.some(({ name, pinned }) => pinned && names.includes(name));
    return await booted({ media: holds ? media : { ...media, hostKey: null }, keys, folder });
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

/** With what is quickest here. A machine that came to nothing by no fault of the media is started again, a few times at most. */
async function booted(machine: Machine): Promise<BootedMedia> {
  const here = await processors();
  for (const processor of [...here, ...STARVED_AGAIN]) {
    const tried = await start({ ...machine, processor });
    if (tried !== 'no fault of the media') return tried;
  }
  throw failed(
    machine.media,
    'QEMU can not be started here, or gets no processor time: try again when there is less to do',
  );
}

async function start(machine: Machine & { processor: Processor }): Promise<BootedMedia | 'no fault of the media'> {
  const { media, folder, processor } = machine;
  const port = await freePort();
  const { args, how } = await machineOf({ files: media.files, folder, port, processor });
  const fromMs = Date.now();
  // Bounded also when nobody is left to end it.
  const limit = ['--kill-after=5', String(BOOT_MS / 1000), QEMU, ...args];
  const child = spawn('timeout', limit, { stdio: ['pipe', 'pipe', 'pipe'] });
  const console = new SerialConsole(child);
  const { signal, leave } = eitherOf(console.ended, media.signal);
  try {
    const { kernel } = await answers({ ...machine, port, console, signal });
    const seconds = Math.round((Date.now() - fromMs) / 100) / 10;
    return { bootedAt: new Date().toISOString(), seconds, kernel, how };
  } catch (error) {
    media.signal?.throwIfAborted();
    // A KVM that is there and does not work, as within another virtual machine, ends before anything is said.
    if (processor === 'kvm' && console.ended.aborted && console.said() === '') return 'no fault of the media';
    if (processor === 'software' && STARVED.test(console.said())) return 'no fault of the media';
    const why = console.ended.aborted ? console.why() : error instanceof Error ? error.message : String(error);
    const message = `it does not come up in a virtual machine (${how}): ${why}. Its console ends with: ${console.tail()}`;
    throw failed(media, message);
  } finally {
    leave();
    await console.end();
  }
}

/** Aborted with the first of them. Not by `AbortSignal.any`: in Node 20 its signal may be collected while it is waited for. */
function eitherOf(...signals: (AbortSignal | undefined)[]): { signal: AbortSignal; leave: () => void } {
  const either = new AbortController();
  const end = () => {
    either.abort();
  };
  for (const each of signals) {
    if (each?.aborted === true) end();
    each?.addEventListener('abort', end, { once: true });
  }
  const leave = () => {
    for (const each of signals) each?.removeEventListener('abort', end);
  };
  return { signal: either.signal, leave };
}

/** Asks until its hostkit answers: that is a login with the director's key, past its sudo, into its verbs. */
async function answers(options: Machine & { port: number; console: SerialConsole; signal: AbortSignal }) {
  const { media, keys, folder, port, console, signal } = options;
  await console.says(READY, signal);
  const panic = PANIC.exec(console.said())?.[1];
  if (panic !== undefined) throw new Error(`its kernel gives up: ${panic.trim()}`);
  const host: HostRef = { name: rescueName(media.host), address: '127.0.0.1', port };
  const knownHosts = await KnownHosts.open({ stateDir: folder });
  const hosts = new SshHosts(new SshPool({ keys, knownHosts, limits: { connectTimeoutMs: 30_000 } }));
  const login = async () => {
    const key = media.hostKey === null ? await shownKey({ host, keys, console }) : parsePublicKey(media.hostKey);
    await knownHosts.pin({ host, keys: [key] });
    return probe({ hosts, host, step: 'boot', timeoutMs: LOGIN_MS, signal });
  };
  try {
    // It is ready a moment before its sshd is.
    const untilMs = Date.now() + LOGIN_MS;
    for (;;) {
      try {
        return await login();
      } catch (error) {
        if (!isAway(error) || Date.now() > untilMs) throw error;
      }
      await pause({ ms: 500, signal });
    }
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

function failed({ host }: MediaToBoot, message: string): HostError {
  const next = 'look at the message; the media stay in the list as made, not as booted';
  return new HostError({ host, verb: 'boot', step: `boot ${host}`, code: 'failed', message, next, retryable: false });
}
