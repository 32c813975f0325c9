/** A volume group with its new extents, and what its logical volumes make of them. */
import type { LogicalVolume, VolumeGroup } from './layout-storage';
import { extentsOf, fitGroup } from './recover-lvm';
import { sectorBytesWere, volumeNeed } from './recover-needs';
import type { SizeContext } from './recover-size-context';
import { figures } from './recover-size-context';
import { list, printable, size } from './recover-words';

/** The group's volumes with their new sizes; the group itself goes into the context. */
export function sizedGroup({ context, group }: { context: SizeContext; group: VolumeGroup }): LogicalVolume[] {
  const { graph, needs, policy, blockers, warnings } = context;
  const input = { graph, headroomPercent: policy.headroomPercent, sectorOf: context.sectorOf };
  const extents = new Map(group.physical.map((each) => [each.on, newExtents(context, group, each)]));
  checkSectors(context, group);
  const volumes = graph.storage.volumes.filter((each) => each.group === group.name);
  const fitted = fitGroup({
    group,
    volumes,
    extents,
    grow: policy.grow,
    needs: (id) => volumeNeed({ id, input, needs }),
  });
  if (fitted === undefined) {
    const has = size([...extents.values()].reduce((sum, each) => sum + each, 0) * group.extentBytes);
    const [first] = group.physical;
    blockers.push(
      printable(
        `volume group ${group.name} has ${has}, too little: ${first === undefined ? '' : figures(context, first.on)}. Use bigger disks`,
      ),
    );
  }
  const physical = group.physical.map((each) => ({ ...each, extents: extents.get(each.on) ?? each.extents }));
  context.groups.set(group.name, { ...group, physical });
  const sum = (each: readonly { extents: number }[]): number =>
    each.reduce((total, { extents: own }) => total + own, 0);
  const more = sum(physical) - sum(group.physical);
  const taken =
    (fitted ?? volumes).reduce((total, each) => total + extentsOf(each), 0) -
    volumes.reduce((total, each) => total + extentsOf(each), 0);
  if (more > 0 && more - taken > 0) {
    warnings.push(
      printable(
        `volume group ${group.name} gets ${size((more - taken) * group.extentBytes)} of free extents: give them out afterwards (lvextend)`,
      ),
    );
  }
  return fitted ?? volumes;
}

function newExtents(context: SizeContext, group: VolumeGroup, physical: VolumeGroup['physical'][number]): number {
  const now = context.bytes.get(physical.on) ?? 0;
  if (now === context.graph.bytesOf(physical.on)) return physical.extents;
  return Math.max(0, Math.floor((now - physical.dataOffsetBytes) / group.extentBytes));
}

/** LVM makes no group of devices with different sectors. */
function checkSectors(context: SizeContext, group: VolumeGroup): void {
  const before = new Set(group.physical.map(({ on }) => sectorBytesWere(context.graph, on)));
  const after = new Set(group.physical.map(({ on }) => context.sectorOf(on)));
  if (after.size <= 1 || before.size > 1) return;
  context.blockers.push(
    printable(
      `volume group ${group.name} would lie on disks with sectors of ${list([...after].map(String))} bytes, which LVM refuses. Use disks of one sector size`,
    ),
  );
}
