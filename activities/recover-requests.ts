/** What a step of a recovery asks of the rescue system's hostkit: one job kind a step, its keys as docs/hostkit.md has them. */
import { isSpread } from '../planning/recover-md';
import type { RecoveryStep, StepSegment, StepVdev } from '../planning/recover-plan';
import { tableScript } from '../planning/recover-script';
import { datasetAnyTime, datasetOnce, poolMaking } from '../planning/zfs-properties';
import { deviceWords, diskLines, diskWords } from './recover-devices';

export { deviceWords, diskLines } from './recover-devices';

export interface StepRequest {
  /** The job's kind. */
  kind: string;
  args: Record<string, string | number | boolean | undefined>;
}

/** Steps that are carried out by one job on the rescue system; the other is the workflow's own (`restore`). */
export type JobStep = Exclude<RecoveryStep, { kind: 'restore' }>;

/**
 * @param tree the backup's tree of the whole system: the new one is put together below `/mnt/new/TREE`, where it is received too
 * @throws RangeError for a kind of step that no rescue system carries out yet: a plan that holds one is refused before it begins
 */
export function stepRequest({ step, tree }: { step: JobStep; tree: string }): StepRequest {
  const disks = diskLines(step.destroys);
  switch (step.kind) {
    case 'wipe':
      return { kind: 'disk-wipe', args: { disk: diskWords(step.disk) } };
    case 'table':
      return {
        kind: 'disk-table',
        args: {
          on: deviceWords(step.on),
          disks,
          sector: step.sectorBytes,
          script: Buffer.from(tableScript(step)).toString('base64'),
          count: step.partitions.length,
        },
      };
    case 'md-create':
      return arrayRequest(step, disks);
    case 'lvm-pv':
      return {
        kind: 'lvm-pv',
        args: { on: deviceWords(step.on), disks, uuid: step.uuid, dataOffset: step.dataOffsetBytes },
      };
    case 'lvm-vg':
      return {
        kind: 'lvm-vg',
        args: {
          disks,
          name: step.group.name,
          extent: step.group.extentBytes,
          tags: optional(step.group.tags.join(',')),
          members: step.physical
            .map(({ uuid, allocatable, tags }) => `${uuid} ${allocatable ? 1 : 0} ${tags.join(',') || '-'}`)
            .join('\n'),
        },
      };
    case 'lvm-lv':
      return { kind: 'lvm-lv', args: { disks, ...volumeArgs(step.volume), ...segmentArgs(step.segments) } };
    case 'lvm-thin-pool':
      return {
        kind: 'lvm-lv',
        args: {
          disks,
          ...volumeArgs(step.volume),
          type: 'thin-pool',
          extents: step.extents,
          chunkBytes: step.chunkBytes,
          metadataBytes: step.metadataBytes,
          discards: step.discards,
          zero: step.zero,
        },
      };
    case 'lvm-thin':
      return {
        kind: 'lvm-lv',
        args: {
          disks,
          ...volumeArgs(step.volume),
          type: 'thin',
          extents: 0,
          pool: step.pool,
          virtualBytes: step.volume.bytes,
        },
      };
    case 'lvm-uuids':
      return {
        kind: 'lvm-uuids',
        args: {
          disks,
          lvGroup: step.group.name,
          uuid: step.group.uuid,
          volumes: step.volumes.map(({ name, uuid }) => `${name} ${uuid}`).join('\n') || undefined,
        },
      };
    case 'mkfs':
      return mkfsRequest(step, disks);
    case 'btrfs-subvolumes':
      return {
        kind: 'btrfs-subvolumes',
        args: {
          on: deviceWords(step.on),
          uuid: step.uuid,
          subvolumes: step.subvolumes.map(({ path, noDataCow }) => `${noDataCow ? 1 : 0} ${path}`).join('\n'),
          default: step.defaultPath ?? undefined,
        },
      };
    case 'mkswap':
      return {
        kind: 'mkswap',
        args: {
          on: deviceWords(step.on),
          disks,
          uuid: step.uuid ?? undefined,
          label: step.label ?? undefined,
        },
      };
    case 'mount':
      return mountRequest({ step, tree });
    case 'luks-format':
      return encryptRequest(step, disks);
    case 'luks-restore':
      return {
        kind: 'luks-restore',
        args: {
          on: deviceWords(step.on),
          disks,
          name: step.name,
          sector: step.luks.sectorBytes,
          ...headerArgs({ step, tree }),
        },
      };
    case 'swap-file':
      return {
        kind: 'swap-file',
        args: {
          tree,
          path: step.path,
          bytes: step.bytes,
          mode: step.mode,
          uuid: step.uuid ?? undefined,
          label: step.label ?? undefined,
        },
      };
    case 'btrfs-read-only':
      return {
        kind: 'btrfs-read-only',
        args: { on: deviceWords(step.on), uuid: step.uuid, paths: step.paths.join('\n') },
      };
    case 'lvm-read-only':
      return { kind: 'lvm-read-only', args: { lvGroup: step.group, name: step.name } };
    case 'zpool-create':
      return poolRequest({ step, tree, disks });
    case 'zfs-create':
      return {
        kind: 'zfs-create',
        args: {
          tree,
          disks,
          dataset: step.dataset,
          type: step.type,
          bytes: step.bytes ?? 0,
          once: propertyLines(datasetOnce(step.properties)),
          properties: propertyLines(datasetAnyTime(step.properties)),
        },
      };
    case 'zpool-finish':
      return {
        kind: 'zpool-finish',
        args: {
          tree,
          name: step.name,
          properties: propertyLines(step.properties),
          datasets: optional(step.datasets.flatMap(laterLines).join('\n')),
          cache: step.cache ?? undefined,
        },
      };
  }
}

type Step<K extends RecoveryStep['kind']> = Extract<RecoveryStep, { kind: K }>;

function mkfsRequest({ on, uuid, label, sectorBytes, make }: Step<'mkfs'>, disks: string): StepRequest {
  const shared = { on: on.map(deviceWords).join('\n'), disks, uuid, label: label ?? undefined };
  switch (make.type) {
    case 'ext2':
    case 'ext3':
    case 'ext4':
      return {
        kind: 'mkfs-ext',
        args: {
          ...shared,
          type: make.type,
          blocks: make.blocks,
          block: make.blockBytes,
          // Unknown to the hostkit of older media: theirs is a request without it.
          cluster: make.clusterBytes,
          inode: make.inodeBytes,
          inodes: make.inodes,
          reserved: make.reservedBlocks,
          reservedUid: make.reservedUid,
          reservedGid: make.reservedGid,
          features: make.features.join(','),
          options: optional(make.mountOptions.join(',')),
          hash: make.hash ?? undefined,
          stride: make.raidStride,
          stripe: make.raidStripeWidth,
          journal: make.journalBytes ?? 0,
          errors: make.errors,
          mounts: String(make.maxMountCount),
          interval: make.checkIntervalS,
        },
      };
    case 'xfs':
      return {
        kind: 'mkfs-xfs',
        args: {
          ...shared,
          block: make.blockBytes,
          sector: make.sectorBytes,
          inode: make.inodeBytes,
          directory: make.directoryBlockBytes,
          logBlocks: make.logBlocks,
          unit: make.stripeUnitBlocks,
          width: make.stripeWidthBlocks,
          features: make.features.join(','),
        },
      };
    case 'btrfs':
      return {
        kind: 'mkfs-btrfs',
        args: {
          ...shared,
          node: make.nodeBytes,
          sector: make.sectorBytes,
          features: optional(make.features.filter((each) => !RUNTIME_FEATURES.has(each)).join(',')),
          runtime: optional(make.features.filter((each) => RUNTIME_FEATURES.has(each)).join(',')),
          checksum: make.checksum,
          data: make.profiles.data,
          metadata: make.profiles.metadata,
        },
      };
    case 'vfat':
      return {
        kind: 'mkfs-vfat',
        args: {
          ...shared,
          bits: String(make.fatBits),
          cluster: make.clusterBytes,
          sector: sectorBytes,
        },
      };
  }
}

/** What mkfs.btrfs takes by `-R` and not by `-O`. */
const RUNTIME_FEATURES: ReadonlySet<string> = new Set(['quota', 'free-space-tree', 'block-group-tree']);

function mountRequest({ step, tree }: { step: Step<'mount'>; tree: string }): StepRequest {
  const { path, source, subvolume, options } = step;
  // What is mounted how is said by the dataset's own properties.
  if (source.kind === 'dataset') return { kind: 'mount-zfs', args: { tree, dataset: source.dataset, path } };
  return {
    kind: 'mount-new',
    args: {
      tree,
      on: deviceWords(source.on),
      type: source.type,
      path,
      uuid: source.uuid,
      subvolume: subvolume ?? undefined,
      options: optional(options.join(',')),
    },
  };
}

/** Without the passphrase: the rescue system has it by its own verb `luks.secret`, so that no run's history holds it. */
function encryptRequest({ on, luks, name }: Step<'luks-format'>, disks: string): StepRequest {
  return {
    kind: 'luks-format',
    args: {
      on: deviceWords(on),
      disks,
      name,
      version: String(luks.version),
      uuid: luks.uuid,
      label: luks.label ?? undefined,
      cipher: luks.cipher,
      keyBits: luks.keyBytes * 8,
      sector: luks.sectorBytes,
      offset: luks.dataOffsetBytes,
    },
  };
}

/** What a header is known by. */
export function headerArgs({ step, tree }: { step: Step<'luks-restore'>; tree: string }) {
  const { luks, header } = step;
  return { tree, uuid: luks.uuid, header: header.sha256, bytes: header.bytes, offset: luks.dataOffsetBytes };
}

function arrayRequest(
  { array, members, spares, componentBytes, dataOffsetBytes }: Step<'md-create'>,
  disks: string,
): StepRequest {
  const [homehost, name] = array.name?.includes(':') === true ? array.name.split(':', 2) : [undefined, array.name];
  return {
    kind: 'md-create',
    args: {
      disks,
      device: array.device,
      name: name ?? undefined,
      homehost,
      uuid: array.uuid,
      level: array.level,
      metadata: array.metadata,
      layout: array.layout ?? undefined,
      chunkKib: (array.chunkBytes ?? 0) / 1024,
      componentKib: isSpread(array) ? 0 : Math.floor(componentBytes / 1024),
      dataOffsetKib: dataOffsetBytes ? Math.floor(dataOffsetBytes / 1024) : undefined,
      bitmap: array.bitmap,
      members: members.map((member) => (member === null ? 'missing' : deviceWords(member))).join('\n'),
      spares: optional(spares.map(deviceWords).join('\n')),
    },
  };
}

function volumeArgs({ group, name, tags }: Step<'lvm-lv'>['volume']) {
  return { lvGroup: group, name, tags: optional(tags.join(',')) };
}

/** One lvcreate makes one kind of segment; several linear ones are one, with several areas. @throws RangeError for a mix */
function segmentArgs(segments: readonly StepSegment[]): StepRequest['args'] {
  const [first] = segments;
  if (first === undefined) throw new RangeError('a volume without segments');
  const extents = segments.reduce((sum, each) => sum + each.extents, 0);
  const areas = segments
    .flatMap((each) => each.areas)
    .map(({ physical, startExtent, extents: length }) => `${physical} ${startExtent} ${length}`)
    .join('\n');
  if (segments.every(({ kind }) => kind === 'linear')) return { type: 'linear', extents, areas };
  if (segments.length > 1) throw new RangeError('a volume of several segments that are not all linear can not be made');
  if (first.kind === 'striped')
    return { type: 'striped', extents, areas, stripes: first.stripes, stripeBytes: first.stripeBytes };
  if (first.kind === 'raid') {
    const { type, stripes, mirrors, stripeBytes, regionBytes } = first;
    return { type, extents, areas, stripes, mirrors, stripeBytes, regionBytes };
  }
  throw new RangeError('a volume of linear and other segments can not be made');
}

function poolRequest({ step, tree, disks }: { step: Step<'zpool-create'>; tree: string; disks: string }): StepRequest {
  const { features, properties } = poolMaking(step.properties);
  // A disk by itself first: behind a mirror it would be a member of it.
  const words = (list: readonly StepVdev[]): string[] => [
    ...list.flatMap((vdev) => (vdev.kind === 'disk' ? [`on ${deviceWords(vdev.on)}`] : [])),
    ...list.flatMap((vdev) => (vdev.kind === 'disk' ? [] : [vdev.kind, ...words(vdev.children)])),
  ];
  const named = (word: string, list: readonly StepVdev[]) => (list.length === 0 ? [] : [word, ...words(list)]);
  return {
    kind: 'zpool-create',
    args: {
      tree,
      disks,
      name: step.name,
      features: optional(features.join('\n')),
      properties: propertyLines(properties),
      once: propertyLines(step.root),
      vdevs: [
        ...words(step.data),
        ...named('special', step.special),
        ...named('log', step.log),
        ...named('cache', step.cache),
        ...named('spare', step.spare),
      ].join('\n'),
    },
  };
}

/** `NAME=VALUE`, one a line; undefined for none. @throws RangeError for a value that is not one line */
function propertyLines(properties: Readonly<Record<string, string>>): string | undefined {
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}`);
  const odd = lines.find((line) => /[\n\r]/.test(line));
  if (odd !== undefined) throw new RangeError(`property ${odd.split('=')[0] ?? ''} is of several lines`);
  return optional(lines.join('\n'));
}

/** `PROPERTY VALUE DATASET`; `-` for what was not set. A volume has no `canmount`. */
function laterLines({ name, type, properties }: Step<'zpool-finish'>['datasets'][number]): string[] {
  const { canmount = '-', ...others } = properties;
  return [
    ...(type === 'filesystem' ? [`canmount ${canmount} ${name}`] : []),
    ...Object.entries(others).map(([property, value]) => `${property} ${value} ${name}`),
  ];
}

function optional(text: string): string | undefined {
  return text === '' ? undefined : text;
}
