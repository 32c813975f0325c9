/** The command line over a fleet in memory, with a state folder and a runbook of its own, and no engine. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { adoptSigner } from '../../../hosts/adopted-signers';
import { ensureDirectorKeys } from '../../../hosts/director-keys';
import { FakeHosts } from '../../../hosts/fake';
import type { FakeCall } from '../../../hosts/fake';
import { SshHosts } from '../../../hosts/ssh-hosts';
import { fleetRunbook } from './fleet-runbook';
import { resurgo } from './run';
import { publicKeyHex, type StoredEntry } from './stored';

type Intercept = (call: FakeCall) => Record<string, unknown> | undefined;

/** A fleet whose listings are written by the test: `ID/TREE` → lines. */
class ListedHosts extends FakeHosts {
  readonly listings = new Map<string, string[]>();

  override listing({ id, tree }: { id: string; tree: string }): Promise<Readable> {
    const lines = this.listings.get(`${id}/${tree}`) ?? [line('.', 'd')];
    return Promise.resolve(Readable.from([gzipSync(['resurgo-listing 1', ...lines, 'xattrs', ''].join('\n'))]));
  }

  override close(): Promise<void> {
    return Promise.resolve();
  }
}

/** One line of a listing. */
export function line(path: string, type = 'f', size = 5): string {
  return [type, '0644', 0, 0, type === 'f' ? size : '-', '1800000000.000000000', '-', '-', '-', path].join('\t');
}

/** Two hosts and a target, anew for each test. */
class MemoryFleet {
  hosts = new ListedHosts({});
  /** What the hosts answer in place of the fake's own answer. */
  intercept: Intercept = () => undefined;
  private calls: FakeCall[] = [];
  private folder = '';
  private readonly outside = process.env.RESURGO_STATE;

  async begin(): Promise<void> {
    this.folder = mkdtempSync(join(tmpdir(), 'resurgo-cli-'));
    const stateDir = join(this.folder, 'state');
    process.env.RESURGO_STATE = stateDir;
    await ensureDirectorKeys({ stateDir });
    await adoptSigner({ stateDir, publicKeyHex, by: 'test', now: new Date(0) });
    this.runbook(fleetRunbook(2));
    this.calls = [];
    this.intercept = () => undefined;
    const intercept: Intercept = (call) => {
      this.calls.push(call);
      return this.intercept(call);
    };
    this.hosts = new ListedHosts({ latencyMs: 0, intercept });
    jest.spyOn(SshHosts, 'open').mockResolvedValue(this.hosts as unknown as SshHosts);
  }

  end(): void {
    jest.restoreAllMocks();
    if (this.outside === undefined) delete process.env.RESURGO_STATE;
    else process.env.RESURGO_STATE = this.outside;
    rmSync(this.folder, { recursive: true, force: true });
  }

  runbook(text: string): void {
    writeFileSync(join(this.folder, 'fleet.yaml'), text);
  }

  run(...args: string[]) {
    return resurgo('-r', join(this.folder, 'fleet.yaml'), ...args);
  }

  store(...entries: StoredEntry[]): void {
    this.hosts.host('target').backups.push(...entries);
  }

  /** All requests of that verb. */
  verbs(verb: string): FakeCall[] {
    return this.calls.filter((each) => each.verb === verb);
  }
}

/** The fleet of each test of the suite. */
export function useMemoryFleet(): MemoryFleet {
  const fleet = new MemoryFleet();
  beforeEach(() => fleet.begin());
  afterEach(() => {
    fleet.end();
  });
  return fleet;
}
