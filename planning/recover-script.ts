/** A partition table in sfdisk's own format: what a recovery writes, and reads back to see it written. */
import type { Partition, Table } from './layout-storage';

/** All numbers in sectors of the disk, as sfdisk counts. @throws RangeError for a place that is no whole number of sectors */
export function tableScript(options: { table: Table; sectorBytes: number; partitions: readonly Partition[] }): string {
  const { table, sectorBytes, partitions } = options;
  const sectors = (bytes: number): number => {
    if (bytes % sectorBytes !== 0)
      throw new RangeError(`${bytes} bytes are no whole number of sectors of ${sectorBytes}`);
    return bytes / sectorBytes;
  };
  const head =
    table.kind === 'gpt'
      ? [
          'label: gpt',
          `label-id: ${table.uuid.toUpperCase()}`,
          `first-lba: ${sectors(table.firstByte)}`,
          `last-lba: ${sectors(table.lastByte + 1) - 1}`,
          ...(table.entries === 128 ? [] : [`table-length: ${table.entries}`]),
        ]
      : ['label: dos', `label-id: ${table.diskId}`];
  const lines = [...partitions]
    .sort((one, other) => one.number - other.number)
    .map((each) => `${each.number} : ${fields({ partition: each, sectors }).join(', ')}`);
  return [...head, `sector-size: ${sectorBytes}`, '', ...lines, ''].join('\n');
}

/** In the order in which `sfdisk --dump` prints them. */
function fields({ partition, sectors }: { partition: Partition; sectors: (bytes: number) => number }): string[] {
  const { startByte, bytes, type, uuid, name, attributes, bootable } = partition;
  const gpt = type.length > 2;
  return [
    `start=${sectors(startByte)}`,
    `size=${sectors(bytes)}`,
    `type=${gpt ? type.toUpperCase() : type.replace(/^0(?=.)/, '').toLowerCase()}`,
    ...(gpt && uuid !== null ? [`uuid=${uuid.toUpperCase()}`] : []),
    ...(gpt && name !== null && name !== '' ? [`name="${quoted(name)}"`] : []),
    ...(attributes.length > 0 ? [`attrs="${attributes.join(' ')}"`] : []),
    ...(bootable ? ['bootable'] : []),
  ];
}

/** sfdisk's own escapes. */
function quoted(name: string): string {
  return name.replace(/["\\]|[^\x20-\x7e]/gu, (char) =>
    [...Buffer.from(char, 'utf8')].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join(''),
  );
}
