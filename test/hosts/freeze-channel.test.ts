/** How long the director waits for a host in a freeze: as long as the host's dead-man lets it be. */
import { Duplex, PassThrough } from 'node:stream';
import type { ClientChannel } from 'ssh2';
import { Exchange } from '../../hosts/exchange';
import { openFreezeChannel } from '../../hosts/freeze-channel';

/** A host that says what the test has it say. */
class Channel extends Duplex {
  readonly stderr = new PassThrough();
  override _read(): void {
    // What there is to read is pushed by `say`.
  }
  override _write(_chunk: unknown, _encoding: string, done: () => void): void {
    done();
  }
  close(): void {
    this.destroy();
  }
  say(phase: string): void {
    this.push(`${JSON.stringify({ ok: true, phase, timeMs: 1, uptimeMs: 1 })}\n`);
  }
}

const fence = { group: 'portal', run: 'run-00000001', term: 1, step: 'freeze', attempt: 1 };

async function open(maxPauseS: number) {
  const channel = new Channel();
  let armWithinMs: number | undefined;
  const client = {
    begin: ({ timeoutMs }: { timeoutMs?: number }) => {
      armWithinMs = timeoutMs;
      return Promise.resolve(new Exchange(channel as unknown as ClientChannel, 4096));
    },
  };
  const host = { name: 'app-1', address: '192.0.2.1' };
  const opening = openFreezeChannel({ client, host, fence, freeze: 0, maxPauseS });
  channel.say('armed');
  return { channel, session: await opening, armWithinMs };
}

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
});
afterEach(() => {
  jest.useRealTimers();
});

test('S2 a phase may take as long as max_pause, and a little longer for the answer', async () => {
  const { channel, session } = await open(120);
  const taken = session.pause();
  await jest.advanceTimersByTimeAsync(121_000);
  channel.say('paused');
  expect(await taken).toMatchObject({ phase: 'paused' });
});

test('S2 a host that says nothing is given up once its dead-man must have fired', async () => {
  const { session } = await open(120);
  const taken = session.pause();
  const refused = expect(taken).rejects.toMatchObject({ code: 'timeout' });
  await jest.advanceTimersByTimeAsync(131_000);
  await refused;
});

test('a short max_pause leaves the thaw its time to answer', async () => {
  const { channel, session } = await open(2);
  const thawed = session.thaw();
  await jest.advanceTimersByTimeAsync(25_000);
  channel.say('thawed');
  expect(await thawed).toMatchObject({ phase: 'thawed' });
});

test('arming has the time of its early sync', async () => {
  expect((await open(2)).armWithinMs).toBe(120_000);
});
