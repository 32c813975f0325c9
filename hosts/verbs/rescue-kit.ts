/**
 * The hostkit of a rescue system is the one that its media were built with. Jobs and their keys are those of this director, and an older
 * hostkit would refuse some of them when the disks are written over already: so it gets this director's before anything is planned.
 */
import { asRescue, readHostkit } from '../enroll/hostkit-tree';
import { packTarGz } from '../enroll/tar';
import { HostError } from '../errors';
import type { FleetHost } from '../../planning/run-input';
import type { Probe } from '../replies';
import { context, type On } from './on';
import { probe } from './reading';

/** What one value of a request holds at most, and whole groups of base64. */
const PIECE = 240_000;

/** What the rescue system tells of itself with this director's hostkit, which it is given where it has another. @throws HostError */
export async function probeWithOwnKit(on: On & { host: FleetHost; found: Probe }): Promise<Probe> {
  const { found, host } = on;
  const kit = asRescue(await readHostkit());
  if (found.hash === kit.hash) return found;
  const tree = packTarGz(kit.files).toString('base64');
  const args = {
    version: kit.version,
    sum: kit.hash,
    tree: tree.slice(0, PIECE),
    rest: tree.slice(PIECE) || undefined,
  };
  const at = { host: host.name, verb: 'kit.put', step: on.step };
  try {
    await on.hosts.call({ ...context(on), verb: 'kit.put', args });
  } catch (error) {
    if (!(error instanceof HostError) || error.code !== 'hostkit-old') throw error;
    throw new HostError({
      ...at,
      code: 'hostkit-old',
      message: `its media were built by Resurgo ${found.version}, whose hostkit this director can not replace`,
      next: 'recover with the Resurgo that built them, or boot any rescue Linux on this machine and recover with --live; build media of the other hosts again (`resurgo rescue build`)',
    });
  }
  const now = await probe(on);
  if (now.hash === kit.hash) return now;
  throw new HostError({
    ...at,
    code: 'bad-reply',
    message: `it was given the hostkit ${kit.version} of this director, and has another: ${now.version} ${now.hash}`,
    next: 'boot its media again, and retry the step',
  });
}
