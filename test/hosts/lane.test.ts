/** A channel to a host behind the lane's own, where that host says nothing at all: neither an sshd nor a firewall of ours plays that. */
import { PassThrough, type Duplex } from 'node:stream';
import { Client } from 'ssh2';
import { HostError } from '../../hosts/errors';
import { Lane } from '../../hosts/lane';

const refused = (why: Error) =>
  new HostError({ host: 'inner', verb: 'connect', code: 'unreachable', message: why.message });

test('no answer in time ends the wait alone: the connection serves on, and the channel that comes late is closed', async () => {
  const connect = jest.fn(() => Promise.resolve(new Client()));
  const host = { name: 'jump', address: '192.0.2.1' };
  const lane = new Lane({ host, maxConnections: 1, maxChannels: 8, connect, onClosed: () => undefined });
  let answer: ((error: undefined, channel: Duplex) => void) | undefined;
  const mute = lane.open<Duplex>({ timeoutMs: 50, refused, opener: (_, done) => (answer = done) });
  await expect(mute).rejects.toMatchObject({
    host: 'inner',
    code: 'unreachable',
    reason: expect.stringMatching(/^no answer within \d+ ms$/) as string,
  });
  expect(lane.channels).toBe(0);

  const good = new PassThrough();
  const opened = await lane.open<Duplex>({
    timeoutMs: 1_000,
    refused,
    opener: (_, done) => {
      done(undefined, good);
    },
  });
  expect(opened).toBe(good);
  expect(connect).toHaveBeenCalledTimes(1);

  const late = new PassThrough();
  answer?.(undefined, late);
  await new Promise((done) => late.once('close', done));
  expect(lane.channels).toBe(1);
  lane.close();
});

test('silent hosts take no room from those that answer, however long the jump goes on trying', async () => {
  const connect = jest.fn(() => Promise.resolve(new Client()));
  const host = { name: 'jump', address: '192.0.2.1' };
  const lane = new Lane({ host, maxConnections: 1, maxChannels: 2, connect, onClosed: () => undefined });
  const answers: ((error: Error, channel: Duplex) => void)[] = [];
  const mute = [1, 2].map(() => lane.open<Duplex>({ timeoutMs: 50, refused, opener: (_, done) => answers.push(done) }));
  for (const { status } of await Promise.allSettled(mute)) expect(status).toBe('rejected');
  const good = [new PassThrough(), new PassThrough()];
  const opened = good.map((channel) =>
    lane.open<Duplex>({
      timeoutMs: 200,
      refused,
      opener: (_, done) => {
        done(undefined, channel);
      },
    }),
  );
  expect(await Promise.all(opened)).toEqual(good);
  // What the jump says at last is counted no second time.
  for (const answer of answers) answer(new Error('Connection timed out'), new PassThrough());
  expect(lane.channels).toBe(2);
  expect(connect).toHaveBeenCalledTimes(1);
  lane.close();
});

test('a server that still counts sessions that have ended here gets another connection; one that never opened any is told', async () => {
  const connect = jest.fn(() => Promise.resolve(new Client()));
  const host = { name: 'app-1', address: '192.0.2.1' };
  const lane = new Lane({ host, maxConnections: 1, maxChannels: 8, connect, onClosed: () => undefined });
  const opened: Client[] = [];
  const opener = (client: Client, done: (error: Error | undefined, channel: Duplex) => void): void => {
    if (opened.includes(client)) {
      done(new Error('open failed'), new PassThrough());
      return;
    }
    opened.push(client);
    done(undefined, new PassThrough());
  };
  for (const times of [1, 2]) {
    const channel = await lane.open<Duplex>({ timeoutMs: 1_000, opener });
    expect(connect).toHaveBeenCalledTimes(times);
    channel.destroy();
    await new Promise((done) => channel.once('close', done));
  }
  lane.close();
  const never = new Lane({ host, maxConnections: 1, maxChannels: 8, connect, onClosed: () => undefined });
  const shut = never.open<Duplex>({
    timeoutMs: 1_000,
    opener: (_, done) => {
      done(new Error('open failed'), new PassThrough());
    },
  });
  await expect(shut).rejects.toMatchObject({ code: 'connection-lost' });
  never.close();
});
