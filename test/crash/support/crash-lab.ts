/** Two application hosts with a writing container each, a target, and a director: what every crash test hurts. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { readBackups, type StoreEntry } from '../../../hosts/backups';
import { loadDirectorKeys } from '../../../hosts/director-keys';
import { enrollHosts } from '../../../hosts/enroll/enroll';
import { hostRef } from '../../../hosts/refs';
import { SshHosts } from '../../../hosts/ssh-hosts';
import { status } from '../../../hosts/verbs/reading';
import { runId, workflowId } from '../../../planning/ids';
import { CONTROL_QUEUE } from '../../../planning/queues';
import { groupSetup, type BackupInput, type GroupSetup, type RestoreInput } from '../../../planning/run-input';
import { parseRunbook } from '../../../runbooks/load';
import type { Runbook } from '../../../runbooks/types';
import { raiseFleet, type Fleet } from '../../lab/support/fleet';
import { until } from '../../workers/fixtures/engine';
import { ensureBuilt } from './build';
import { Director, type ExternalServer } from './director';
import { APPS, GROUP, HOOK, runbookText, STORE } from './lab-runbook';
import { ledgerLead, startLedger } from './ledger';
import { DIGEST, REMAINS } from './looks';
import { installPoints, Points } from './points';
import { Run } from './run';

export { APPS } from './lab-runbook';

interface LabOptions {
  /** Size of the store's disk, as `8G`. */
  storeSize?: string;
  /** Default: an embedded server. */
  server?: ExternalServer;
  /** A hook of app-1 before and after each freeze. */
  hooks?: boolean;
}

export class CrashLab {
  /** Those of this process that stand; a suite ends them without asking whether its own came up. */
  private static readonly standing = new Set<CrashLab>();
  readonly points: Points;
  /** All restores on this lab so far: their safety snapshots stay for days, and are no leftovers. */
  private readonly restores: string[] = [];

  private constructor(
    readonly fleet: Fleet,
    readonly director: Director,
    private readonly hosts: SshHosts,
    private readonly runbook: Runbook,
    readonly setup: GroupSetup,
  ) {
    this.points = new Points(fleet);
  }

  /** Raises, enrols and starts all of it (about 15 s); no worker yet. */
  static async raise(name: string, options: LabOptions = {}): Promise<CrashLab> {
    ensureBuilt();
    const fleet = await raiseFleet({
      name,
      hosts: [
        ...APPS.map((app) => ({ name: app, disk: 'btrfs', docker: true }) as const),
        { name: 'target', disk: 'btrfs', docker: false, store: 'btrfs', storeSize: options.storeSize },
      ],
    });
    const director = new Director(options.server);
    try {
      await director.start();
      await fleet.exec(APPS[0], `cat >${HOOK.command} && chmod 755 ${HOOK.command}`, { input: HOOK.program });
      const text = runbookText({ fleet, hooks: options.hooks === true });
      const runbook = parseRunbook({ text, file: 'crash.yaml' });
      const { stateDir } = director;
      const { failed } = await enrollHosts({
        stateDir,
        runbook,
        hosts: fleet.hosts.map((host) => host.name),
        admin: () => ({ login: { privateKey: readFileSync(fleet.adminKey, 'utf8') } }),
        adminKnownHosts: readFileSync(fleet.knownHosts, 'utf8'),
      });
      for (const { error } of failed) throw error;
      const keys = await loadDirectorKeys({ stateDir });
      const directorId = `director-${keys.signing.publicHex.slice(0, 12)}`;
      const setup = groupSetup({ runbook, group: GROUP, runbookText: text, directorId });
      const lab = new CrashLab(fleet, director, await SshHosts.open({ stateDir }), runbook, setup);
      await installPoints(fleet);
      await startLedger(fleet, APPS);
      await lab.fill();
      CrashLab.standing.add(lab);
      return lab;
    } catch (error) {
      await director.end();
      await fleet.down();
      throw error;
    }
  }

  /** After a test: `settle` for whatever stands. */
  static async settleAll(): Promise<void> {
    for (const lab of CrashLab.standing) await lab.settle();
  }

  /** After a suite: `end` for whatever stands. */
  static async endAll(): Promise<void> {
    for (const lab of CrashLab.standing) await lab.end();
  }

  async end(): Promise<void> {
    CrashLab.standing.delete(this);
    await this.hosts.close();
    await this.director.end();
    await this.fleet.down();
  }

  /** After a test, whatever became of it: no hold, no cut, no worker. */
  async settle(): Promise<void> {
    await this.director.killWorkers();
    await this.fleet.heal();
    for (const { name } of this.fleet.hosts) {
      await this.points.release(name);
      await this.fleet.limitRate(name, 0);
    }
  }

  async startBackup(): Promise<Run> {
    const input: BackupInput = { ...this.setup, ...this.named(), version: 'test', checksum: false };
    return this.start('backup', input);
  }

  /** In place and of all of it, unless told otherwise. */
  async startRestore(id: string, more: Partial<Pick<RestoreInput, 'select' | 'mode' | 'folder'>> = {}): Promise<Run> {
    const input: RestoreInput = {
      ...this.named(),
      into: this.setup,
      from: { group: GROUP, store: STORE, storeHost: this.setup.storeHost },
      id,
      select: {},
      mode: 'in-place',
      folder: null,
      deletes: true,
      newDisk: false,
      approve: null,
      planOnly: false,
      ...more,
    };
    this.restores.push(input.run);
    return this.start('restore', input);
  }

  /** The store's own list. */
  async backups(): Promise<StoreEntry[]> {
    const { storeHost } = this.setup;
    return (await readBackups({ hosts: this.hosts, storeHost, store: STORE, group: GROUP })).backups;
  }

  /** Nothing of any run is left but safety snapshots, as the hosts tell: empty where all is well. */
  async leftovers(): Promise<string[]> {
    const found: string[] = [];
    for (const { name } of this.fleet.hosts) {
      const host = hostRef({ runbook: this.runbook, host: name });
      const { leases, snapshots, restore, ...others } = await status({ hosts: this.hosts, host, group: GROUP });
      const rest = { ...others, snapshots: snapshots.filter((each) => !isSafety(each, this.restores)) };
      if (restore !== undefined) found.push(`${name} is stopped by restore ${restore}`);
      // A lease that was given back stays written, with its term; one that lives is held.
      for (const lease of leases)
        if ('live' in lease && lease.live === true) found.push(`${name} lease ${JSON.stringify(lease)}`);
      for (const [kind, all] of Object.entries(rest))
        found.push(...all.map((each) => `${name} ${kind} ${JSON.stringify(each)}`));
    }
    return found;
  }

  /** Both writers run and write on: empty where all is well. */
  async silent(): Promise<string[]> {
    const lines = async (app: string): Promise<number> =>
      Number((await this.fleet.exec(app, 'wc -l </srv/ledger/ledger', { mayFail: true })).stdout);
    const found: string[] = [];
    for (const app of APPS) {
      const paused = (await this.fleet.exec(app, "docker ps -a --format '{{.Names}} {{.Status}}'")).stdout.trim();
      const before = await lines(app);
      const grows = until(`the writer of ${app} writes`, async () => (await lines(app)) > before, 5_000);
      await grows.catch(() => found.push(`${app}: ${paused}`));
      if (/paused/i.test(paused)) found.push(`${app}: ${paused}`);
    }
    return found;
  }

  /** Approves a restore and waits until it comes to this point, at a stop or behind it: the count before passes some of the same. */
  async approveUntil({
    run,
    hash,
    at,
  }: {
    run: Run;
    hash: string;
    at: { host: string; point: string };
  }): Promise<void> {
    // The count stops nobody; and which host is stopped first is not ours to say.
    const first = at.point.startsWith('restore.stop') ? at : { host: 'app-1', point: 'restore.stop' };
    await this.points.hold(first.host, first.point);
    await run.approve(hash);
    await this.points.reached(first.host, first.point);
    if (first === at) return;
    await this.points.hold(at.host, at.point);
    await this.points.pass(first.host, first.point);
    await this.points.reached(at.host, at.point);
  }

  /** What a host's files are now; `at`: where they lie. */
  async digest(app: string, at = '/srv/files'): Promise<string> {
    return (await this.fleet.exec(app, `cd ${at} && ${DIGEST}`)).stdout;
  }

  /** What a backup holds of a host's files. */
  async stored(id: string, app: string): Promise<string> {
    return (await this.fleet.exec('target', `cd /backup/${GROUP}/backups/${id}/${app}@+srv/files && ${DIGEST}`)).stdout;
  }

  /** What some backups hold: each host's files as `digest` tells them, and how far the ledger of app-1 leads. */
  async contents(ids: readonly string[]): Promise<Map<string, { files: Record<string, string>; lead: number }>> {
    const last = (app: string): string => `$(tail -n 1 ${app}@+srv/ledger/ledger)`;
    const digests = APPS.map((app) => `(cd ${app}@+srv/files && ${DIGEST})`).join('; ');
    const each = `cd /backup/${GROUP}/backups/$id && echo "$id $((${last(APPS[0])} - ${last(APPS[1])}))" && ${digests}`;
    const { stdout } = await this.fleet.exec('target', `for id in ${ids.join(' ')}; do ${each}; done`, {
      timeoutMs: 600_000,
    });
    const lines = stdout.split('\n');
    const found = new Map<string, { files: Record<string, string>; lead: number }>();
    for (let at = 0; at + APPS.length < lines.length; at += 1 + APPS.length) {
      const [id = '', lead] = (lines[at] ?? '').split(' ');
      const files = Object.fromEntries(APPS.map((app, nth) => [app, `${lines[at + 1 + nth] ?? ''}\n`]));
      found.set(id, { files, lead: Number(lead) });
    }
    return found;
  }

  /** How far the ledger of app-1 leads in a sealed backup. */
  lead(id: string): Promise<number> {
    return ledgerLead(this.fleet, `/backup/${GROUP}/backups/${id}`, APPS);
  }

  /** Puts a file of that size (MiB) on a host, with content that no backup holds yet; under another name it is new in whole. */
  async addFile(app: string, mib: number, name = 'big'): Promise<void> {
    await this.fleet.exec(app, `head -c ${mib}M /dev/urandom >/srv/files/${name} && sync -f /srv`);
  }

  /** Loses, overwrites and adds files on each application host: what a restore brings back, and takes away. */
  async spoil(): Promise<void> {
    const damage = 'cd /srv/files && rm -f big 1* 2* && echo overwritten >3 && echo junk >junk && chmod 600 4';
    for (const app of APPS) await this.fleet.exec(app, damage);
  }

  /** Changes, adds and removes files, other ones each round, and leaves a big one of that size. */
  async churn(app: string, { round, mib }: { round: number; mib: number }): Promise<void> {
    const files = `cd /srv/files && rm -f big $((${round} * 7 % 200 + 1)) && date +%N >new-${round} && echo ${round} >$((${round} * 13 % 200 + 1))`;
    await this.fleet.exec(app, `${files} && chmod 640 new-${round}`);
    await this.addFile(app, mib);
  }

  /**
   * The same on the hosts' disks and in their processes, looked up without the hostkit, which might be blind for it: empty where all is
   * well.
   */
  async remains(): Promise<string[]> {
    const found: string[] = [];
    for (const { name } of this.fleet.hosts) {
      const lines = (await this.fleet.exec(name, REMAINS)).stdout.split('\n').filter((line) => line !== '');
      for (const line of lines)
        if (!this.restores.some((run) => line.includes(`/${run}.0/`))) found.push(`${name} ${line}`);
    }
    return found;
  }

  /** Waits until a tree of a host has grown on the target by so many KiB since the call. */
  async receiving(app: string, kib: number): Promise<void> {
    const look = `du -k -s /backup/${GROUP}/current/${app}@+srv | cut -f 1`;
    const received = async (): Promise<number> =>
      Number((await this.fleet.exec('target', look, { mayFail: true })).stdout);
    const from = await received();
    await until(`${app} sends`, async () => (await received()) >= from + kib, 60_000);
  }

  /** How much a host's files take, KiB. */
  async used(app: string): Promise<number> {
    return Number((await this.fleet.exec(app, 'du -k -s /srv/files | cut -f 1')).stdout);
  }

  private async fill(): Promise<void> {
    for (const app of APPS) {
      const files =
        'mkdir -p /srv/ledger /srv/files && cd /srv/files && for i in $(seq 1 200); do head -c $((i * 97)) /dev/urandom >$i; done';
      await this.fleet.exec(app, `${files}; ln 1 hard; ln -s 2 soft; setfattr -n user.note -v kept 3; touch -d @1 4`);
    }
  }

  private named(): { run: string; requestedBy: string } {
    return { run: runId({ nowMs: Date.now(), random: Math.random() }), requestedBy: 'test@lab' };
  }

  private async start(kind: 'backup' | 'restore', input: { run: string }): Promise<Run> {
    const id = workflowId({ kind, group: GROUP, run: input.run });
    const { client } = this.director;
    await client.workflow.start(kind, { workflowId: id, taskQueue: CONTROL_QUEUE, args: [input] });
    return new Run(client, input.run, id);
  }
}

function isSafety(snapshot: object, restores: readonly string[]): boolean {
  if (!('run' in snapshot) || !('safety' in snapshot)) return false;
  return snapshot.safety === true && restores.some((run) => run === snapshot.run);
}

/** Backups are named by the second of their freeze: two runs must not meet in one. */
export async function nextSecond(): Promise<void> {
  await sleep(1_000 - (Date.now() % 1_000) + 20);
}
