import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connectClient, connectWorker, externalSettings } from '../../workers/connection';
import { ensureEngine, engineStatus } from '../../workers/engine';
import { EngineUnreachableError } from '../../workers/errors';

let scratch: string;
let env: NodeJS.ProcessEnv;
beforeEach(() => {
  scratch = mkdtempSync(path.join(tmpdir(), 'resurgo-connection-test-'));
  env = { XDG_CONFIG_HOME: scratch, HOME: scratch };
});
afterEach(() => {
  rmSync(scratch, { recursive: true, force: true });
});

/** A port on loopback where nothing listens. */
const NOBODY = '127.0.0.1:9';

test('an external address that nobody answers at gives a typed error that says what to do, in bounded time', async () => {
  const start = Date.now();
  const failure = await ensureEngine({
    ...{ stateDir: path.join(scratch, 'state'), env: { ...env, TEMPORAL_ADDRESS: NOBODY }, waitMs: 1_500 },
  }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(EngineUnreachableError);
  expect(failure).toMatchObject({ code: 'engine-unreachable', address: NOBODY, host: NOBODY });
  expect((failure as Error).message).toMatch(/127\.0\.0\.1:9.*no answer.*TEMPORAL_ADDRESS/);
  expect(Date.now() - start).toBeLessThan(8_000);
}, 20_000);

test('a worker gives up with the same error', async () => {
  const settings = { address: NOBODY, namespace: 'default', external: false };
  await expect(connectWorker({ settings, waitMs: 800 })).rejects.toMatchObject({
    ...{ code: 'engine-unreachable', next: expect.stringContaining('resurgo engine start') as string },
  });
}, 20_000);

test('a server that takes the connection and says nothing is given up too', async () => {
  const sockets: Socket[] = [];
  const silent: Server = createServer((socket) => sockets.push(socket));
  const port = await new Promise<number>((resolve) => {
    silent.listen(0, '127.0.0.1', () => {
      const address = silent.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
  try {
    const settings = { address: `127.0.0.1:${port}`, namespace: 'default', external: true };
    await expect(connectClient({ settings, waitMs: 1_500 })).rejects.toBeInstanceOf(EngineUnreachableError);
    await expect(connectWorker({ settings, waitMs: 1_500 })).rejects.toBeInstanceOf(EngineUnreachableError);
  } finally {
    silent.close();
    for (const socket of sockets) socket.destroy();
  }
}, 30_000);

test('the status of an external server that is down says so and throws nothing', async () => {
  expect(await engineStatus({ env: { ...env, TEMPORAL_ADDRESS: NOBODY } })).toMatchObject({
    ...{ external: true, serving: false, address: NOBODY },
  });
}, 20_000);

test('without an address there are no external settings, and an empty variable is none', () => {
  expect(externalSettings(env)).toBeUndefined();
  expect(externalSettings({ ...env, TEMPORAL_ADDRESS: '' })).toBeUndefined();
  expect(externalSettings({ ...env, TEMPORAL_NAMESPACE: 'ops' })).toBeUndefined();
});

test('a profile gives address, namespace and mTLS; variables go before it', () => {
  const [cert, key, ca] = ['cert', 'key', 'ca'].map((name) => {
    const file = path.join(scratch, `${name}.pem`);
    writeFileSync(file, `${name} of a test`);
    return file;
  }) as [string, string, string];
  const file = path.join(scratch, 'temporal.toml');
  writeFileSync(
    file,
    `[profile.prod]\naddress = "temporal.example:7233"\nnamespace = "resurgo"\n[profile.prod.tls]\n` +
      `client_cert_path = "${cert}"\nclient_key_path = "${key}"\nserver_ca_cert_path = "${ca}"\nserver_name = "temporal"\n`,
  );
  const profile = { ...env, TEMPORAL_CONFIG_FILE: file, TEMPORAL_PROFILE: 'prod' };
  const settings = externalSettings(profile);
  expect(settings).toMatchObject({ address: 'temporal.example:7233', namespace: 'resurgo', external: true });
  const tls = settings?.tls;
  if (typeof tls !== 'object' || tls === null) throw new Error('no TLS settings');
  expect(tls.serverNameOverride).toBe('temporal');
  expect(Buffer.from(tls.clientCertPair!.crt).toString()).toBe('cert of a test');
  expect(externalSettings({ ...profile, TEMPORAL_ADDRESS: 'other:7233' })).toMatchObject({ address: 'other:7233' });
});

test('an unknown profile is a typed error', () => {
  expect(() => externalSettings({ ...env, TEMPORAL_PROFILE: 'nope' })).toThrow(/nope.*Mend the TEMPORAL_/);
});

test('a configuration file that is named and not there is an error, and not the embedded server', () => {
  const TEMPORAL_CONFIG_FILE = path.join(scratch, 'nowhere.toml');
  expect(() => externalSettings({ ...env, TEMPORAL_CONFIG_FILE })).toThrow(/no such file.*Mend the TEMPORAL_/s);
});
