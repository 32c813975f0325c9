/** The director's worker in the bench's own process, with a stopwatch around each remote command. */
import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { Client } from '@temporalio/client';
import { pino } from 'pino';
import { activitiesFrom } from '../../../activities';
import type { ActivityDeps } from '../../../activities';
import { genuineSigners } from '../../../hosts/adopted-signers';
import { loadDirectorKeys, signManifest } from '../../../hosts/director-keys';
import type { DirectorKeys } from '../../../hosts/director-keys';
import type { Hosts } from '../../../hosts/hosts';
import { workflowBundlePath } from '../../../workers/bundle';
import { connectWorker } from '../../../workers/connection';
import { connectEngine, engineSettings, engineStatus } from '../../../workers/engine';
import { createWorkers } from '../../../workers/worker';
import { RecordingHosts } from './recording';

export interface RecordedWorker {
  client: Client;
  hosts: RecordingHosts;
  keys: DirectorKeys;
  /** The server's process. */
  serverPid: number;
  /** With these a command line takes this engine for somebody else's, and starts no worker beside ours. */
  env: NodeJS.ProcessEnv;
  stop(): Promise<void>;
}

/** Starts the director's server, and ours as the only worker. `cpu` is read at the end of each remote command. */
export async function startRecordedWorker(options: {
  stateDir: string;
  hosts: Hosts;
  rescue: ActivityDeps['rescue'];
  cpu: () => number;
}): Promise<RecordedWorker> {
  const { stateDir, rescue, cpu } = options;
  const { client, connection, engine } = await connectEngine({ stateDir, worker: false });
  const { serverPid } = await engineStatus({ stateDir });
  if (serverPid === undefined) throw new Error('the server has ended right after its start');
  const keys = await loadDirectorKeys({ stateDir });
  const hosts = new RecordingHosts(options.hosts, cpu);
  quiet();
  const native = await connectWorker({ settings: engineSettings(engine) });
  const workers = await createWorkers({
    connection: native,
    namespace: engine.namespace,
    bundlePath: workflowBundlePath(),
    activities: activitiesFrom({
      rescue,
      hosts,
      logger: pino({ level: 'silent' }),
      genuineSigners: () => genuineSigners({ stateDir }),
      openSigner: () =>
        Promise.resolve({ publicKeyHex: keys.signing.publicHex, sign: (bytes) => signManifest({ keys, bytes }) }),
    }),
  });
  const running = workers.run();
  return {
    ...{ client, hosts, keys, serverPid },
    env: { TEMPORAL_ADDRESS: engine.address, TEMPORAL_NAMESPACE: engine.namespace },
    async stop() {
      workers.shutdown();
      await running;
      await native.close();
      await connection.close();
      await hosts.close();
    },
  };
}

let quietened = false;
/**
 * The SDK's own words would stand between the bench's, and a signal would end its workers alone, while the bench waits for their run. Once for a
 * process.
 */
function quiet(): void {
  if (!quietened) Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
  quietened = true;
}
