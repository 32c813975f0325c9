/** The pool, the client, the freeze session and the job driver against a real sshd. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { ensureDirectorKeys, type DirectorKeys } from '../../hosts/director-keys';
import { AdminShell } from '../../hosts/enroll/admin';
import { HostError } from '../../hosts/errors';
import type { Fence } from '../../hosts/args';
import type { FreezeOptions } from '../../hosts/hosts';
import { CancelError, DetachError, runJob, type JobProgress } from '../../hosts/jobs';
import { fingerprint, KnownHosts, placeOf } from '../../hosts/known-hosts';
import { SshPool, type PoolLimits } from '../../hosts/pool';
import { SshHosts } from '../../hosts/ssh-hosts';
import { check, probe, status } from '../../hosts/verbs/reading';
import { storeListing } from '../../hosts/verbs/store';
import { freePort, makeSshd, type TestSshd } from './support/sshd';

jest.setTimeout(30_000);

let stateDir: string;
let keys: DirectorKeys;
let knownHosts: KnownHosts;
let sshd: TestSshd;
const opened: SshPool[] = [];

const limits: Partial<PoolLimits> = { connectTimeoutMs: 3_000, tries: 2, backoffMs: 20 };
const fence: Fence = { group: 'portal', run: 'run-00000001', term: 1, step: 'copy', attempt: 1 };

function pool(more: Partial<PoolLimits> = {}): { pool: SshPool; hosts: SshHosts } {
  const made = new SshPool({ keys, knownHosts, limits: { ...limits, ...more } });
  opened.push(made);
  return { pool: made, hosts: new SshHosts(made) };
}

/** The pool's size once the last channel's close has made its way back. */
function settled(made: SshPool): Promise<SshPool['size']> {
  return channelsLeft(made, 0);
}

/** The pool's size once no more than so many channels are left. */
async function channelsLeft(made: SshPool, channels: number): Promise<SshPool['size']> {
  for (let tried = 0; tried < 100 && made.size.channels > channels; tried += 1)
    await new Promise((done) => setTimeout(done, 20));
  return made.size;
}

/** Waits, for 10 s at most, until something holds that another process brings about. */
async function until(holds: () => boolean): Promise<void> {
  for (let tried = 0; tried < 500 && !holds(); tried += 1) await new Promise((done) => setTimeout(done, 20));
  expect(holds()).toBe(true);
}

/** A request that the host answers after 20 s only; resolves once the host has it. */
async function slow(at: TestSshd, hosts: SshHosts, host = at.ref()): Promise<{ failed: Promise<HostError> }> {
  const asked = () => at.log().filter((line) => line.startsWith('check slow')).length;
  const before = asked();
  const failed = failure(check({ hosts, host, group: 'slow' }));
  await until(() => asked() > before);
  return { failed };
}

async function failure(promise: Promise<unknown>): Promise<HostError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof HostError)) throw new Error(`expected a HostError, got ${String(error)}`);
  return error;
}

beforeAll(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'resurgo-hosts-state-'));
  keys = await ensureDirectorKeys({ stateDir });
  knownHosts = await KnownHosts.open({ stateDir });
});
beforeEach(async () => {
  sshd = makeSshd({ port: await freePort() });
  sshd.authorize([`restrict ${keys.director.publicKey}`]);
  await sshd.start();
  await knownHosts.pin({ host: sshd.ref(), keys: [sshd.hostKey] });
});
afterEach(async () => {
  for (const made of opened.splice(0)) made.close();
  await sshd.remove();
});
afterAll(() => {
  rmSync(stateDir, { recursive: true, force: true });
});

describe('calls', () => {
  it('asks over one connection and parses the answer, leaving out what it does not know', async () => {
    const { hosts, pool: made } = pool();
    const reply = await probe({ hosts, host: sshd.ref() });
    expect(reply).toMatchObject({ host: 'fixture', groups: ['portal'], systemd: false });
    expect(reply).not.toHaveProperty('newer');
    await probe({ hosts, host: sshd.ref() });
    expect(await settled(made)).toEqual({ connections: 1, channels: 0 });
  });

  it.each([
    ['silent', 'bad-reply', false],
    ['garbage', 'bad-reply', false],
    ['sudo', 'sudo-refused', false],
    ['missing', 'hostkit-missing', false],
    ['old', 'hostkit-old', false],
    ['held', 'lease-held', true],
  ])('names host, verb, step and advice when the host answers %s', async (group, code, retryable) => {
    const { hosts } = pool();
    const error = await failure(check({ hosts, host: sshd.ref(), group, step: 'checks' }));
    expect(error).toMatchObject({ host: 'app-1', verb: 'check', step: 'checks', code, retryable });
    expect(error.message).toMatch(/^app-1: check \(step checks\): .* Next: ./);
    if (group === 'held') expect(error.detail).toEqual({ holder: { run: 'r2' } });
  });

  it('ends the wait by time-out and by abort, and the connection serves on', async () => {
    const { hosts, pool: made } = pool();
    const late = await failure(check({ hosts, host: sshd.ref(), group: 'slow', timeoutMs: 300 }));
    expect(late).toMatchObject({ code: 'timeout', retryable: true });
    const abort = new AbortController();
    const reason = new DetachError();
    setTimeout(() => {
      abort.abort(reason);
    }, 100);
    await expect(check({ hosts, host: sshd.ref(), group: 'slow', signal: abort.signal })).rejects.toBe(reason);
    await probe({ hosts, host: sshd.ref() });
    expect(made.size.connections).toBe(1);
  });

  it('bounds what it takes from a hostile host and shows no control characters', async () => {
    const error = new HostError({ host: 'h', verb: 'v', code: 'failed', message: 'a\u001b[31m\u009b\nb' });
    expect(error.message).toContain('a\\u001b[31m\\u009b | b');
    const { hosts } = pool();
    expect(await failure(check({ hosts, host: sshd.ref(), group: 'long' }))).toMatchObject({ code: 'bad-reply' });
  });

  it('streams a listing, and fails it when the host breaks off', async () => {
    const { hosts } = pool();
    const at = { hosts, host: sshd.ref(), group: 'portal', id: '20261121_013000', tree: 'a@+b' };
    const whole = await storeListing({ ...at, store: 'main' });
    expect(gunzipSync(Buffer.concat(await whole.toArray())).length).toBe(1_000_000);
    const broken = await storeListing({ ...at, store: 'short' });
    await expect(broken.toArray()).rejects.toThrow(/store\.listing/);
  });
});

describe('connections', () => {
  it('carries at most the set number of channels per connection, and queues the rest', async () => {
    const { hosts, pool: made } = pool({ channelsPerConnection: 4, connectionsPerHost: 2 });
    const calls = Array.from({ length: 20 }, () => status({ hosts, host: sshd.ref(), group: 'portal' }));
    const most = { connections: 0, channels: 0 };
    const sampler = setInterval(() => {
      most.connections = Math.max(most.connections, made.size.connections);
      most.channels = Math.max(most.channels, made.size.channels);
    }, 5);
    const replies = await Promise.all(calls).finally(() => {
      clearInterval(sampler);
    });
    expect(replies).toHaveLength(20);
    expect(most).toEqual({ connections: 2, channels: 8 });
    expect(await settled(made)).toEqual({ connections: 2, channels: 0 });
  });

  it('learns that a server takes fewer sessions than it thought', async () => {
    const small = makeSshd({ port: await freePort(), maxSessions: 2 });
    try {
      small.authorize([`restrict ${keys.director.publicKey}`]);
      await small.start();
      await knownHosts.pin({ host: small.ref(), keys: [small.hostKey] });
      const { hosts } = pool();
      const calls = Array.from({ length: 9 }, () => status({ hosts, host: small.ref(), group: 'portal' }));
      expect(await Promise.all(calls)).toHaveLength(9);
    } finally {
      await small.remove();
    }
  });

  it('reconnects after sshd was killed, and fails what was under way as retryable', async () => {
    const { hosts, pool: made } = pool({ tries: 4, backoffMs: 100 });
    const { failed } = await slow(sshd, hosts);
    await sshd.kill();
    expect(await failed).toMatchObject({ code: 'connection-lost', retryable: true });
    expect(made.size.connections).toBe(0);
    const again = probe({ hosts, host: sshd.ref() });
    await sshd.start();
    expect(await again).toMatchObject({ host: 'fixture' });
  });

  it('tries an unreachable host a bounded number of times', async () => {
    await sshd.kill();
    const { hosts } = pool({ tries: 3 });
    expect(await failure(probe({ hosts, host: sshd.ref() }))).toMatchObject({ code: 'unreachable', retryable: true });
  });

  it('gives up on a host that accepts and says nothing', async () => {
    const { createServer } = await import('node:net');
    const mute = createServer(() => undefined);
    await new Promise<void>((done) => mute.listen(0, '127.0.0.1', done));
    const address = mute.address();
    const host = { ...sshd.ref('mute'), port: typeof address === 'object' && address !== null ? address.port : 0 };
    await knownHosts.pin({ host, keys: [sshd.hostKey] });
    const { hosts } = pool({ connectTimeoutMs: 300, tries: 1 });
    const from = Date.now();
    expect(await failure(probe({ hosts, host }))).toMatchObject({ code: 'unreachable' });
    expect(Date.now() - from).toBeLessThan(3_000);
    mute.close();
  });

  it('S28 refuses a changed host key, and one that was never pinned', async () => {
    const { hosts } = pool();
    const unknown = sshd.ref('app-9', { address: 'localhost' });
    expect(await failure(probe({ hosts, host: unknown }))).toMatchObject({ code: 'host-key-unknown' });
    await sshd.kill();
    sshd.newHostKey();
    await sshd.start();
    const error = await failure(probe({ hosts, host: sshd.ref() }));
    expect(error).toMatchObject({ code: 'host-key-changed', retryable: false });
    expect(error.message).toMatch(/SHA256:.*pinned is SHA256:/);
    expect(sshd.log()).toEqual([]);
  });

  it('says so when the key is refused', async () => {
    sshd.authorize([]);
    const { hosts } = pool();
    const error = await failure(probe({ hosts, host: sshd.ref() }));
    expect(error).toMatchObject({ code: 'auth-refused', retryable: false });
    expect(error.next).toMatch(/director's key: run `resurgo enroll app-1 --update`/);
    const admin = { login: { privateKey: keys.director.privateKey } };
    const trust = () => ({ pinned: [sshd.hostKey] });
    const asAdmin = await failure(AdminShell.open({ verb: 'enroll', host: sshd.ref(), admin, trust }));
    expect(asAdmin).toMatchObject({ verb: 'enroll', step: 'connect', code: 'auth-refused', retryable: false });
    expect(asAdmin.next).toMatch(/administrator's login.*--key/);
  });

  it('S24 sees whether anything answers where no key is pinned, and by which key', async () => {
    const { hosts } = pool();
    const stranger = { ...sshd.ref('old'), pinnedAs: 'old.never' };
    expect((await failure(probe({ hosts, host: stranger }))).code).toBe('host-key-unknown');
    const shown = { fingerprint: fingerprint(sshd.hostKey), places: [placeOf(sshd.ref())] };
    expect(await hosts.look({ host: stranger })).toMatchObject({ answers: true, shown });
    await sshd.kill();
    expect(await hosts.look({ host: stranger })).toMatchObject({
      answers: false,
      reason: expect.stringContaining('ECONNREFUSED') as string,
    });
    const nowhere = { ...stranger, address: 'no-such-host.invalid' };
    expect(await hosts.look({ host: nowhere })).toMatchObject({ answers: null });
    // One whose sshd hangs takes connections still.
    const mute = createServer().listen(stranger.port, '127.0.0.1');
    await once(mute, 'listening');
    expect(await hosts.look({ host: stranger })).toMatchObject({ answers: true, shown: null });
    mute.close();
  });

  it('goes through a proxy jump with the jump key, pinned at both ends', async () => {
    const jump = makeSshd({ port: await freePort() });
    try {
      const permit = `permitopen="127.0.0.1:${sshd.port}"`;
      jump.authorize([`restrict,port-forwarding,${permit},command="exit 1" ${keys.jump.publicKey}`]);
      await jump.start();
      const host = sshd.ref('inner', { via: jump.ref('jump') });
      await knownHosts.pin({ host: jump.ref('jump'), keys: [jump.hostKey] });
      const { hosts } = pool();
      expect(await failure(probe({ hosts, host }))).toMatchObject({ host: 'inner', code: 'host-key-unknown' });
      await knownHosts.pin({ host, keys: [sshd.hostKey] });
      const replies = await Promise.all([1, 2, 3].map(() => probe({ hosts, host })));
      expect(replies.map((reply) => reply.host)).toEqual(['fixture', 'fixture', 'fixture']);
      await jump.kill();
      const error = await failure(probe({ hosts, host }));
      expect(error.message).toMatch(/inner: probe: through jump/);
    } finally {
      await jump.remove();
    }
  });

  describe('behind a proxy jump', () => {
    let jump: TestSshd;
    let inner: TestSshd;
    /** A host behind the jump that nothing befalls: its connection shows that the jump's is still the first. */
    const bystander = () => sshd.ref('bystander', { via: jump.ref('jump') });
    const host = () => inner.ref('inner', { via: jump.ref('jump') });

    beforeEach(async () => {
      jump = makeSshd({ port: await freePort() });
      inner = makeSshd({ port: await freePort() });
      inner.authorize([`restrict ${keys.director.publicKey}`]);
      permit([sshd.port, inner.port]);
      await jump.start();
      await knownHosts.pin({ host: jump.ref('jump'), keys: [jump.hostKey] });
      await knownHosts.pin({ host: bystander(), keys: [sshd.hostKey] });
      await knownHosts.pin({ host: host(), keys: [inner.hostKey] });
    });
    afterEach(async () => {
      await jump.remove();
      await inner.remove();
    });
    function permit(ports: number[]): void {
      const places = ports.flatMap((port) => [`127.0.0.1:${port}`, `localhost:${port}`]);
      const permits = places.map((place) => `permitopen="${place}"`).join(',');
      jump.authorize([`restrict,port-forwarding,${permits},command="exit 1" ${keys.jump.publicKey}`]);
    }

    it('tells a closed port at once, however often, and comes through the same connection when it is served again', async () => {
      const { hosts } = pool();
      await probe({ hosts, host: bystander() });
      const under = failure(check({ hosts, host: bystander(), group: 'slow' }));
      for (let tried = 0; tried < 12; tried += 1) {
        const from = Date.now();
        const error = await failure(probe({ hosts, host: host() }));
        expect(error).toMatchObject({ host: 'inner', code: 'unreachable', retryable: true });
        expect(error.message).toMatch(/through jump: no connection to 127\.0\.0\.1:\d+: Connection refused .*is up/);
        expect(Date.now() - from).toBeLessThan(limits.connectTimeoutMs ?? 0);
      }
      await inner.start();
      expect(await probe({ hosts, host: host() })).toMatchObject({ host: 'fixture' });
      // Still under way: the jump's connection was none the worse for it all.
      expect(await Promise.race([under, probe({ hosts, host: bystander() })])).toMatchObject({ host: 'fixture' });
      await jump.kill();
      expect(await under).toMatchObject({ code: 'connection-lost' });
    });

    it('tells a jump that may not forward there from a host that is away', async () => {
      permit([sshd.port]);
      await inner.start();
      const { hosts } = pool();
      await probe({ hosts, host: bystander() });
      const error = await failure(probe({ hosts, host: host() }));
      expect(error).toMatchObject({ host: 'inner', code: 'auth-refused', retryable: false });
      expect(error.message).toMatch(/through jump: no connection to .*: administratively prohibited: /);
      expect(error.next).toMatch(/^jump does not forward there: run `resurgo enroll jump --update`/);
      expect(await probe({ hosts, host: bystander() })).toMatchObject({ host: 'fixture' });
    });

    it('S24 is looked at by the same way, whatever is pinned; what befalls the jump is told from it', async () => {
      permit([inner.port, 1]);
      await inner.start();
      const { hosts } = pool();
      expect(await hosts.look({ host: host() })).toMatchObject({ answers: true });
      expect(await hosts.look({ host: { ...host(), port: 1 } })).toMatchObject({
        answers: false,
        reason: expect.stringMatching(/through jump: .*refused/i) as string,
      });
      await knownHosts.pin({ host: jump.ref('jump'), keys: [inner.hostKey] });
      const error = await failure(probe({ hosts: pool().hosts, host: host() }));
      expect([error.code, error.detail]).toEqual(['host-key-changed', { jump: 'jump' }]);
      expect(await pool().hosts.look({ host: host() })).toMatchObject({ answers: null });
    });

    it('frees its channel at the jump when the host goes, and what was under way there ends', async () => {
      await inner.start();
      const { hosts, pool: made } = pool();
      await Promise.all([probe({ hosts, host: bystander() }), probe({ hosts, host: host() })]);
      expect(made.size.connections).toBe(3);
      const { failed } = await slow(inner, hosts, host());
      await inner.kill();
      expect(await failed).toMatchObject({ code: 'connection-lost', retryable: true });
      await failure(probe({ hosts, host: host() }));
      // The jump's and the bystander's, and the one channel between them.
      expect(await channelsLeft(made, 1)).toEqual({ connections: 2, channels: 1 });
      await inner.start();
      expect(await probe({ hosts, host: host() })).toMatchObject({ host: 'fixture' });
    });

    it('frees its channel at the jump when the handshake fails', async () => {
      const { hosts, pool: made } = pool({ connectTimeoutMs: 500, tries: 1 });
      await probe({ hosts, host: bystander() });
      const { createServer } = await import('node:net');
      const met: Socket[] = [];
      const mute = createServer((socket) => met.push(socket.on('error', () => undefined)));
      await new Promise<void>((done) => mute.listen(inner.port, '127.0.0.1', done));
      try {
        expect(await failure(probe({ hosts, host: host() }))).toMatchObject({ code: 'unreachable' });
        expect(met).toHaveLength(1);
        expect(await channelsLeft(made, 1)).toEqual({ connections: 2, channels: 1 });
      } finally {
        for (const socket of met) socket.destroy();
        await new Promise((done) => mute.close(done));
      }
      await inner.start();
      const unpinned = await failure(probe({ hosts, host: { ...host(), address: 'localhost' } }));
      expect(unpinned).toMatchObject({ code: 'host-key-unknown' });
      expect(await channelsLeft(made, 1)).toEqual({ connections: 2, channels: 1 });
    });
  });

  it('warms hosts, telling per host how it went, and rejects everything once closed', async () => {
    const { hosts, pool: made } = pool({ tries: 1 });
    const dead = { ...sshd.ref('dead'), port: 1 };
    await knownHosts.pin({ host: dead, keys: [sshd.hostKey] });
    const warmth = await hosts.warm({ hosts: [sshd.ref(), dead] });
    expect(warmth.map(({ host, ok }) => ({ host, ok }))).toEqual([
      { host: 'app-1', ok: true },
      { host: 'dead', ok: false },
    ]);
    expect(made.size.connections).toBe(1);
    const { failed } = await slow(sshd, hosts);
    await hosts.close();
    expect((await failed).retryable).toBe(true);
    expect(await failure(probe({ hosts, host: sshd.ref() }))).toMatchObject({ code: 'closed' });
  });

  it('makes room by closing the longest idle connection when the overall bound is reached', async () => {
    const other = makeSshd({ port: await freePort() });
    try {
      other.authorize([`restrict ${keys.director.publicKey}`]);
      await other.start();
      await knownHosts.pin({ host: other.ref('app-2'), keys: [other.hostKey] });
      const { hosts, pool: made } = pool({ connections: 1 });
      await probe({ hosts, host: sshd.ref() });
      await probe({ hosts, host: other.ref('app-2') });
      expect(made.size.connections).toBe(1);
    } finally {
      await other.remove();
    }
  });
});

describe('the freeze session', () => {
  const freeze = (group: string): FreezeOptions => ({
    host: sshd.ref(),
    fence: { ...fence, group, step: 'freeze' },
    freeze: 0,
    maxPauseS: 5,
  });

  it('goes through its phases with the times of both ends', async () => {
    const { hosts } = pool();
    const session = await hosts.openFreeze(freeze('portal'));
    expect(session.armed.containers).toEqual([{ id: 'c1', name: 'app' }]);
    const paused = await session.pause();
    const taken = await session.snapshot();
    const thawed = await session.thaw();
    await session.close();
    expect(taken.snapshots).toEqual([{ source: 'data' }]);
    expect(thawed).toMatchObject({ torn: '', pausedMs: 7, deadmanFired: false });
    expect(paused.director.answeredMs).toBeGreaterThanOrEqual(paused.director.sentMs);
    expect(session.lost.aborted).toBe(false);
  });

  it('S2 rejects with session-lost when the channel goes, also between phases', async () => {
    const { hosts } = pool();
    const dies = await hosts.openFreeze(freeze('dies'));
    const error = await failure(dies.pause());
    expect(error).toMatchObject({ code: 'session-lost', retryable: true });
    expect(error.message).toContain('engine gone');
    const cut = await hosts.openFreeze(freeze('portal'));
    await cut.pause();
    const told = new Promise((done) => {
      cut.lost.addEventListener('abort', done);
    });
    await sshd.kill();
    await told;
    expect(await failure(cut.snapshot())).toMatchObject({ code: 'session-lost' });
    await cut.close();
  });

  it('S2 ends the input of a host that hangs, so that it thaws itself', async () => {
    const { hosts } = pool();
    const session = await hosts.openFreeze(freeze('hangs'));
    await session.pause();
    expect(await failure(session.snapshot({ timeoutMs: 200 }))).toMatchObject({ code: 'timeout' });
    await session.close();
  });

  it('S2 closing early is end of input at the host', async () => {
    const { hosts } = pool();
    const session = await hosts.openFreeze(freeze('portal'));
    await session.pause();
    await session.close();
    expect(readFileSync(join(sshd.dir, 'state/thawed'), 'utf8')).toBe('eof\n');
    expect(session.lost.aborted).toBe(false);
  });
});

describe('jobs', () => {
  const job = (hosts: SshHosts, name: string) => ({
    hosts,
    host: sshd.ref(),
    job: name,
    kind: 'store-open' as const,
    args: { store: 'main' },
    fence,
    pollMs: { first: 50, longest: 200 },
  });
  const began = (name: string) => existsSync(join(sshd.dir, 'state', name, 'pid'));
  const state = (name: string, file: string) => readFileSync(join(sshd.dir, 'state', name, file), 'utf8').trim();

  it('runs to its result with progress, rate and time left; a second driver attaches', async () => {
    const { hosts } = pool();
    const seen: JobProgress[] = [];
    const first = runJob({ ...job(hosts, 'copy.1'), onProgress: (progress) => seen.push(progress) });
    await until(() => began('copy.1'));
    const second = await runJob(job(hosts, 'copy.1'));
    expect(second).toMatchObject({ attached: true, result: { bytes: 8 } });
    expect(await first).toMatchObject({ attached: false, result: { bytes: 8 } });
    expect(seen.some(({ bytesPerS, etaS }) => bytesPerS > 0 && etaS !== undefined)).toBe(true);
  });

  it('leaves the job running when detached, and stops it when cancelled', async () => {
    const { hosts } = pool();
    const run = async (name: string, reason: Error) => {
      const abort = new AbortController();
      const ended = expect(runJob({ ...job(hosts, name), signal: abort.signal })).rejects.toBe(reason);
      await until(() => began(name));
      abort.abort(reason);
      await ended;
    };
    await run('detached', new DetachError());
    expect(() => state('detached', 'exit')).toThrow();
    expect(await runJob(job(hosts, 'detached'))).toMatchObject({ attached: true });
    await run('cancelled', new CancelError());
    expect(state('cancelled', 'exit')).toBe('143');
  });

  it('goes on after the connection broke in the middle', async () => {
    const { hosts } = pool({ tries: 5, backoffMs: 100 });
    const running = runJob(job(hosts, 'bridged'));
    // Asked after, it is no descendant of the connection that began it any more.
    await until(() => sshd.log().some((line) => line.startsWith('job.poll') && line.includes('bridged')));
    // The job is a session of its own, so it outlives sshd; only the listener and the channels die.
    await sshd.kill();
    await sshd.start();
    expect(await running).toMatchObject({ result: { bytes: 8 } });
  });

  it('tells a job that died from one that failed', async () => {
    const { hosts } = pool();
    expect(await failure(runJob(job(hosts, 'lost')))).toMatchObject({ code: 'job-died', retryable: true });
    const bad = await failure(runJob(job(hosts, 'bad')));
    expect(bad).toMatchObject({ code: 'connection-lost', retryable: true, step: 'copy', detail: { exit: 12 } });
  });
});

it('S27 keeps its keys to itself and refuses to start without them', async () => {
  const { statSync } = await import('node:fs');
  for (const name of ['director', 'jump', 'signing.pem']) {
    expect(statSync(join(stateDir, 'keys', name)).mode & 0o777).toBe(0o600);
  }
  const empty = mkdtempSync(join(tmpdir(), 'resurgo-hosts-empty-'));
  writeFileSync(join(empty, 'x'), '');
  await expect(SshHosts.open({ stateDir: empty })).rejects.toThrow(/resurgo enroll/);
  rmSync(empty, { recursive: true });
});

test('of two names of one host each has errors of its own', async () => {
  const { hosts } = pool();
  const at = { address: 'localhost', port: sshd.port };
  for (const name of ['app-1', 'staging-app-1']) {
    const { message } = await failure(probe({ hosts, host: { name, ...at } }));
    expect(message).toContain(`resurgo enroll ${name}`);
  }
});
