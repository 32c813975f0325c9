/** Steps for file systems and swap, for the mounts from / downwards, for the data, and for what is done once it is there. */
import { counted } from './counted';
import type { FileSystem, Mount, Subvolume } from './layout-storage';
import { fileSystemDevices } from './recover-graph';
import type { RecoveryStep } from './recover-plan';
import type { StepContext } from './recover-devices';
import { list, printable, size } from './recover-words';

export function fileSystemSteps(context: StepContext): RecoveryStep[] {
  const { fileSystems } = context.graph.storage;
  const mounts = mountSteps(context);
  const restore: RecoveryStep = {
    kind: 'restore',
    key: 'restore',
    says: 'Restore the data from the backup',
    needs: mounts.map((step) => step.key),
    destroys: [],
    paths: mounts.flatMap((step) => (step.kind === 'mount' ? [step.path] : [])),
  };
  return [
    ...fileSystems.flatMap((each) => makeSteps(context, each)),
    ...swapSteps(context),
    ...mounts,
    restore,
    ...swapFileSteps(context),
    ...fileSystems.flatMap((each) => readOnlySteps(context, each)),
  ];
}

function makeSteps({ graph, chosen, device, name, disks, maker }: StepContext, fileSystem: FileSystem): RecoveryStep[] {
  const { id, uuid, label, bytes, make } = fileSystem;
  const on = fileSystemDevices(fileSystem);
  if (make.type === 'other') return [];
  const mkfs: RecoveryStep = {
    kind: 'mkfs',
    key: `mkfs:${id}`,
    says: printable(
      `Make ${make.type}${label === null ? '' : ` "${label}"`} (${size(bytes)}) on ${list(on.map(name))}`,
    ),
    needs: [...new Set(on.map(maker))],
    destroys: disks(on),
    on: on.map(device),
    uuid,
    label,
    bytes,
    sectorBytes: Math.max(
      ...on.flatMap((each) => graph.disksUnder(each).map((disk) => chosen.get(disk)?.sectorBytes ?? 512)),
    ),
    make,
  };
  if (make.type !== 'btrfs' || make.subvolumes.length === 0) return [mkfs];
  const subvolumes = inOrder(make.subvolumes);
  return [
    mkfs,
    {
      kind: 'btrfs-subvolumes',
      key: `btrfs-subvolumes:${id}`,
      says: printable(`Create ${counted(subvolumes.length, 'subvolume')} on ${name(fileSystem.on)}`),
      needs: [mkfs.key],
      destroys: disks(on),
      on: device(fileSystem.on),
      uuid,
      subvolumes: subvolumes.map(({ path, noDataCow }) => ({ path, noDataCow })),
      defaultPath: make.subvolumes.find((each) => each.number === make.defaultSubvolume)?.path ?? null,
    },
  ];
}

/** A subvolume after the one it lies in; otherwise as they were made. */
function inOrder(subvolumes: readonly Subvolume[]): Subvolume[] {
  const depth = ({ path }: Subvolume): number => path.split('/').length;
  return [...subvolumes].sort((a, b) => depth(a) - depth(b) || a.number - b.number);
}

function swapSteps({ graph, device, name, disks, maker }: StepContext): RecoveryStep[] {
  return graph.storage.swaps.flatMap(({ on, uuid, label, bytes }): RecoveryStep[] => {
    if (on === null) return [];
    const says = printable(`Make swap (${size(bytes)}) on ${name(on)}`);
    return [
      {
        kind: 'mkswap',
        key: `mkswap:${on}`,
        says,
        needs: [maker(on)],
        destroys: disks([on]),
        on: device(on),
        uuid,
        label,
        bytes,
      },
    ];
  });
}

function mountSteps(context: StepContext): RecoveryStep[] {
  const mounts = [...context.graph.storage.mounts].sort(
    (a, b) => depthOf(a.path) - depthOf(b.path) || (a.path < b.path ? -1 : 1),
  );
  return mounts.flatMap((mount) => mountStep({ context, mount, mounts }));
}

function mountStep({
  context,
  mount,
  mounts,
}: {
  context: StepContext;
  mount: Mount;
  mounts: readonly Mount[];
}): RecoveryStep[] {
  const { graph, device, name } = context;
  const { path, subvolume } = mount;
  const fileSystem = graph.storage.fileSystems.find((each) => each.id === mount.fileSystem);
  const outer = mounts
    .filter((each) => each.path !== path && isBelow(path, each.path))
    .map((each) => `mount:${each.path}`);
  const shared = {
    kind: 'mount' as const,
    key: `mount:${path}`,
    destroys: [],
    path,
    subvolume,
    // The data has to get there first.
    options: mount.options.filter((option) => option !== 'ro'),
  };
  if (fileSystem === undefined) {
    const dataset = mount.fileSystem.slice('zfs:'.length);
    const says = printable(`Mount dataset ${dataset} at ${path}`);
    return [{ ...shared, says, needs: [`zfs-create:${dataset}`, ...outer], source: { kind: 'dataset', dataset } }];
  }
  const { id, on, uuid, make } = fileSystem;
  const made = make.type === 'btrfs' && make.subvolumes.length > 0 ? `btrfs-subvolumes:${id}` : `mkfs:${id}`;
  const type = make.type === 'other' ? make.name : make.type;
  const says = printable(
    `Mount ${type} of ${name(on)}${subvolume === null ? '' : `, subvolume ${subvolume},`} at ${path}`,
  );
  return [{ ...shared, says, needs: [made, ...outer], source: { kind: 'device', on: device(on), uuid, type } }];
}

function depthOf(path: string): number {
  return path.split('/').filter((part) => part !== '').length;
}

function isBelow(path: string, outer: string): boolean {
  return outer === '/' || path.startsWith(`${outer}/`);
}

function swapFileSteps({ graph }: StepContext): RecoveryStep[] {
  return graph.storage.swaps.flatMap(({ on, path, bytes, mode, uuid, label }): RecoveryStep[] => {
    if (on !== null || path === null) return [];
    const says = printable(`Make the swap file ${path} (${size(bytes)})`);
    const file = { path, bytes, mode: mode ?? '0600', uuid, label };
    return [{ kind: 'swap-file', key: `swap-file:${path}`, says, needs: ['restore'], destroys: [], ...file }];
  });
}

function readOnlySteps({ device }: StepContext, { id, on, uuid, make }: FileSystem): RecoveryStep[] {
  if (make.type !== 'btrfs') return [];
  const paths = inOrder(make.subvolumes)
    .filter((each) => each.readOnly)
    .map((each) => each.path);
  if (paths.length === 0) return [];
  const says = printable(`Make ${paths.length === 1 ? 'subvolume' : 'subvolumes'} ${paths.join(', ')} read-only again`);
  return [
    {
      kind: 'btrfs-read-only',
      key: `btrfs-read-only:${id}`,
      says,
      needs: ['restore'],
      destroys: [],
      on: device(on),
      uuid,
      paths,
    },
  ];
}
