/** The devices of a sized layout as the new machine knows them. */
import type { Graph } from './recover-graph';
import type { FoundDisk } from './recover-machine';
import type { Device, DiskIdentity } from './recover-plan';

export interface Devices {
  device: (id: string) => Device;
  /** What people call it on the new machine: `vda2`, `vg0/root`. Never the layout's own name, which may be another disk's by now. */
  name: (id: string) => string;
  /** The disks below a device, which a write to it goes to. */
  disks: (ids: readonly string[]) => DiskIdentity[];
}

export interface StepsInput {
  /** Of the sized storage. */
  graph: Graph;
  chosen: ReadonlyMap<string, FoundDisk>;
}

/** What the families of steps share. */
export interface StepContext extends StepsInput, Devices {
  /** The key of the step that makes a device. */
  maker: (id: string) => string;
}

export function devicesOf({ graph, chosen }: StepsInput): Devices {
  const { storage } = graph;
  const device = (id: string): Device => {
    const disk = chosen.get(id);
    if (disk !== undefined) return { kind: 'disk', disk: identityOf(disk) };
    const partition = storage.partitions.find((each) => each.id === id);
    if (partition !== undefined) {
      const { number, uuid, startByte, bytes } = partition;
      return { kind: 'partition', on: device(partition.on), number, uuid, startByte, bytes };
    }
    const array = storage.arrays.find((each) => each.id === id);
    if (array !== undefined) return { kind: 'md', uuid: array.uuid, device: array.device };
    const luks = storage.luks.find((each) => each.id === id);
    if (luks !== undefined) return { kind: 'luks', uuid: luks.uuid, name: mappingName(luks) };
    const volume = storage.volumes.find((each) => each.id === id);
    if (volume !== undefined) return { kind: 'lv', group: volume.group, name: volume.name };
    return { kind: 'zvol', dataset: id.slice('zvol:'.length) };
  };
  const name = (id: string): string => {
    const known = device(id);
    switch (known.kind) {
      case 'disk':
        return known.disk.name;
      case 'partition': {
        const on = storage.partitions.find((each) => each.id === id)?.on ?? '';
        return `${name(on)}${/\d$/.test(name(on)) ? 'p' : ''}${known.number}`;
      }
      case 'md':
        return storage.arrays.find((each) => each.id === id)?.name ?? known.device;
      case 'luks':
        return known.name;
      case 'lv':
        return `${known.group}/${known.name}`;
      case 'zvol':
        return known.dataset;
    }
  };
  return {
    device,
    name,
    disks: (ids) =>
      [...new Set(ids.flatMap((id) => graph.disksUnder(id)))].flatMap((id) => {
        const disk = chosen.get(id);
        return disk === undefined ? [] : [identityOf(disk)];
      }),
  };
}

export function identityOf({ name, serial, wwn, bytes }: FoundDisk): DiskIdentity {
  return { name, serial, wwn, bytes };
}

/** The name of the layout's mapping; one that systemd would give, where neither crypttab nor an open mapping says one. */
export function mappingName({ name, uuid }: { name: string | null; uuid: string }): string {
  return name ?? `luks-${uuid}`;
}
