/** The facts of a host → its layout. Pure; it never throws: what can't be understood stands in the layout's limits. Not for workflow code (zod). */
import { readBoot, readConfigs } from './layout-boot';
import { BOOT_UNKNOWN, bootProblems, isBootKnown } from './layout-bootable';
import { Devices } from './layout-devices';
import { readDisks } from './layout-disks';
import { Reading, type Facts } from './layout-facts';
import { readFileSystems } from './layout-filesystems';
import { systemDevices, weighed } from './layout-limits';
import { readLuks } from './layout-luks';
import { readLvm } from './layout-lvm';
import { readArrays } from './layout-md';
import { readFstab, readMounted, readMounts, readSwaps } from './layout-mounts';
import { readNetwork } from './layout-net';
import { LAYOUT_VERSION, type Layout } from './layout-schema';
import { readSystem } from './layout-system';
import { noteUnsaved } from './layout-unsaved';
import { onlyValid } from './layout-valid';
import { readPools } from './layout-zfs';
import { graphProblem } from './recover-graph';
import { sha256Hex } from './sha256';

export interface LayoutSource {
  facts: Facts;
  /** The host's name without the deployment's prefix. */
  host: string;
  capturedAt: Date;
}

export function readLayout({ facts, host, capturedAt }: LayoutSource): Layout {
  const reading = new Reading(facts);
  const devices = new Devices(reading);
  const { disks, tables, partitions } = readDisks({ reading, devices });
  const { groups, volumes } = readLvm({ reading, devices });
  const mounted = readMounted({ reading, devices });
  const fstab = readFstab(reading);
  const pools = readPools({ reading, devices });
  const fileSystems = readFileSystems({ reading, devices, mounted });
  const datasets = new Set(pools.flatMap((pool) => pool.datasets.map(({ name }) => name)));
  const told = {
    resurgoLayout: LAYOUT_VERSION,
    host,
    capturedAt: capturedAt.toISOString(),
    system: readSystem(reading),
    boot: readBoot({ reading, devices, mounted, partitions }),
    disks,
    tables,
    partitions,
    arrays: readArrays({ reading, devices }),
    luks: readLuks({ reading, devices }),
    volumeGroups: groups,
    volumes,
    pools,
    fileSystems,
    swaps: readSwaps({ reading, devices, fstab }),
    mounts: readMounts({ reading, devices, mounted, fstab, fileSystems, datasets }),
    network: readNetwork(reading),
    configs: readConfigs(reading).map(({ path, text }) => ({ path, text, sha256: sha256Hex(text) })),
  } satisfies Omit<Layout, 'limits'>;
  noteCut(reading);
  const layout = onlyValid({ layout: told, reading });
  noteUnsaved({ reading, devices, mounted, fstab, layout });
  for (const each of bootProblems({ layout, firmware: layout.boot.firmware }))
    reading.limit({ ...each, weight: 'fatal' });
  // No plan can be made of it: said now, not at the recovery.
  const contradiction = graphProblem(layout);
  if (contradiction !== undefined) reading.limit({ what: 'storage', why: contradiction, weight: 'fatal' });
  if (!isBootKnown(layout)) reading.limit({ ...BOOT_UNKNOWN, weight: 'part' });
  const onDevices = mounted.flatMap(({ path, device }) => (device === undefined ? [] : [{ path, device }]));
  return {
    ...layout,
    limits: weighed({ found: reading.found, system: systemDevices({ devices, mounted: onDevices }) }),
  };
}

/** What was cut off may miss anything. Those with a line of their own have said so. */
function noteCut(reading: Reading): void {
  for (const [name, { cut }] of Object.entries(reading.facts))
    if (cut && !name.startsWith('config:'))
      reading.limit({
        what: name,
        why: 'the host told only the beginning of it: it is longer than a layout keeps',
        weight: 'part',
      });
}
