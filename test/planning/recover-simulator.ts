/**
 * A machine that carries out a plan on paper: it refuses what a real one would refuse or destroy, and tells what it then consists of.
 * It knows devices by what the steps say of them only, never by the planner's own reckoning.
 */
import { stepRequest } from '../../activities/recover-requests';
import { diskFacts } from '../../planning/recover-machine';
import type { Layout } from '../../planning/layout-schema';
import type { Vdev } from '../../planning/layout-storage';
import type { Device, DiskIdentity, RecoveryPlan, RecoveryStep, StepVdev } from '../../planning/recover';
import type { Storage } from '../../planning/recover-graph';
import { mdadmOffset, mdadmRoom, partitionName } from './layout-builder';

/** What LVM names a thing by until it is told otherwise. */
const MADE_UP = 'made up';

interface Made {
  bytes: number;
  sectorBytes: number;
  disks: DiskIdentity[];
  isTaken: boolean;
}

interface Machine {
  plan: RecoveryPlan;
  /** What the backup holds of encrypted volumes, by the header's file. */
  headers: Layout['luks'];
  devices: Map<string, Made>;
  done: Set<string>;
  /** Extents in use by physical volume's UUID. */
  areas: Map<string, { start: number; end: number }[]>;
  taken: Map<string, number>;
  storage: Storage;
}

/** Carries the plan out. Throws for the first step that would go wrong. */
export function simulate(plan: RecoveryPlan, headers: Layout['luks']): Storage {
  const machine: Machine = {
    plan,
    headers,
    devices: new Map(),
    done: new Set(),
    areas: new Map(),
    taken: new Map(),
    storage: {
      disks: [],
      tables: [],
      partitions: [],
      arrays: [],
      luks: [],
      volumeGroups: [],
      volumes: [],
      pools: [],
      fileSystems: [],
      swaps: [],
      mounts: [],
    },
  };
  for (const step of plan.steps) {
    must(!machine.done.has(step.key), `${step.key} twice`);
    for (const need of step.needs) must(machine.done.has(need), `${step.key} before ${need}`);
    act(machine, step);
    machine.done.add(step.key);
  }
  return machine.storage;
}

function act(machine: Machine, step: RecoveryStep): void {
  const { storage, plan } = machine;
  switch (step.kind) {
    case 'wipe': {
      const disk = plan.disks.find((each) => sameDisk(each, step.disk));
      must(disk?.fate === 'overwritten', `${step.key} wipes a disk that was not chosen`);
      must(step.destroys.length === 1 && sameDisk(step.destroys[0]!, step.disk), `${step.key} names other disks`);
      const { takesPlaceOf, ...facts } = disk!;
      const id = `disk:${takesPlaceOf ?? ''}`;
      machine.devices.set(id, {
        bytes: disk!.bytes,
        sectorBytes: disk!.sectorBytes,
        disks: [step.disk],
        isTaken: false,
      });
      storage.disks.push({ id, ...diskFacts(facts) });
      return;
    }
    case 'table':
      table(machine, step);
      return;
    case 'md-create': {
      const members = step.members.map((each) => (each === null ? null : claim(machine, step, each)));
      const spares = step.spares.map((each) => claim(machine, step, each));
      const all = [...members.filter((each) => each !== null), ...spares];
      const room: number[] = [];
      for (const id of all) {
        const { bytes } = made(machine, id);
        const { metadata, chunkBytes } = step.array;
        const dataOffsetBytes = step.dataOffsetBytes ?? mdadmOffset({ bytes, chunkBytes });
        const free = mdadmRoom({ metadata, bytes, dataOffsetBytes });
        const asked = stepRequest({ step, tree: '' }).args['componentKib'];
        must(Number(asked) * 1024 <= free, `${step.key} takes more than mdadm finds free on ${id}`);
        room.push(Math.floor(free / (chunkBytes ?? 1)) * (chunkBytes ?? 1));
      }
      must(
        members.some((each) => each !== null),
        `${step.key} has no member`,
      );
      const id = `md:${step.array.device}`;
      add(machine, id, all, step.array.bytes);
      const isSpread = step.array.level === 'raid0' || step.array.level === 'linear';
      must(
        !isSpread || step.array.bytes <= room.reduce((sum, each) => sum + each, 0),
        `${step.key}: its members hold less`,
      );
      const offset = step.dataOffsetBytes === null ? {} : { dataOffsetBytes: step.dataOffsetBytes };
      storage.arrays.push({ id, ...step.array, ...offset, slots: members, spares });
      return;
    }
    case 'luks-restore':
    case 'luks-format': {
      const on = claim(machine, step, step.on);
      const id = `luks:${step.name}`;
      const bytes =
        Math.floor((made(machine, on).bytes - step.luks.dataOffsetBytes) / step.luks.sectorBytes) *
        step.luks.sectorBytes;
      must(bytes > 0, `${step.key} has no room`);
      add(machine, id, [on], bytes);
      const old =
        step.kind === 'luks-restore'
          ? machine.headers.find((each) => each.header?.file === step.header.file)
          : undefined;
      must(step.kind === 'luks-format' || old !== undefined, `${step.key}: no such header`);
      storage.luks.push({
        ...step.luks,
        id,
        name: step.name,
        on,
        bytes,
        keySlots: old?.keySlots ?? [0],
        tokens: old?.tokens ?? [],
        header: old?.header ?? null,
      });
      return;
    }
    case 'lvm-pv':
      claim(machine, step, step.on);
      return;
    case 'lvm-vg': {
      const physical = step.physical.map((each) => {
        const on = idOf(machine, each.on);
        const pv = plan.steps.find((other) => other.kind === 'lvm-pv' && other.uuid === each.uuid);
        must(pv?.kind === 'lvm-pv' && machine.done.has(pv.key), `${step.key}: no such physical volume`);
        const dataOffsetBytes = pv?.kind === 'lvm-pv' ? pv.dataOffsetBytes : 0;
        must(
          dataOffsetBytes + each.extents * step.group.extentBytes <= made(machine, on).bytes,
          `${step.key}: ${on} has not so many extents`,
        );
        return {
          on,
          uuid: each.uuid,
          extents: each.extents,
          dataOffsetBytes,
          tags: each.tags,
          allocatable: each.allocatable,
        };
      });
      storage.volumeGroups.push({ ...step.group, uuid: MADE_UP, physical });
      return;
    }
    case 'lvm-lv': {
      const group = groupOf(machine, step.volume.group);
      const segments = step.segments.map((segment) => {
        const areas = segment.areas.map((area) => {
          take(machine, { step, group, area });
          return { ...area, physical: group.physical.find((each) => each.uuid === area.physical)?.on ?? '' };
        });
        const held = areas.reduce((sum, each) => sum + each.extents, 0);
        must(
          segment.kind === 'raid' || held === segment.extents,
          `${step.key}: its areas hold ${held} extents, not ${segment.extents}`,
        );
        if (segment.kind === 'raid') {
          for (const area of segment.areas)
            spend(machine, { step, group, uuid: area.physical, extents: segment.type === 'mirror' ? 0 : 1 });
          must(
            areas.every((each) => each.extents * segment.stripes >= segment.extents),
            `${step.key}: an image is too small`,
          );
        }
        return { ...segment, areas };
      });
      const extents = segments.reduce((sum, each) => sum + each.extents, 0);
      must(extents * group.extentBytes === step.volume.bytes, `${step.key}: its extents are not its size`);
      const id = `lv:${group.name}/${step.volume.name}`;
      add(
        machine,
        id,
        segments.flatMap((each) => each.areas.map((area) => area.physical)),
        step.volume.bytes,
      );
      storage.volumes.push({ id, ...step.volume, uuid: MADE_UP, readOnly: false, segments, active: true });
      return;
    }
    case 'lvm-thin-pool': {
      const group = groupOf(machine, step.volume.group);
      const metadata = Math.ceil(step.metadataBytes / group.extentBytes);
      const hasSpare = storage.volumes.some(
        (each) => each.group === group.name && each.segments.some((segment) => segment.kind === 'thin-pool'),
      );
      let left = step.extents + metadata * (hasSpare ? 1 : 2);
      for (const { uuid, extents } of group.physical) {
        const free = Math.min(left, extents - (machine.taken.get(uuid) ?? 0));
        spend(machine, { step, group, uuid, extents: free });
        left -= free;
      }
      must(left === 0, `${step.key}: ${left} extents too few`);
      const id = `lv:${group.name}/${step.volume.name}`;
      add(
        machine,
        id,
        group.physical.map((each) => each.on),
        step.volume.bytes,
      );
      machine.devices.get(id)!.isTaken = true;
      const { extents, chunkBytes, metadataBytes, discards, zero } = step;
      storage.volumes.push({
        id,
        ...step.volume,
        uuid: MADE_UP,
        readOnly: false,
        segments: [{ kind: 'thin-pool', extents, chunkBytes, metadataBytes, discards, zero }],
        active: true,
      });
      return;
    }
    case 'lvm-thin': {
      const group = groupOf(machine, step.volume.group);
      const pool = `lv:${group.name}/${step.pool}`;
      const id = `lv:${group.name}/${step.volume.name}`;
      add(machine, id, [pool], step.volume.bytes);
      storage.volumes.push({
        id,
        ...step.volume,
        uuid: MADE_UP,
        readOnly: false,
        segments: [{ kind: 'thin', extents: step.volume.bytes / group.extentBytes, pool: step.pool }],
        active: true,
      });
      return;
    }
    case 'lvm-uuids': {
      const group = groupOf(machine, step.group.name);
      group.uuid = step.group.uuid;
      for (const volume of storage.volumes.filter((each) => each.group === group.name)) {
        const wanted = step.volumes.find((each) => each.name === volume.name);
        must(wanted !== undefined, `${step.key}: without ${volume.name}`);
        const isPool = volume.segments.some((segment) => segment.kind === 'thin-pool');
        must(isPool || !made(machine, volume.id).isTaken, `${step.key}: ${volume.name} is in use`);
        volume.uuid = wanted!.uuid;
      }
      return;
    }
    case 'mkfs': {
      const on = step.on.map((each) => claim(machine, step, each));
      const room = on.reduce((sum, id) => sum + made(machine, id).bytes, 0);
      must(step.bytes <= room && step.bytes > 0, `${step.key}: ${step.bytes} bytes do not fit into ${room}`);
      const { make } = step;
      must(
        step.sectorBytes === Math.max(...on.map((id) => made(machine, id).sectorBytes)),
        `${step.key}: other sectors`,
      );
      const least =
        'blockBytes' in make ? make.blockBytes : 'sectorBytes' in make ? make.sectorBytes : make.clusterBytes;
      must(
        on.every((id) => made(machine, id).sectorBytes <= least),
        `${step.key}: its blocks are smaller than sectors`,
      );
      if ('blocks' in make) must(make.blocks * make.blockBytes <= room, `${step.key}: its blocks do not fit`);
      if (make.type === 'btrfs')
        must(
          make.members.every((each) => each.bytes <= made(machine, each.on).bytes),
          `${step.key}: a member is too small`,
        );
      const [first = ''] = on;
      storage.fileSystems.push({
        id: `fs:${first}`,
        on: first,
        uuid: step.uuid,
        label: step.label,
        bytes: step.bytes,
        usedBytes: 0,
        make,
      });
      return;
    }
    case 'btrfs-subvolumes': {
      must(
        storage.fileSystems.some((each) => each.uuid === step.uuid),
        `${step.key}: no such file system`,
      );
      step.subvolumes.forEach(({ path }, i) => {
        const outer = step.subvolumes.findIndex((other) => path.startsWith(`${other.path}/`));
        must(outer < i, `${step.key}: ${path} before what it lies in`);
      });
      return;
    }
    case 'mkswap': {
      const on = claim(machine, step, step.on);
      must(step.bytes <= made(machine, on).bytes, `${step.key}: too large`);
      storage.swaps.push({
        on,
        path: null,
        uuid: step.uuid,
        label: step.label,
        bytes: step.bytes,
        priority: null,
        mode: null,
      });
      return;
    }
    case 'zpool-create': {
      const vdev = (each: StepVdev): Vdev =>
        each.kind === 'disk'
          ? { kind: 'disk', on: claim(machine, step, each.on), children: [] }
          : { kind: each.kind, on: null, children: each.children.map(vdev) };
      const { name, properties } = step;
      const [data, log, cache, spare, special] = [step.data, step.log, step.cache, step.spare, step.special].map(
        (each) => each.map(vdev),
      );
      storage.pools.push({
        name,
        guid: '',
        bytes: 0,
        usedBytes: 0,
        properties,
        data: data!,
        log: log!,
        cache: cache!,
        spare: spare!,
        special: special!,
        datasets: [],
      });
      return;
    }
    case 'zfs-create': {
      const pool = storage.pools.find((each) => each.name === step.dataset.split('/')[0]);
      const parent = step.dataset.split('/').slice(0, -1).join('/');
      must(pool !== undefined, `${step.key}: no pool`);
      must(parent === '' || pool!.datasets.some((each) => each.name === parent), `${step.key} before ${parent}`);
      pool!.datasets.push({
        name: step.dataset,
        kind: step.type,
        bytes: step.bytes,
        properties: step.properties,
        mountPoint: step.properties['mountpoint'] ?? null,
      });
      if (step.bytes !== null)
        machine.devices.set(`zvol:${step.dataset}`, {
          bytes: step.bytes,
          sectorBytes: 512,
          disks: step.destroys,
          isTaken: false,
        });
      return;
    }
    case 'zpool-finish': {
      const pool = storage.pools.find((each) => each.name === step.name);
      must(pool !== undefined, `${step.key}: no pool`);
      must(machine.done.has('restore'), `${step.key} before the data`);
      for (const { name } of step.datasets)
        must(
          pool!.datasets.some((each) => each.name === name),
          `${step.key}: no ${name}`,
        );
      return;
    }
    case 'mount': {
      for (const other of plan.steps) {
        if (other.kind !== 'mount' || other.path === step.path) continue;
        const isOuter = other.path === '/' || step.path.startsWith(`${other.path}/`);
        must(!isOuter || machine.done.has(other.key), `${step.key} before ${other.key}, which would hide it`);
      }
      const { source } = step;
      const fileSystem =
        source.kind === 'dataset'
          ? `zfs:${source.dataset}`
          : storage.fileSystems.find((each) => each.uuid === source.uuid)?.id;
      must(fileSystem !== undefined, `${step.key}: nothing to mount`);
      storage.mounts.push({
        path: step.path,
        fileSystem: fileSystem!,
        subvolume: step.subvolume,
        options: step.options,
        inFstab: true,
      });
      return;
    }
    case 'restore':
      for (const other of plan.steps)
        must(other.kind !== 'mount' || machine.done.has(other.key), `data before ${other.key}`);
      return;
    case 'swap-file':
      must(machine.done.has('restore'), `${step.key} before the data`);
      storage.swaps.push({
        on: null,
        path: step.path,
        uuid: step.uuid,
        label: step.label,
        bytes: step.bytes,
        priority: null,
        mode: step.mode,
      });
      return;
    case 'lvm-read-only': {
      must(machine.done.has('restore'), `${step.key} before the data`);
      const volume = storage.volumes.find((each) => each.group === step.group && each.name === step.name);
      must(volume !== undefined, `${step.key}: no such volume`);
      volume!.readOnly = true;
      return;
    }
    case 'btrfs-read-only':
      must(machine.done.has('restore'), `${step.key} before the data`);
      return;
  }
}

function table(machine: Machine, step: Extract<RecoveryStep, { kind: 'table' }>): void {
  const on = claim(machine, step, step.on);
  const { bytes, sectorBytes } = made(machine, on);
  must(step.sectorBytes === sectorBytes, `${step.key}: counts in sectors of ${step.sectorBytes}`);
  const { table: written } = step;
  const first = written.kind === 'gpt' ? written.firstByte : sectorBytes;
  const end = written.kind === 'gpt' ? written.lastByte + 1 : Math.min(bytes, (2 ** 32 - 1) * sectorBytes);
  if (written.kind === 'gpt') {
    const entries = Math.ceil((written.entries * 128) / sectorBytes) * sectorBytes;
    must(first >= 2 * sectorBytes + entries, `${step.key}: no room for its entries`);
    must(end + entries + sectorBytes <= bytes, `${step.key}: no room for its backup at the end`);
  }
  for (const each of step.partitions) {
    must(each.startByte >= first && each.startByte + each.bytes <= end, `${step.key}: ${each.number} leaves the disk`);
    must(
      each.startByte % sectorBytes === 0 && each.bytes % sectorBytes === 0 && each.bytes > 0,
      `${step.key}: ${each.number} is not of whole sectors`,
    );
    const extended = step.partitions.find((other) => other.role === 'extended');
    if (each.role === 'logical') {
      must(
        extended !== undefined && each.startByte >= extended.startByte + sectorBytes,
        `${step.key}: ${each.number} lies before the extended one`,
      );
      must(
        each.startByte + each.bytes <= extended!.startByte + extended!.bytes,
        `${step.key}: ${each.number} leaves the extended one`,
      );
    }
    for (const other of step.partitions) {
      const isNested =
        (each === extended && other.role === 'logical') || (other === extended && each.role === 'logical');
      if (other === each || isNested || other.startByte < each.startByte) continue;
      const gap = other.role === 'logical' ? sectorBytes : 0;
      must(
        other.startByte >= each.startByte + each.bytes + gap,
        `${step.key}: ${each.number} and ${other.number} overlap`,
      );
    }
    const id = `part:${partitionName(on.slice(on.indexOf(':') + 1), each.number)}`;
    add(machine, id, [on], each.bytes);
    machine.storage.partitions.push({ ...each, id, on });
  }
  machine.storage.tables.push({ ...written, on });
}

/** Takes a device for good: nothing may have taken it before, and the step must name every disk below it. */
function claim(machine: Machine, step: RecoveryStep, device: Device): string {
  const id = idOf(machine, device);
  const found = made(machine, id);
  must(!found.isTaken, `${step.key}: ${id} is taken`);
  found.isTaken = true;
  for (const disk of found.disks)
    must(
      step.destroys.some((each) => sameDisk(each, disk)),
      `${step.key} writes to ${disk.name} and does not say so`,
    );
  for (const disk of step.destroys) {
    must(
      machine.plan.disks.some((each) => sameDisk(each, disk) && each.fate === 'overwritten'),
      `${step.key} writes to a disk that was not chosen`,
    );
  }
  return id;
}

function idOf(machine: Machine, device: Device): string {
  switch (device.kind) {
    case 'disk':
      return `disk:${machine.plan.disks.find((each) => sameDisk(each, device.disk))?.takesPlaceOf ?? ''}`;
    case 'partition': {
      const on = idOf(machine, device.on);
      const id = `part:${partitionName(on.slice(on.indexOf(':') + 1), device.number)}`;
      const there = machine.storage.partitions.find((each) => each.id === id);
      must(
        there?.startByte === device.startByte && there.bytes === device.bytes,
        `${id} is another partition than is meant`,
      );
      return id;
    }
    case 'md': {
      const array = machine.storage.arrays.find((each) => each.uuid === device.uuid);
      return `md:${array?.device ?? '?'}`;
    }
    case 'luks':
      return `luks:${device.name}`;
    case 'lv':
      return `lv:${device.group}/${device.name}`;
    case 'zvol':
      return `zvol:${device.dataset}`;
  }
}

function made(machine: Machine, id: string): Made {
  const found = machine.devices.get(id);
  if (found === undefined) throw new Error(`${id} does not exist yet`);
  return found;
}

function add(machine: Machine, id: string, under: readonly string[], bytes: number): void {
  const below = under.map((each) => made(machine, each));
  const disks = [...new Set(below.flatMap((each) => each.disks))];
  machine.devices.set(id, {
    bytes,
    sectorBytes: Math.max(512, ...below.map((each) => each.sectorBytes)),
    disks,
    isTaken: false,
  });
}

function groupOf({ storage }: Machine, name: string): Storage['volumeGroups'][number] {
  const group = storage.volumeGroups.find((each) => each.name === name);
  if (group === undefined) throw new Error(`no group ${name}`);
  return group;
}

type Group = Storage['volumeGroups'][number];

function take(
  machine: Machine,
  {
    step,
    group,
    area,
  }: { step: RecoveryStep; group: Group; area: { physical: string; startExtent: number; extents: number } },
): void {
  const own = machine.areas.get(area.physical) ?? [];
  const [start, end] = [area.startExtent, area.startExtent + area.extents];
  const all = group.physical.find((each) => each.uuid === area.physical)?.extents ?? 0;
  must(end <= all, `${step.key} leaves its physical volume`);
  must(
    own.every((each) => each.end <= start || each.start >= end),
    `${step.key} takes extents that are taken`,
  );
  machine.areas.set(area.physical, [...own, { start, end }]);
  spend(machine, { step, group, uuid: area.physical, extents: area.extents });
}

function spend(
  machine: Machine,
  { step, group, uuid, extents }: { step: RecoveryStep; group: Group; uuid: string; extents: number },
): void {
  const taken = (machine.taken.get(uuid) ?? 0) + extents;
  must(
    taken <= (group.physical.find((each) => each.uuid === uuid)?.extents ?? 0),
    `${step.key}: its physical volume is full`,
  );
  machine.taken.set(uuid, taken);
}

function sameDisk(a: DiskIdentity, b: DiskIdentity): boolean {
  return a.name === b.name && a.serial === b.serial && a.wwn === b.wwn && a.bytes === b.bytes;
}

function must(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
