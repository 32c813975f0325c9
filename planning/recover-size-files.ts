/** File systems, swap and pools as large as their devices have become. */
import type { FileSystem, Pool, Swap } from './layout-storage';
import { leastFileSystem, remake } from './recover-fs';
import { fileSystemDevices, vdevDevices } from './recover-graph';
import { sectorBytesWere } from './recover-needs';
import type { SizeContext } from './recover-size-context';
import { floorTo } from './recover-table';
import { printable, size } from './recover-words';

export function sizedFileSystem(context: SizeContext, fileSystem: FileSystem): FileSystem {
  const { graph, sectorOf, policy, warnings, blockers } = context;
  const devices = fileSystemDevices(fileSystem);
  const change = (id: string): number => (context.bytes.get(id) ?? 0) - graph.bytesOf(id);
  const changed = devices.some((id) => change(id) !== 0);
  const sectorBytes = Math.max(...devices.map(sectorOf));
  const blockBytes = 'blockBytes' in fileSystem.make ? fileSystem.make.blockBytes : 4096;
  const filled = devices.reduce((sum, id) => sum + (context.bytes.get(id) ?? 0), 0);
  const bytes = changed ? floorTo(filled, Math.max(blockBytes, sectorBytes)) : fileSystem.bytes;
  const members = new Map(devices.map((id) => [id, context.bytes.get(id) ?? 0]));
  const { make, notes } = remake({ fileSystem, bytes, members, sectorBytes });
  const name = fileSystem.on.slice(fileSystem.on.indexOf(':') + 1);
  warnings.push(...notes.map((note) => printable(`${make.type} of ${name} of the layout: ${note}`)));
  const least = leastFileSystem({ fileSystem, headroomPercent: policy.headroomPercent, sectorBytes });
  const room = make.type === 'vfat' && !changed ? graph.bytesOf(fileSystem.on) : bytes;
  if (room < least && (changed || sectorBytes > sectorBytesWere(graph, fileSystem.on))) {
    blockers.push(
      printable(
        `${make.type} of ${name} of the layout gets ${size(room)} and needs ${size(least)}. Use bigger disks, or such with smaller sectors`,
      ),
    );
  }
  return { ...fileSystem, bytes, make };
}

export function sizedSwap({ bytes, graph }: SizeContext, swap: Swap): Swap {
  if (swap.on === null) return swap;
  return { ...swap, bytes: swap.bytes + (bytes.get(swap.on) ?? 0) - graph.bytesOf(swap.on) };
}

/** A pool says how large it is by what it gets; its sectors can be bigger than they were, never smaller than the disk's. */
export function sizedPool({ bytes, graph, sectorOf, warnings }: SizeContext, pool: Pool): Pool {
  const devices = vdevDevices(pool);
  const was = devices.reduce((sum, id) => sum + graph.bytesOf(id), 0);
  const now = devices.reduce((sum, id) => sum + (bytes.get(id) ?? 0), 0);
  const ashift = Math.log2(Math.max(512, ...devices.map(sectorOf)));
  const set = Number(pool.properties['ashift'] ?? 0);
  const raise = set > 0 && set < ashift;
  if (raise)
    warnings.push(printable(`pool ${pool.name}: ashift becomes ${ashift} (was ${set}), as the new disks' sectors are`));
  return {
    ...pool,
    bytes: was === now ? pool.bytes : Math.floor((pool.bytes / Math.max(1, was)) * now),
    properties: raise ? { ...pool.properties, ashift: String(ashift) } : pool.properties,
  };
}
