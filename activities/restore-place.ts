/** The place that a restore writes to, as its host sees it: for the plan, and once more right before it is written to. */
import { z } from 'zod';
import { HostError } from '../hosts/errors';
import type { Hosts } from '../hosts/hosts';
import type { DestinationCheck } from '../planning/restore';
import type { Mounts } from '../planning/restore-mounts';
import type { RunFence } from './context';
import { nameOf, placeArgs } from './restore-item';
import type { RestoreItemRef } from './restore-item';

const checked = z.looseObject({
  fsType: z.string(),
  fsUuid: z.string(),
  freeBytes: z.number(),
  /** Where the data goes, and whether anything lies in it already. */
  destination: z.string().default(''),
  /** The source's path, as the host's configuration has it; older hostkits don't tell. */
  root: z.string().optional(),
  holds: z.boolean().default(false),
  /** What the destination lies on. */
  mountPoint: z.string().optional(),
  /** rsync patterns of mounts below, relative to the destination. */
  protected: z.array(z.string()).default([]),
});

interface Place {
  hosts: Hosts;
  fence: RunFence;
  item: RestoreItemRef;
}

/** What the destination's host says of the place, for the plan. @throws HostError where it could not look */
export async function checkDestination(place: Place): Promise<DestinationCheck> {
  const { source } = place.item.destination;
  const none = { mounted: true, fsType: '', fsUuid: '', freeBytes: 0, holds: null, nested: [], safety: null };
  try {
    const reply = await ask({ ...place, step: `check ${nameOf(place.item)}` });
    const safety = source?.snapshot === 'btrfs' || source?.snapshot === 'zfs' ? source.snapshot : null;
    return {
      allowed: true,
      mounted: true,
      fsType: reply.fsType,
      fsUuid: reply.fsUuid,
      freeBytes: reply.freeBytes,
      holds: reply.holds ? reply.destination : null,
      ...mountsOf(reply),
      safety,
    };
  } catch (error) {
    // A refusal belongs into the plan, where all of them are shown together; anything else is a failed look.
    if (!(error instanceof HostError)) throw error;
    if (error.code === 'not-allowed' || error.code === 'exists')
      return { ...none, allowed: false, reason: error.reason };
    if (error.code === 'not-mounted') return { ...none, allowed: true, mounted: false, reason: error.reason };
    throw error;
  }
}

/** What is mounted there now. @throws HostError where it is refused, or lies on another file system than the one that is named */
export async function mountsAt(place: Place & { step: string; fsUuid?: string }): Promise<Mounts> {
  return mountsOf(await ask(place));
}

async function ask({ hosts, fence, item, step, fsUuid }: Place & { step: string; fsUuid?: string }) {
  const args = { group: fence.group, run: fence.run, ...placeArgs(item), ...(fsUuid === undefined ? {} : { fsUuid }) };
  const { host, source } = item.destination;
  const reply = checked.parse(await hosts.call({ host, verb: 'restore.check', step, args }));
  // Else the plan would name one folder, and another would be written to.
  if (source?.path !== undefined && reply.root !== undefined && reply.root !== source.path)
    throw new HostError({
      ...{ host: host.name, verb: 'restore.check', step, code: 'not-allowed' },
      message: `its configuration has ${reply.root} for source ${source.name}, and the runbook ${source.path}; run \`resurgo enroll ${host.name} --update\``,
    });
  return reply;
}

function mountsOf(reply: z.infer<typeof checked>): Mounts {
  const { mountPoint } = reply;
  return { nested: reply.protected, ...(mountPoint === undefined ? {} : { mountPoint }) };
}
