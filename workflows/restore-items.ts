/** What a restore brings back and where it puts it: pure glue between the selection, the fleet and the plan. */
import { ApplicationFailure } from '@temporalio/workflow';
import type { RestoreItemRef } from '../activities/restore-item';
import type { Manifest } from '../planning/manifest';
import { mapInto, refuseMachines, restorePlan } from '../planning/restore';
import type {
  DestinationCheck,
  DryRun,
  RestoreItemInput,
  RestorePlan,
  SelectedSource,
  Selection,
} from '../planning/restore';
import type { FleetHost, RestoreInput } from '../planning/run-input';

/** One tree on its way: its reference for activities and what the plan needs of it. */
export interface Item {
  ref: RestoreItemRef;
  selected: SelectedSource;
  check: DestinationCheck;
  dryRun: DryRun;
}

/** The store that the backup lies in. */
export function storeOf({ from }: RestoreInput): { name: string; host: FleetHost } {
  return { name: from.store, host: from.storeHost };
}

/** Whether a restore to there deletes what the backup does not hold. */
export function deletesAt({ deletes, single }: RestoreItemRef): boolean {
  return deletes && !single;
}

/** Every host that takes part: the destination's and the store's, each once. */
export function everyHost({ into, from }: RestoreInput): FleetHost[] {
  return into.hosts.some((host) => host.name === from.storeHost.name) ? into.hosts : [...into.hosts, from.storeHost];
}

/** A host by its name in the runbook or, without one, by its short name. @throws a failure that names what is missing */
export function hostNamed({
  input,
  name,
  short,
}: {
  input: RestoreInput;
  name: string | null;
  short?: string;
}): FleetHost {
  const found = everyHost(input).find((host) => host.name === name || (name === null && host.short === short));
  if (found !== undefined) return found;
  throw ApplicationFailure.nonRetryable(
    `group ${input.into.group.name} has no host ${name ?? short ?? ''}; name one with --to HOST:FOLDER`,
    'not-found',
  );
}

/** Where each selected tree goes, and what finds no place. Nothing is protected yet: that needs a look at the host. */
export function destinations({ input, selection }: { input: RestoreInput; selection: Selection }): {
  places: { ref: RestoreItemRef; selected: SelectedSource }[];
  /** Why each of the others has no place. */
  unplaced: string[];
} {
  const base = (selected: SelectedSource) => ({
    backup: { id: input.id, tree: selected.source.tree, subpath: selected.subpath },
    store: { ...storeOf(input), group: input.from.group },
    single: false,
    // Who may connect to whom is a matter of firewalls, so it is the same for a backup and its restore.
    dial: input.into.group.transfer.direction === 'push' ? ('in' as const) : ('out' as const),
    protect: [],
    deletes: input.deletes,
    ...(input.checksum === true ? { checksum: true as const } : {}),
  });
  const { folder } = input;
  if (input.mode === 'folder' && folder !== null) {
    const places = selection.selected.map((selected) => {
      const host = hostNamed({ input, name: folder.host, short: selected.source.host });
      return {
        selected,
        ref: { ...base(selected), deletes: false, destination: { host, source: null, folder: folder.path } },
      };
    });
    return { places, unplaced: [] };
  }
  refuseMachines(selection);
  const { mapped, unmatched } = mapInto({ selected: selection.selected, runbook: input.into.group });
  const places = mapped.map(({ source, subpath, target }) => {
    const selected = { source, subpath };
    const destination = {
      host: hostNamed({ input, name: target.host }),
      source: sourceRef({ input, host: target.host, name: target.name }),
      folder: null,
    };
    return { selected, ref: { ...base(selected), destination } };
  });
  return { places, unplaced: unmatched.map((each) => each.reason) };
}

/** The plan of all items. */
export function planOf({
  input,
  manifest,
  selection,
  items,
  unplaced = [],
}: {
  input: RestoreInput;
  manifest: Manifest;
  selection: Selection;
  items: Item[];
  unplaced?: string[];
}): RestorePlan {
  return restorePlan({
    manifest,
    mode: input.mode,
    target: input.into.group,
    selection,
    unplaced,
    items: items.map((item) => planInput(item, input)),
    stopWaves: input.into.stopWaves,
    deletes: input.deletes,
    newDisk: input.newDisk,
    checksum: input.checksum,
  });
}

/** What the plan will protect, asked of the plan itself so that the count and the plan can't differ. */
export function protectionOf(options: {
  ref: RestoreItemRef;
  selected: SelectedSource;
  check: DestinationCheck;
  input: RestoreInput;
  manifest: Manifest;
  selection: Selection;
}): string[] {
  const { ref, selected, check, ...rest } = options;
  const plan = planOf({ ...rest, items: [{ ref, selected, check, dryRun: { files: 0, bytes: 0, deletions: 0 } }] });
  return (plan.items[0]?.protect ?? []).map((each) => each.pattern);
}

/** What a safety snapshot is taken of, each of a host's with a number of its own. */
export function safetyOf({ input, items }: { input: RestoreInput; items: Item[] }): { item: Item; freeze: number }[] {
  if (input.mode === 'folder') return [];
  const taken = new Map<string, number>();
  return items
    .filter((item) => item.check.safety !== null)
    .map((item) => {
      const { name } = item.ref.destination.host;
      const freeze = taken.get(name) ?? 0;
      taken.set(name, freeze + 1);
      return { item, freeze };
    });
}

/** `app-1:data/some/path`, as people name it. */
export function keyOf({ ref }: { ref: RestoreItemRef }): string {
  const { host, source, folder } = ref.destination;
  return `${host.name}:${source?.name ?? folder ?? ''}${ref.backup.subpath === null ? '' : `/${ref.backup.subpath}`}`;
}

function planInput({ ref, selected, check, dryRun }: Item, input: RestoreInput): RestoreItemInput {
  const { host, source, folder } = ref.destination;
  const target = input.into.group.sources.find((each) => each.host === host.name && each.name === source?.name);
  return {
    ...selected,
    check,
    dryRun,
    ...(folder === null ? {} : { folder: { host: host.name, path: folder } }),
    ...(target === undefined ? {} : { target }),
  };
}

function sourceRef({ input, host, name }: { input: RestoreInput; host: string; name: string }) {
  const source = input.into.group.sources.find((each) => each.host === host && each.name === name);
  return source === undefined ? null : { name, tree: source.tree, snapshot: source.snapshot, path: source.path };
}
