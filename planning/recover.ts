/**
 * From the layout of a lost host and the disks of a new machine to the plan of its recovery: which disk takes whose place, how large
 * everything becomes, and the steps. A pure decision: same input, same plan, same hash. It refuses rather than guesses.
 */
import { canonicalJson } from './canonical';
import { PlanningError } from './errors';
import type { Layout } from './layout-schema';
import { bootTarget } from './recover-boot';
import { bootChecks, firmwareChecks, mediaNotes, otherWarnings } from './recover-checks';
import type { Graph } from './recover-graph';
import { storageGraph } from './recover-graph';
import type { Held } from './recover-held';
import { lossInWords } from './recover-held';
import { isKnownThisBoot, isSameDisk } from './recover-identity';
import { keptStorage, layoutDisk } from './recover-keep';
import { leftChecks } from './recover-left';
import { withNewKeys } from './recover-luks';
import type { FoundDisk, FoundMachine, RecoveryPolicy } from './recover-machine';
import type { Mapping } from './recover-map';
import { mapDisks } from './recover-map';
import type { Needs } from './recover-needs';
import { needsOf } from './recover-needs';
import type { PlannedDisk, RecoveryPlan } from './recover-plan';
import type { Sized } from './recover-size';
import { sizedStorage } from './recover-size';
import { recoverySteps } from './recover-steps';
import { toolChecks } from './recover-tools';
import { plannedTrees } from './recover-tree';
import { diskInWords, printable } from './recover-words';
import { sha256Hex } from './sha256';

export * from './recover-machine';
export type * from './recover-plan';

export interface RecoveryInput {
  layout: Layout;
  machine: FoundMachine;
  policy: RecoveryPolicy;
  /** The backup's id. */
  backup: string;
  held?: Held;
}

/**
 * The plan.
 * @throws PlanningError for a policy that names disks that don't exist, or a layout that contradicts itself
 */
export function planRecovery({ layout, machine, policy, backup, held }: RecoveryInput): RecoveryPlan {
  checkPolicy(policy);
  const { newKeys, newIdentity } = policy;
  const kept = keptStorage({
    storage: withNewKeys({ layout, newKeys }),
    limits: layout.limits,
    leaveOut: policy.leaveOut,
    held,
  });
  const before = storageGraph(kept.storage);
  const needs = needsBySector(before, policy);
  const pins = new Map(Object.entries(policy.pins).map(([name, pin]) => [layoutDisk({ storage: layout, name }), pin]));
  const idle = [...pins.keys()].filter((id) => kept.unneeded.has(id));
  const mapping = mapDisks({
    disks: kept.storage.disks,
    all: layout.disks,
    found: machine.disks,
    pins,
    least: (id, sectorBytes) => needs(sectorBytes).of(id).least,
    figures: (id, sectorBytes) => needs(sectorBytes).figures(id),
  });
  const chosen = new Map([...mapping.chosen].map(([id, { disk }]) => [id, disk]));
  const sized = mapping.blockers.length === 0 ? sizedStorage({ graph: before, chosen, policy }) : undefined;
  const storage = sized?.storage ?? kept.storage;
  const checks = firmwareChecks({ layout, machine, storage });
  const boot = bootChecks({ layout, machine, held, newIdentity });
  const blockers = [
    ...new Set([
      ...kept.blockers,
      ...mapping.blockers,
      ...(sized?.blockers ?? []),
      ...checks.blockers,
      ...(checks.blockers.length > 0 ? [] : boot.blockers),
    ]),
  ];
  for (const id of idle) {
    const name = id.slice(id.indexOf(':') + 1);
    blockers.push(printable(`${name} is pinned and not made again: ${kept.unneeded.get(id) ?? ''}. Take the pin away`));
  }
  if (kept.storage.mounts.every((mount) => mount.path !== '/')) {
    blockers.push('the layout has no file system on / that could be made again. Take the layout of another backup');
  }
  const disks = plannedDisks({ layout, found: machine.disks, mapping });
  const taken = [...chosen.values()];
  const own = layout.disks.filter(
    ({ id, name }) => !kept.unneeded.has(id) || policy.leaveOut.some((each) => each === id || each === name),
  );
  // Of a plan that can't be carried out yet it is not known which disks stay as they are.
  const left = mapping.blockers.length > 0 ? undefined : leftChecks({ storage, own, found: machine.disks, taken });
  blockers.push(...(left?.blockers ?? []));
  const { firmware } = machine;
  const isBootless = () =>
    firmware === 'bios' && bootTarget({ layout, plan: { firmware, disks, steps: [] } }).disks.length === 0;
  if (blockers.length === 0 && isBootless())
    blockers.push('none of the disks that this host booted from is made again: take its --leave-out away');
  const planned =
    sized === undefined || blockers.length > 0 ? [] : recoverySteps({ graph: storageGraph(storage), chosen });
  const tools = toolChecks({ steps: planned, machine, host: layout.host });
  blockers.push(...tools.blockers);
  const losses = disks
    .filter((disk) => disk.fate === 'overwritten' && !disk.isSame && disk.contents.length > 0)
    .map((disk) =>
      printable(
        `${diskInWords(disk)} is none of this host's old disks, and loses what it holds: ${disk.contents.join(', ')}`,
      ),
    );
  const unsure = disks
    .filter((disk) => disk.fate === 'overwritten' && isKnownThisBoot(disk))
    .map((disk) =>
      printable(
        `${diskInWords(disk)} says nothing of itself: it is told from other disks until the rescue system is booted anew, and no longer. See that it is the one that is meant`,
      ),
    );
  const unneeded = [...kept.unneeded].map(([id, why]) =>
    printable(`${id.slice(id.indexOf(':') + 1)} of the layout is not made again: ${why}`),
  );
  const warnings = [
    ...new Set([...kept.warnings, ...boot.warnings]),
    ...tools.warnings,
    ...mediaNotes({ layout, machine }),
    ...kept.losses.map(lossInWords),
    ...losses,
    ...unsure,
    ...(left?.warnings ?? []),
    ...unneeded,
    ...(sized?.warnings ?? []),
    ...checks.warnings,
    ...otherWarnings({ layout, machine, storage, newKeys, newIdentity }),
  ];
  const plan = {
    resurgoRecoveryPlan: 1 as const,
    host: layout.host,
    backup,
    layoutSha256: sha256Hex(canonicalJson(layout)),
    firmware,
    policy,
    disks,
    ...(kept.losses.length > 0 ? { lost: kept.losses.map(({ what }) => printable(what)) } : {}),
    after: treesOf({ sized, before, chosen }),
    steps: blockers.length > 0 ? [] : planned,
    warnings: warnings.sort(),
    blockers: blockers.sort(),
  };
  return { ...plan, hash: recoveryHash(plan) };
}

/** The plan with further reasons against it: one that has any has no steps. */
export function blockedPlan({ plan, why }: { plan: RecoveryPlan; why: readonly string[] }): RecoveryPlan {
  if (why.length === 0) return plan;
  const blocked = { ...plan, steps: [], blockers: [...plan.blockers, ...why.map(printable)].sort() };
  return { ...blocked, hash: recoveryHash(blocked) };
}

/** The hash that an approval names (`approves` of `restore-approval`). Whoever acts on a plan computes it again first. */
export function recoveryHash(plan: Omit<RecoveryPlan, 'hash'>): string {
  return sha256Hex(canonicalJson({ ...plan, hash: undefined }));
}

/**
 * Whether the plan may run without a person's word under `approve: identical-disks`: it is whole, and no disk that it overwrites holds
 * anything, unless it is the host's own disk by serial or WWN; of none it is unknown what it holds, and all that lies there is in the backup.
 */
export function approvesUnattended({ disks, lost = [], blockers, steps }: RecoveryPlan): boolean {
  const overwritten = disks.filter((disk) => disk.fate === 'overwritten');
  return (
    blockers.length === 0 &&
    steps.length > 0 &&
    lost.length === 0 &&
    overwritten.every(({ isSame, isUnknown, contents }) => isUnknown !== true && (isSame || contents.length === 0))
  );
}

/** What all devices need on disks with sectors of one size, worked out once for each size. */
function needsBySector(graph: Graph, { headroomPercent }: RecoveryPolicy): (sectorBytes: number) => Needs {
  const bySector = new Map<number, Needs>();
  return (sectorBytes) => {
    const needs = bySector.get(sectorBytes) ?? needsOf({ graph, headroomPercent, sectorOf: () => sectorBytes });
    bySector.set(sectorBytes, needs);
    return needs;
  };
}

function plannedDisks({
  layout,
  found,
  mapping,
}: {
  layout: Layout;
  found: readonly FoundDisk[];
  mapping: Mapping;
}): PlannedDisk[] {
  return found.map((each) => {
    const disk = { ...each };
    delete disk.uuids;
    const [id, chosen] = [...mapping.chosen].find(([, { disk: taken }]) => taken === each) ?? [];
    const was = layout.disks.find((own) => own.id === id);
    if (was === undefined || chosen === undefined) {
      const why = mapping.passed.get(each) ?? '';
      return { ...disk, takesPlaceOf: null, how: null, why, isSame: false, fate: 'untouched' as const };
    }
    const isSame = isSameDisk(was, disk) && was.bytes === disk.bytes;
    return { ...disk, takesPlaceOf: was.name, how: chosen.how, why: chosen.why, isSame, fate: 'overwritten' as const };
  });
}

function treesOf({
  sized,
  before,
  chosen,
}: {
  sized: Sized | undefined;
  before: Graph;
  chosen: ReadonlyMap<string, FoundDisk>;
}): RecoveryPlan['after'] {
  if (sized === undefined) return [];
  return plannedTrees({ graph: storageGraph(sized.storage), before }).map(({ id, node }) => ({
    ...node,
    disk: chosen.get(id)?.name ?? '',
  }));
}

function checkPolicy({ headroomPercent }: RecoveryPolicy): void {
  if (Number.isFinite(headroomPercent) && headroomPercent >= 0 && headroomPercent <= 1000) return;
  throw new PlanningError({
    code: 'bad-policy',
    message: `a headroom of ${headroomPercent} percent is none`,
    next: 'Give a number from 0 to 1000; 10 is the default',
  });
}
