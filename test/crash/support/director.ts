/** A director of its own for a suite: a state folder, a Temporal server on a file, and workers as processes that can be hurt. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import type { Client } from '@temporalio/client';
import { connectClient, type ConnectedClient } from '../../../workers/connection';
import { findServer } from '../../../workers/embedded-server';
import { engineSettings, ensureEngine, type Engine } from '../../../workers/engine';
import { prepareState } from '../../../workers/paths';
import { Scratch } from '../../workers/fixtures/engine';
import { ROOT } from './build';

/** One worker process. */
export class WorkerProcess {
  constructor(private readonly child: ChildProcess) {}

  get pid(): number {
    if (this.child.pid === undefined) throw new Error('the worker did not start');
    return this.child.pid;
  }

  /** SIGKILL, and gone when it resolves; harmless to repeat. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await gone;
  }

  /** SIGSTOP: it holds its connections and does nothing. */
  stop(): void {
    this.child.kill('SIGSTOP');
  }

  /** SIGCONT. */
  goOn(): void {
    this.child.kill('SIGCONT');
  }
}

/** A Temporal server that somebody else runs, and how to hurt it. */
export interface ExternalServer {
  /** `host:port`; the namespace is `default`. */
  address: string;
  kill: () => Promise<void>;
  /** Ready when it resolves. */
  restart: () => Promise<void>;
}

/** The engine's side of a crash test: an embedded server unless one is given. */
export class Director {
  private readonly scratch = new Scratch();
  private readonly workers: WorkerProcess[] = [];
  private connected: ConnectedClient | undefined;
  private engine: Engine | undefined;

  constructor(private readonly server?: ExternalServer) {
    if (server !== undefined) this.scratch.env.TEMPORAL_ADDRESS = server.address;
  }

  get stateDir(): string {
    return this.scratch.stateDir;
  }

  get client(): Client {
    if (this.connected === undefined) throw new Error('the director was not started');
    return this.connected.client;
  }

  /** Starts the server, or finds the external one; no worker. */
  async start(): Promise<void> {
    await this.findEngine();
    if (this.engine === undefined) throw new Error('no engine');
    this.connected = await connectClient({ settings: engineSettings(this.engine, this.scratch.env) });
  }

  /** The same file and, as nobody else takes it in the meantime, the same port. */
  async startServer(): Promise<void> {
    await this.server?.restart();
    await this.findEngine();
  }

  private async findEngine(): Promise<void> {
    this.engine = await ensureEngine({ stateDir: this.stateDir, env: this.scratch.env, worker: false });
  }

  /** SIGKILL for the server. */
  async killServer(): Promise<void> {
    if (this.server !== undefined) return this.server.kill();
    const server = findServer(prepareState(this.stateDir));
    if (server === undefined) throw new Error('no server runs');
    process.kill(server.process.pid, 'SIGKILL');
    while (findServer(prepareState(this.stateDir)) !== undefined)
      await new Promise((resolve) => setTimeout(resolve, 20));
  }

  /** Starts one more worker. */
  startWorker(): WorkerProcess {
    if (this.engine === undefined) throw new Error('the director was not started');
    const log = openSync(path.join(this.scratch.root, 'worker.out'), 'a');
    try {
      const main = path.join(ROOT, 'dist', 'workers', 'worker-main.js');
      const embedded = this.server === undefined ? ['--embedded', this.engine.address] : [];
      const args = [main, '--state', this.stateDir, ...embedded];
      const worker = new WorkerProcess(
        spawn(process.execPath, args, { env: this.scratch.env, stdio: ['ignore', log, log] }),
      );
      this.workers.push(worker);
      return worker;
    } finally {
      closeSync(log);
    }
  }

  /** Ends all workers, with SIGKILL. */
  async killWorkers(): Promise<void> {
    await Promise.all(this.workers.splice(0).map((worker) => worker.kill()));
  }

  /** Ends everything and removes the folder. */
  async end(): Promise<void> {
    await this.killWorkers();
    await this.connected?.connection.close();
    await this.scratch.end();
  }
}
