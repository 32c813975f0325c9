/** Steps for disks, partition tables, arrays and encrypted volumes. */
import { counted } from './counted';
import { arrayShape } from './recover-md';
import type { RecoveryStep } from './recover-plan';
import { mappingName } from './recover-devices';
import type { StepContext } from './recover-devices';
import { diskInWords, list, printable, size } from './recover-words';

export function blockSteps(context: StepContext): RecoveryStep[] {
  return [...wipes(context), ...tables(context), ...arrays(context), ...encrypted(context)];
}

function wipes({ graph, chosen, disks }: StepContext): RecoveryStep[] {
  return graph.storage.disks.flatMap((disk): RecoveryStep[] => {
    const found = chosen.get(disk.id);
    const [identity] = disks([disk.id]);
    if (found === undefined || identity === undefined) return [];
    const holds = found.contents.length === 0 ? 'it is blank' : `it holds ${list(found.contents)}`;
    return [
      {
        kind: 'wipe',
        key: `wipe:${disk.id}`,
        says: printable(`Wipe all signatures and tables off ${diskInWords(found)}: ${holds}`),
        needs: [],
        destroys: [identity],
        disk: identity,
      },
    ];
  });
}

function tables({ graph, device, name, disks, maker, chosen }: StepContext): RecoveryStep[] {
  return graph.storage.tables.map((table): RecoveryStep => {
    const use = graph.useOf(table.on);
    const partitions = use?.kind === 'table' ? use.partitions : [];
    const disk = chosen.get(table.on);
    const what = counted(partitions.length, 'partition');
    return {
      kind: 'table',
      key: `table:${table.on}`,
      says: printable(
        `Write a new ${table.kind === 'gpt' ? 'GPT' : 'MBR'} with ${what} to ${disk === undefined ? name(table.on) : diskInWords(disk)}`,
      ),
      needs: [maker(table.on)],
      destroys: disks([table.on]),
      on: device(table.on),
      table,
      sectorBytes: Math.max(...graph.disksUnder(table.on).map((id) => chosen.get(id)?.sectorBytes ?? 512)),
      partitions,
    };
  });
}

function arrays({ graph, device, disks, maker }: StepContext): RecoveryStep[] {
  return graph.storage.arrays.map((array): RecoveryStep => {
    const { device: node, name, uuid, level, metadata, layout, chunkBytes, bitmap, bytes, spares } = array;
    const members = array.slots.flatMap((slot) => (slot === null ? [] : [slot]));
    const { component } = arrayShape(array, graph);
    const missing = array.slots.length - members.length;
    return {
      kind: 'md-create',
      key: `md-create:${array.id}`,
      says: printable(
        `Create array ${name ?? node} (${level}, ${size(bytes)}) of ${counted(array.slots.length, 'member')}${missing === 0 ? '' : `, ${missing} missing`}`,
      ),
      needs: [...new Set([...members, ...spares].map(maker))],
      destroys: disks([...members, ...spares]),
      array: { device: node, name, uuid, level, metadata, layout, chunkBytes, bitmap, bytes },
      members: array.slots.map((slot) => (slot === null ? null : device(slot))),
      spares: spares.map(device),
      componentBytes: component,
      dataOffsetBytes: array.dataOffsetBytes ?? null,
    };
  });
}

function encrypted({ graph, device, name: called, disks, maker }: StepContext): RecoveryStep[] {
  return graph.storage.luks.map((luks): RecoveryStep => {
    const { uuid, version, label, cipher, keyBytes, sectorBytes, dataOffsetBytes, header } = luks;
    const name = mappingName(luks);
    const shared = {
      key: `luks:${luks.id}`,
      needs: [maker(luks.on)],
      destroys: disks([luks.on]),
      on: device(luks.on),
      luks: { uuid, version, label, cipher, keyBytes, sectorBytes, dataOffsetBytes },
      name,
    };
    if (header === null) {
      return {
        kind: 'luks-format',
        says: printable(`Encrypt ${called(luks.on)} anew (LUKS${version}) and open it as ${name}`),
        ...shared,
      };
    }
    const says = printable(
      `Put the LUKS${version} header of ${called(luks.on)} back, with its keys, and open it as ${name}`,
    );
    return { kind: 'luks-restore', says, ...shared, header };
  });
}
