/** The layout's reference in Markdown (docs/layout.md), made from the descriptions in the schema. */
import { z } from 'zod';
import { UNSAVED, WHY } from '../planning/layout-limits';
import { layoutSchema } from '../planning/layout-schema';
import { children, section, type Node } from '../runbooks/reference-tables';

/** The whole page. */
export function layoutReference(): string {
  const root = z.toJSONSchema(layoutSchema, { reused: 'inline' }) as Node;
  return [
    '# The layout',
    '',
    '<!-- Made from the schema by `node scripts/layout-reference.js`; change the descriptions in `planning/layout-*.ts`. -->',
    '',
    'All that a recovery of a machine onto blank disks needs besides its data: disks up to mount points, how it boots, its network. `resurgo layout show HOST` asks a host and',
    'shows it as a tree, `--json` prints it as this page describes it. The host’s own tools say what there is (verb `layout` of [the hostkit](hostkit.md)); nothing on the host is changed.',
    'What was met and can’t be made again stands in `limits` with the reason: `fatal` where the system itself lies on it (exit 3), `part` where the machine comes back without.',
    'So does what lies on the host’s own disks and is mounted nowhere at that moment (another system’s partition, a closed encrypted volume, the disk of a virtual machine): its data is in no backup, and each backup of a source of kind `system` warns of it. Swap, partitions of boot loaders and what lies on removable or USB disks are not named.',
    'Each backup holds the layouts of its hosts, as they were just before the freeze, in `resurgo/layouts/HOST.json`: `resurgo layout show HOST --backup ID`. `resurgo layout diff HOST` tells what has changed since, and',
    '`resurgo layout check` exits 1 when anything has.',
    'What may be a secret (keys of wireless networks, passwords of mounts) stays on the host.',
    '',
    'Sizes and places are bytes. A device is named by an id, `disk:sda`, `part:sda2`, `md:root`, `luks:NAME`, `lv:GROUP/NAME`, `zvol:POOL/NAME`, that holds within one layout only.',
    '',
    ...section({ title: 'The file', node: root }).map(plain),
    ...children({ node: root, path: [] })
      .flatMap(({ path, node }) => section({ title: `\`${path.join('.')}\``, node }))
      .map(plain),
    '## What can’t be made again',
    '',
    'Named in `limits`, beside what a tool that is missing or fails leaves unknown:',
    '',
    ...[...Object.values(WHY), ...Object.values(UNSAVED)].map((why) => `- ${why}`),
    '- it holds a file system of another kind than ext2–4, xfs, btrfs, vfat',
    '- it is an LVM volume of another kind than linear, striped, mirror, RAID, thin pool and thin',
    '- it is a bcache, DRBD, Ceph or network block device, persistent memory, raw flash or a mainframe’s disk',
    '- its partition table is neither GPT nor MBR',
    '',
  ].join('\n');
}

/** All fields but those that say so are always there: a column for it is noise. */
function plain(row: string): string {
  return row
    .replace(/ \| (?:\*\*required\*\*|–) \| /, ' | ')
    .replace('| field | what | default | meaning |', '| field | what | meaning |')
    .replace('|---|---|---|---|', '|---|---|---|');
}
