/** Steps for LVM: physical volumes, groups, and logical volumes with thin pools before what is in them. */
import { counted } from './counted';
import type { LogicalVolume, Segment, VolumeGroup } from './layout-storage';
import { lvId } from './recover-graph';
import type { RecoveryStep, StepSegment } from './recover-plan';
import type { StepContext } from './recover-devices';
import { printable, size } from './recover-words';

/** The step after which the volumes of a group are as they were, and can be used. */
export function uuidsKey(group: string): string {
  return `lvm-uuids:${group}`;
}

export function lvmSteps(context: StepContext): RecoveryStep[] {
  const { volumeGroups, volumes } = context.graph.storage;
  return [
    ...volumeGroups.flatMap((group) => physicalSteps(context, group.name)),
    ...volumeGroups.map((group) => groupStep(context, group.name)).flat(),
    ...volumes.flatMap((volume) => volumeStep(context, volume)),
    ...volumeGroups.map((group) => uuidsStep(context, group)),
    ...volumes.filter((volume) => volume.readOnly).map(readOnlyStep),
  ];
}

function physicalSteps({ graph, device, name: called, disks, maker }: StepContext, name: string): RecoveryStep[] {
  const group = graph.storage.volumeGroups.find((each) => each.name === name);
  return (group?.physical ?? []).map(({ on, uuid, dataOffsetBytes }): RecoveryStep => ({
    kind: 'lvm-pv',
    key: `lvm-pv:${on}`,
    says: printable(`Make ${called(on)} a physical volume of group ${name}`),
    needs: [maker(on)],
    destroys: disks([on]),
    on: device(on),
    group: name,
    uuid,
    dataOffsetBytes,
  }));
}

function groupStep({ graph, device, disks }: StepContext, name: string): RecoveryStep[] {
  const found = graph.storage.volumeGroups.find((each) => each.name === name);
  if (found === undefined) return [];
  const { uuid, extentBytes, tags, physical } = found;
  const on = physical.map((each) => each.on);
  return [
    {
      kind: 'lvm-vg',
      key: `lvm-vg:${name}`,
      says: printable(
        `Create volume group ${name} of ${on.length === 1 ? 'one physical volume' : `${on.length} physical volumes`}`,
      ),
      needs: on.map((id) => `lvm-pv:${id}`),
      destroys: disks(on),
      group: { name, uuid, extentBytes, tags },
      physical: physical.map((each) => ({
        on: device(each.on),
        uuid: each.uuid,
        extents: each.extents,
        tags: each.tags,
        allocatable: each.allocatable,
      })),
    },
  ];
}

function volumeStep({ graph, disks }: StepContext, volume: LogicalVolume): RecoveryStep[] {
  const { storage } = graph;
  const { id, group, name, uuid, bytes, tags, segments } = volume;
  const shared = {
    key: volumeKey(id),
    needs: [`lvm-vg:${group}`],
    destroys: disks([id]),
    volume: { group, name, uuid, bytes, tags },
  };
  const [first] = segments;
  if (first?.kind === 'thin-pool') {
    const { extents, chunkBytes, metadataBytes, discards, zero } = first;
    // After the volumes that have their places: it takes what is left.
    const placed = storage.volumes.filter(
      (each) => each.group === group && each.segments.some((segment) => 'areas' in segment),
    );
    return [
      {
        kind: 'lvm-thin-pool',
        says: printable(`Create thin pool ${group}/${name} (${size(bytes)})`),
        ...shared,
        needs: [...shared.needs, ...placed.map((each) => volumeKey(each.id))],
        extents,
        chunkBytes,
        metadataBytes,
        discards,
        zero,
      },
    ];
  }
  if (first?.kind === 'thin') {
    const pool = lvId({ storage, group, name: first.pool });
    return [
      {
        kind: 'lvm-thin',
        says: printable(`Create thin volume ${group}/${name} (${size(bytes)}) in ${first.pool}`),
        ...shared,
        needs: [...shared.needs, ...(pool === undefined ? [] : [volumeKey(pool)])],
        pool: first.pool,
      },
    ];
  }
  const says = printable(`Create logical volume ${group}/${name} (${size(bytes)})`);
  return [
    {
      kind: 'lvm-lv',
      says,
      ...shared,
      segments: segments.flatMap((segment) => stepSegment({ segment, group, storage })),
    },
  ];
}

/** LVM makes up UUIDs for what it makes; `/dev/disk/by-id/dm-uuid-LVM-…`, as Ubuntu's installer writes it in fstab, has those of before. */
function uuidsStep({ graph, disks }: StepContext, { name, uuid, physical }: VolumeGroup): RecoveryStep {
  const volumes = graph.storage.volumes.filter((each) => each.group === name);
  const whose = volumes.length === 0 ? '' : ` and its ${counted(volumes.length, 'volume')}`;
  return {
    kind: 'lvm-uuids',
    key: uuidsKey(name),
    says: printable(`Give volume group ${name}${whose} the UUIDs that they had`),
    needs: [`lvm-vg:${name}`, ...volumes.map((each) => volumeKey(each.id))],
    destroys: disks(physical.map((each) => each.on)),
    group: { name, uuid },
    volumes: volumes.map((each) => ({ name: each.name, uuid: each.uuid })),
  };
}

function volumeKey(id: string): string {
  return `lvm-lv:${id}`;
}

/** Only once its data is there. */
function readOnlyStep({ id, group, name }: LogicalVolume): RecoveryStep {
  const says = printable(`Make logical volume ${group}/${name} read-only again`);
  return { kind: 'lvm-read-only', key: `lvm-read-only:${id}`, says, needs: ['restore'], destroys: [], group, name };
}

/** Areas by the UUID of their physical volume, which it keeps whatever its device is called. */
function stepSegment({
  segment,
  group,
  storage,
}: {
  segment: Segment;
  group: string;
  storage: StepContext['graph']['storage'];
}): StepSegment[] {
  if (segment.kind === 'thin-pool' || segment.kind === 'thin') return [];
  const physical = storage.volumeGroups.find((each) => each.name === group)?.physical ?? [];
  const areas = segment.areas.map((area) => ({
    ...area,
    physical: physical.find((each) => each.on === area.physical)?.uuid ?? area.physical,
  }));
  return [{ ...segment, areas }];
}
