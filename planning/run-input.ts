/** What a run starts with: plain data taken from the runbook once, so that a run of many hours never sees a changed file. */
import type { Group, Host, RescuePolicy, Runbook, Store } from '../runbooks/types';
import { PlanningError } from './errors';
import { restoreWaves } from './order';
import type { RecoveryPolicy } from './recover-machine';

/** How a host is reached, and what backups call it. Fits `hosts/`' HostRef. */
export interface FleetHost {
  /** The runbook's name. */
  name: string;
  /** The name without the deployment's prefix. */
  short: string;
  address: string;
  port: number;
  user: string;
  via?: FleetHost;
  /** Of a rescue system: what its ssh host key is pinned for, in the place of its address. */
  pinnedAs?: string;
  /** Of a rescue system: it is a running rescue Linux of another make, onto which the hostkit was sent (`recover --live`). */
  live?: true;
}

/** A group with everything that a run of it needs. */
export interface GroupSetup {
  deployment: string | null;
  group: Group;
  /** The group's hosts, in the order of `group.hosts`. */
  hosts: FleetHost[];
  /** In which order they stop for a restore: wave after wave, the hosts of a wave together. They start the other way round. */
  stopWaves: string[][];
  store: Store;
  storeHost: FleetHost;
  /** The runbook as it was read: it is carried into the backup. */
  runbookText: string;
  /** Says which director this is, where two meet at one store (S4). */
  directorId: string;
}

/** The input of the workflow `backup`. */
export interface BackupInput extends GroupSetup {
  run: string;
  /** Version of the program that started it. */
  version: string;
  /** `operator@laptop`, `schedule`. */
  requestedBy: string;
  /** Compare by content, not by size and time. */
  checksum: boolean;
}

/** The input of the workflow `rescue`. Its `hosts` are those whose media are built, no others of the group. */
export interface RescueInput extends GroupSetup {
  run: string;
  version: string;
  requestedBy: string;
  options: {
    /** The group's `rescue`, with what the command line says otherwise. */
    policy: RescuePolicy;
    /** Whether the media are started once: where this can be done, in any case (else the run is partial), or not at all. */
    bootCheck: 'auto' | 'always' | 'never';
  };
}

/** Host by name, with its chain of jumps. @throws PlanningError for a name that the runbook doesn't have */
export function fleetHost({ runbook, name }: { runbook: Pick<Runbook, 'hosts'>; name: string }): FleetHost {
  const host: Host | undefined = runbook.hosts[name];
  if (host === undefined) {
    throw new PlanningError({
      code: 'bad-plan',
      message: `the runbook has no host "${name}"`,
      next: `It knows ${Object.keys(runbook.hosts).join(', ')}`,
    });
  }
  const { short, address, port, user, via } = host;
  return { name, short, address, port, user, ...(via === null ? {} : { via: fleetHost({ runbook, name: via }) }) };
}

/** A group's setup. @throws PlanningError for an unknown group */
export function groupSetup(options: {
  runbook: Runbook;
  group: string;
  runbookText: string;
  directorId: string;
}): GroupSetup {
  const { runbook, runbookText, directorId } = options;
  const group = runbook.groups[options.group];
  const store = group === undefined ? undefined : runbook.stores[group.target];
  if (group === undefined || store === undefined) {
    throw new PlanningError({
      code: 'bad-plan',
      message: `the runbook has no group "${options.group}"`,
      next: `It knows ${Object.keys(runbook.groups).join(', ')}`,
    });
  }
  return {
    deployment: runbook.deployment,
    group,
    hosts: group.hosts.map((name) => fleetHost({ runbook, name })),
    stopWaves: restoreWaves({
      hosts: group.hosts.map((name) => ({ name, labels: runbook.hosts[name]?.labels ?? [] })),
      order: group.restore.order,
      stop: group.restore.stop,
    }),
    store,
    storeHost: fleetHost({ runbook, name: store.host }),
    runbookText,
    directorId,
  };
}

/** The input of the workflow `restore`. */
export interface RestoreInput {
  run: string;
  requestedBy: string;
  /** The group whose hosts get the data, with its own store, whose lease the run holds. */
  into: GroupSetup;
  /** Where the backup lies: the group's own store, or another fleet's. */
  from: { group: string; store: string; storeHost: FleetHost };
  /** The backup's id; `latest` was resolved before. */
  id: string;
  /** Which part of the backup; each narrows the others, none is everything. */
  select: { host?: string; source?: string; path?: string };
  mode: 'in-place' | 'folder' | 'into';
  /** For `folder`: on which host (by the runbook's name; null: each on its own) and where. */
  folder: { host: string | null; path: string } | null;
  /** Whether what the backup doesn't hold is deleted at the destination. */
  deletes: boolean;
  /** In place: go on though the file system is another one than was backed up, since its disk was replaced. */
  newDisk: boolean;
  /** Compare files by content, not by size and time. */
  checksum?: boolean;
  /** The hash of a plan that was read before; the run goes on by itself only when it is the same plan. */
  approve: string | null;
  /** End with the plan: nothing is stopped or written. */
  planOnly: boolean;
}

/** The input of the workflow `recover`. */
export interface RecoverInput {
  run: string;
  requestedBy: string;
  /** The group whose backup holds the machine, with the store whose lease the run holds. */
  setup: GroupSetup;
  /** The machine as the runbook has it: where its old self is asked, and its new self waited for. */
  host: FleetHost;
  /** The rescue system that was booted in its place. */
  rescue: FleetHost;
  /** By whose word its ssh host key is its own, where it is a running rescue Linux. */
  rescueWord?: string | undefined;
  /** The backup's id; `latest` was resolved before. */
  id: string;
  policy: RecoveryPolicy;
  /** The operator's word that the old machine is gone, for where nobody can ask it. One that answers is believed more (S24). */
  oldMachineIsGone: boolean;
  /** The hash of a plan that was read before; the run goes on by itself only when it is the same plan. */
  approve: string | null;
  /** End with the plan: nothing is written. */
  planOnly: boolean;
}
