/** `engine stop` says which runs it leaves standing. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as connection from '../../workers/connection';
import * as engine from '../../workers/engine';
import { resurgo } from './support/run';

jest.mock('../../workers/engine', () => ({
  __esModule: true,
  ...jest.requireActual<typeof engine>('../../workers/engine'),
}));
jest.mock('../../workers/connection', () => ({
  __esModule: true,
  ...jest.requireActual<typeof connection>('../../workers/connection'),
}));

const SERVING = { address: '127.0.0.1:1', namespace: 'default', external: false, serving: true };
// Whatever happens, no engine that is in use is asked or stopped.
process.env.RESURGO_STATE = join(tmpdir(), `resurgo-stop-${process.pid}`);

const close = () => Promise.resolve();

function serverWith(list: () => AsyncGenerator<{ workflowId: string }>): void {
  jest.spyOn(engine, 'engineStatus').mockResolvedValue(SERVING as engine.EngineStatus);
  jest.spyOn(engine, 'stopEngine').mockResolvedValue({ server: 'ended', worker: 'ended' });
  jest.spyOn(connection, 'connectClient').mockResolvedValue({
    connection: { close, withDeadline: (_at: number, body: () => Promise<unknown>) => body() },
    client: { workflow: { list } },
  } as never);
}
afterEach(() => {
  jest.restoreAllMocks();
});

test('those under way are named, a schedule that waits for its backup is not', async () => {
  serverWith(async function* () {
    await Promise.resolve();
    yield { workflowId: 'backup/portal/r20261121t013000z-000001' };
    yield { workflowId: 'scheduled/portal-2026-11-21T01:30:00Z' };
  });
  const ran = await resurgo('engine', 'stop');
  expect(ran).toMatchObject({ code: 0, stdout: 'server: ended, worker: ended\n' });
  expect(ran.stderr).toMatch(
    /standing still until the next start .*: backup of portal, run r20261121t013000z-000001\./,
  );
  expect(JSON.parse((await resurgo('--json', 'engine', 'stop')).stdout)).toMatchObject({
    standing: [{ kind: 'backup', group: 'portal', run: 'r20261121t013000z-000001' }],
  });
});

test('a server that does not say is stopped all the same', async () => {
  serverWith(async function* () {
    await Promise.resolve();
    throw new Error('it hangs');
  });
  expect(await resurgo('engine', 'stop')).toMatchObject({
    code: 0,
    stdout: 'server: ended, worker: ended\n',
    stderr: '',
  });
});
