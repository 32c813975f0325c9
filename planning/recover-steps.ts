/** The steps of a recovery in their order, from the sized storage: each after all that it needs. */
import type { Graph } from './recover-graph';
import { devicesOf } from './recover-devices';
import type { StepContext, StepsInput } from './recover-devices';
import type { RecoveryStep } from './recover-plan';
import { blockSteps } from './recover-steps-block';
import { fileSystemSteps } from './recover-steps-files';
import { lvmSteps, uuidsKey } from './recover-steps-lvm';
import { poolSteps } from './recover-steps-zfs';
import { PlanningError } from './errors';

/** All steps, sorted so that each comes after those it needs; independent ones in the order of their families. */
export function recoverySteps({ graph, chosen }: StepsInput): RecoveryStep[] {
  const context: StepContext = { graph, chosen, ...devicesOf({ graph, chosen }), maker: (id) => makerOf(graph, id) };
  return ordered([...blockSteps(context), ...lvmSteps(context), ...poolSteps(context), ...fileSystemSteps(context)]);
}

function makerOf({ storage }: Graph, id: string): string {
  const partition = storage.partitions.find((each) => each.id === id);
  if (partition !== undefined) return `table:${partition.on}`;
  // Whose UUIDs are given to it with those of its group.
  const volume = storage.volumes.find((each) => each.id === id);
  if (volume !== undefined) return uuidsKey(volume.group);
  if (id.startsWith('zvol:')) return `zfs-create:${id.slice('zvol:'.length)}`;
  const family = [
    ['wipe', storage.disks],
    ['md-create', storage.arrays],
    ['luks', storage.luks],
  ] as const;
  const [verb] = family.find(([, devices]) => devices.some((each) => each.id === id)) ?? ['wipe'];
  return `${verb}:${id}`;
}

/** Each step as soon as what it needs is done, otherwise in the order given. */
function ordered(steps: readonly RecoveryStep[]): RecoveryStep[] {
  const done = new Set<string>();
  const sorted: RecoveryStep[] = [];
  let rest = [...steps];
  while (rest.length > 0) {
    const next = rest.find((step) => step.needs.every((key) => done.has(key)));
    if (next === undefined) {
      throw new PlanningError({
        code: 'bad-plan',
        message: `the steps ${rest.map((step) => step.key).join(', ')} need each other, or something that no step makes`,
        next: 'This is a fault of Resurgo: report it with the layout (`resurgo layout show --json`)',
      });
    }
    done.add(next.key);
    sorted.push(next);
    rest = rest.filter((step) => step !== next);
  }
  return sorted;
}
