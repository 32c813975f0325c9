/** What a disk will hold, as a tree from the disk to the mount points, with the sizes that change. */
import type { Graph, Use } from './recover-graph';
import { lvId, zvolId } from './recover-graph';
import type { PlanNode } from './recover-plan';

interface TreeInput {
  /** Of the sized storage. */
  graph: Graph;
  /** Of the layout. */
  before: Graph;
}

/** The tree of each disk. What several disks make together is shown in full below the first of them. */
export function plannedTrees({ graph, before }: TreeInput): { id: string; node: PlanNode }[] {
  const shown = new Set<string>();
  return graph.storage.disks.map(({ id }) => ({
    id,
    node: deviceNode({ id, input: { graph, before }, shown, what: id }),
  }));
}

interface Walk {
  input: TreeInput;
  shown: Set<string>;
}

function deviceNode({ id, what, input, shown }: Walk & { id: string; what: string }): PlanNode {
  const { graph, before } = input;
  const bytes = graph.bytesOf(id);
  const was = before.bytesOf(id);
  const use = graph.useOf(id);
  const node = { what, bytes, wasBytes: was === bytes ? null : was };
  if (use === undefined) return { ...node, nodes: [] };
  // A file system or swap belongs to its device's own line.
  if (use.kind === 'fs' || use.kind === 'swap')
    return { ...node, what: `${what}  ${contentWords(use, graph)}`, nodes: [] };
  return {
    ...node,
    what: use.kind === 'table' ? `${what}  ${use.table.kind === 'gpt' ? 'GPT' : 'MBR'}` : what,
    nodes: above({ use, input, shown, id }),
  };
}

function contentWords(use: Extract<Use, { kind: 'fs' | 'swap' }>, graph: Graph): string {
  if (use.kind === 'swap')
    return ['swap', use.swap.label === null ? '' : `"${use.swap.label}"`].filter(Boolean).join(' ');
  const { id, make, label, uuid } = use.fileSystem;
  const paths = graph.storage.mounts.filter((each) => each.fileSystem === id).map((each) => each.path);
  const type = make.type === 'other' ? make.name : make.type;
  const profile =
    make.type === 'btrfs' && make.members.length > 1
      ? ` (data ${make.profiles.data}, metadata ${make.profiles.metadata})`
      : '';
  return [
    `${type}${profile}`,
    label === null ? '' : `"${label}"`,
    uuid,
    paths.length === 0 ? '' : `on ${paths.join(', ')}`,
  ]
    .filter(Boolean)
    .join(' ');
}

function above({ use, input, shown, id }: Walk & { id: string; use: Use }): PlanNode[] {
  const { graph } = input;
  const walk = { input, shown };
  const once = (key: string, node: () => PlanNode, brief: string): PlanNode[] => {
    if (shown.has(key)) return [{ what: `${brief} (as above)`, bytes: null, wasBytes: null, nodes: [] }];
    shown.add(key);
    return [node()];
  };
  switch (use.kind) {
    case 'table': {
      const node = (each: (typeof use.partitions)[number]): PlanNode =>
        deviceNode({ ...walk, id: each.id, what: partitionWords(each) });
      const logical = use.partitions.filter((each) => each.role === 'logical');
      return use.partitions
        .filter((each) => each.role !== 'logical')
        .map((each) => (each.role === 'extended' ? { ...node(each), nodes: logical.map(node) } : node(each)));
    }
    case 'md': {
      const { id: array, name, device, level, slots } = use.array;
      const what = `md ${name ?? device}`;
      const missing = slots.filter((slot) => slot === null).length;
      return once(
        array,
        () =>
          deviceNode({ ...walk, id: array, what: `${what}, ${level}${missing === 0 ? '' : `, ${missing} missing`}` }),
        what,
      );
    }
    case 'luks':
      return [
        deviceNode({ ...walk, id: use.luks.id, what: `LUKS${use.luks.version} ${use.luks.name ?? use.luks.uuid}` }),
      ];
    case 'pv': {
      const { name } = use.group;
      return once(
        `vg:${name}`,
        () => ({ what: `volume group ${name}`, bytes: null, wasBytes: null, nodes: volumeNodes({ ...walk, name }) }),
        `volume group ${name}`,
      );
    }
    case 'vdev': {
      const { name, datasets } = use.pool;
      const nodes = (): PlanNode[] =>
        datasets.map((each) =>
          each.kind === 'volume'
            ? deviceNode({ ...walk, id: zvolId(each.name), what: `volume ${each.name}` })
            : {
                what: `dataset ${each.name}${each.mountPoint === null ? '' : ` on ${each.mountPoint}`}`,
                bytes: null,
                wasBytes: null,
                nodes: [],
              },
        );
      return once(
        `pool:${name}`,
        () => ({ what: `pool ${name}`, bytes: null, wasBytes: null, nodes: nodes() }),
        `pool ${name}`,
      );
    }
    case 'fs':
    case 'swap':
      return [{ what: contentWords(use, graph), bytes: graph.bytesOf(id), wasBytes: null, nodes: [] }];
  }
}

function volumeNodes({ input, shown, name }: Walk & { name: string }): PlanNode[] {
  const { storage } = input.graph;
  const volumes = storage.volumes.filter((each) => each.group === name);
  const node = (each: (typeof volumes)[number]): PlanNode => {
    const [segment] = each.segments;
    const kinds =
      segment?.kind === 'linear' || segment?.kind === 'thin'
        ? ''
        : `, ${segment?.kind === 'raid' ? segment.type : (segment?.kind ?? '')}`;
    const self = deviceNode({ input, shown, id: each.id, what: `${each.name}${kinds}` });
    const inside = volumes.filter((other) =>
      other.segments.some(
        (part) => part.kind === 'thin' && lvId({ storage, group: name, name: part.pool }) === each.id,
      ),
    );
    return inside.length === 0 ? self : { ...self, nodes: [...self.nodes, ...inside.map(node)] };
  };
  return volumes.filter((each) => !each.segments.some((part) => part.kind === 'thin')).map(node);
}

function partitionWords({
  number,
  name,
  type,
  role,
  bootable,
}: {
  number: number;
  name: string | null;
  type: string;
  role: string;
  bootable: boolean;
}): string {
  const known = TYPES[type.toUpperCase()];
  const words = [
    role === 'extended' ? 'extended' : (known ?? ''),
    name === null || name === '' ? '' : `"${name}"`,
    bootable ? 'active' : '',
  ];
  return [`${number}`, words.filter(Boolean).join(', ')].filter(Boolean).join(' ');
}

/** Types that say what a partition without a file system is for. */
const TYPES: Readonly<Record<string, string>> = {
  'C12A7328-F81F-11D2-BA4B-00A0C93EC93B': 'EFI system',
  '21686148-6449-6E6F-744E-656564454649': 'BIOS boot',
  '9E1A2D38-C612-4316-AA26-8B49521E5A8B': 'PReP boot',
  EF: 'EFI system',
};
