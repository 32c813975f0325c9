/** Verbs that only read what is on a host: all safe to repeat. Each throws HostError. */
import type { Facts } from '../../planning/layout-facts';
import { HostError } from '../errors';
import type { HostRef } from '../hosts';
import type { Probe, Check, SnapshotOnHost, Status } from '../replies';
import { context, type On } from './on';

/** Check takes long where sources are large or engines slow, in ms. */
const CHECK_MS = 120_000;

/** Versions, clocks, tools, stores, groups and dead-men of a host. */
export function probe(on: On): Promise<Probe> {
  return on.hosts.call({ ...context(on), verb: 'probe', args: {} });
}

/** Everything that a backup of the group needs of this host, per source. */
export function check(on: On & { group: string }): Promise<Check> {
  return on.hosts.call({
    ...context(on),
    timeoutMs: on.timeoutMs ?? CHECK_MS,
    verb: 'check',
    args: { group: on.group },
  });
}

/**
 * Sees that the data of a source can go its way: whichever end dials gets an answer of the other one's ssh. A host that
 * can't tell (`CAN_NOT_TELL`) lets it pass: the copy will show.
 * @throws HostError of the source, `unreachable`, where it gets none
 */
export async function wayOfData(
  at: Omit<On, 'host'> & { source: HostRef; target: HostRef; direction: 'push' | 'pull' },
): Promise<void> {
  const { source, target, direction, ...on } = at;
  const [from, to] = direction === 'push' ? [source, target] : [target, source];
  const port = to.port ?? SSH_PORT;
  const args = { peer: to.name, peerHost: to.address, peerPort: port };
  try {
    const { reached, said } = await on.hosts.call({ ...context({ ...on, host: from }), verb: 'reach', args });
    if (reached) return;
    throw new HostError({
      ...{ host: source.name, verb: 'reach', step: on.step, code: 'unreachable' },
      message: `its data can not go to ${target.name}: ${from.name} gets no answer of ssh at ${to.address}:${port}${said === '' ? '' : ` (${said})`}`,
      next: 'look at the firewalls and routes between the two, or let the other end dial (`transfer.direction`)',
    });
  } catch (error) {
    if (error instanceof HostError && CAN_NOT_TELL.has(error.code)) return;
    throw error;
  }
}

const SSH_PORT = 22;
/** Of a host that knows no verb for it, does not know the other end, or lacks `ssh-keyscan`. */
const CAN_NOT_TELL: ReadonlySet<string> = new Set(['hostkit-old', 'not-allowed', 'missing-tool']);

/** What the host's tools say of its disks up to its mount points, its boot set-up and its network. */
export async function layoutFacts({ part, ...on }: On & { part?: 'network' }): Promise<Facts> {
  const args = part === undefined ? {} : { part };
  // The hostkit gives its tools 100 s together.
  const reply = await on.hosts.call({ ...context(on), timeoutMs: on.timeoutMs ?? CHECK_MS, verb: 'layout', args });
  return reply.facts;
}

/** What exists of a group on this host now, with the run of each thing. */
export function status(on: On & { group: string }): Promise<Status> {
  return on.hosts.call({ ...context(on), verb: 'status', args: { group: on.group } });
}

/** The snapshots of a group on this host. */
export async function snapshots(on: On & { group: string }): Promise<SnapshotOnHost[]> {
  const reply = await on.hosts.call({ ...context(on), verb: 'snapshots', args: { group: on.group } });
  return reply.snapshots;
}
