/**
 * The line that data takes between two hosts (S25, S28): a key for this run, a grant for one place, and who dials whom. The receiver is
 * a jailed rsync daemon and the sender its client, or, of a rescue system that is filled, a jailed tar and the sender another; only the direction
 * in which ssh connects differs.
 */
import type { Fence, GrantScope, Peer } from '../hosts/args';
import { HostError } from '../hosts/errors';
import type { Hosts } from '../hosts/hosts';
import { besideJob } from '../hosts/job-watch';
import { stopJob } from '../hosts/jobs';
import type { Reply } from '../hosts/replies';
import { jobName } from '../planning/ids';
import type { FleetHost } from '../planning/run-input';

/** A scope that receives: a tree of a store, a source in place, a folder, or rescue media of a host. */
export type ReceiveScope = Extract<GrantScope, { scope: 'store' | 'restore' | 'folder' | 'rescue' }>;
/** A scope that sends: a snapshot, a sealed backup, or the rescue media that a run has made. */
export type SendScope = Extract<GrantScope, { scope: 'snapshot' | 'backup' | 'rescue' }>;

export interface LineOptions {
  hosts: Hosts;
  /** The fence at the sender and at the receiver; they differ when a backup goes into another fleet. */
  fence: { sender: Fence; receiver: Fence };
  step: string;
  /** The grant's name. */
  grant: string;
  sender: { host: FleetHost; scope: SendScope };
  receiver: { host: FleetHost; scope: ReceiveScope };
  /** `out`: the sender connects to the receiver; `in`: the other way round, for a sender behind a firewall. */
  dial: 'out' | 'in';
  /** Connections side by side that the sender will use; for `in` they are held open. */
  lanes: number;
  /** The receiver takes one tar stream instead of being an rsync daemon: a rescue system alone does so. */
  stream?: true;
}

/** What the sender's job is told, and how the line ends. */
export interface DataLine {
  peer: Peer;
  /**
   * Follows the sender's job, with the signal that ends the following. Where the receiver dials, its dialling is watched meanwhile: the
   * sender could only wait for a connection that never comes. @throws HostError the receiver's own, where its dialling has failed
   */
  carry<T>(options: { signal: AbortSignal; body: (signal: AbortSignal) => Promise<T> }): Promise<T>;
  /** Takes the grant back, sees its receivers gone, and hangs up. Idempotent. */
  close(): Promise<void>;
}

/** A grant outlives the longest copy that we have seen; it is closed as soon as the copy is done. */
const GRANT_S = 48 * 3600;

/** Opens a line; a retry of the same step finds it open and goes on with it. @throws HostError */
export function openLine(options: LineOptions): Promise<DataLine> {
  return options.dial === 'out' ? dialOut(options) : dialIn(options);
}

async function dialOut({ hosts, fence, step, grant, sender, receiver, stream }: LineOptions): Promise<DataLine> {
  const key = await hosts.call({
    host: sender.host,
    verb: 'grant.key',
    step,
    args: { ...fence.sender, grant, purpose: 'receive' },
  });
  const args = {
    ...fence.receiver,
    grant,
    purpose: 'receive' as const,
    ...receiver.scope,
    pubkey: key.pubkey,
    signature: key.signature,
    peer: sender.host.name,
    expiresS: GRANT_S,
    stream,
  };
  const granted = await hosts.call({ host: receiver.host, verb: 'grant.add', step, args });
  return {
    peer: { dial: 'out', ...pinned({ granted, host: receiver.host, step }) },
    carry: ({ signal, body }) => body(signal),
    close: async () => {
      await hosts.call({ host: receiver.host, verb: 'grant.close', step, args: { ...fence.receiver, grant } });
    },
  };
}

async function dialIn({ hosts, fence, step, grant, sender, receiver, lanes, stream }: LineOptions): Promise<DataLine> {
  const job = jobName({ run: fence.receiver.run, step: 'dial', key: grant });
  const before = await hosts.call({ host: receiver.host, verb: 'job.poll', step, args: { job, waitMs: 0 } });
  const key = await hosts.call({
    host: receiver.host,
    verb: 'grant.key',
    step,
    args: { ...fence.receiver, grant, purpose: 'send' },
  });
  // A receiver whose power was cut says goodbye to nobody: the sender's job would wait on its connection until rsync's own time-out.
  if (before.state === 'died')
    await hosts.call({ host: sender.host, verb: 'grant.close', step, args: { ...fence.sender, grant } });
  const args = {
    ...fence.sender,
    grant,
    purpose: 'send' as const,
    ...sender.scope,
    pubkey: key.pubkey,
    signature: key.signature,
    peer: receiver.host.name,
    expiresS: GRANT_S,
  };
  const granted = await hosts.call({ host: sender.host, verb: 'grant.add', step, args });
  const dial = {
    ...fence.receiver,
    job,
    kind: 'dial' as const,
    grant,
    ...receiver.scope,
    lanes,
    stream,
    ...pinned({ granted, host: sender.host, step }),
  };
  await hosts.call({ host: receiver.host, verb: 'job.start', step, args: dial });
  return {
    peer: { dial: 'in' },
    carry: ({ signal, body }) => besideJob({ hosts, host: receiver.host, job, step, signal, body }),
    close: async () => {
      await stopJob({ hosts, host: receiver.host, job, fence: fence.receiver, step });
      await hosts.call({ host: sender.host, verb: 'grant.close', step, args: { ...fence.sender, grant } });
    },
  };
}

/** The end that is dialled, as the other one names and pins it. @throws HostError where it has no host key of the kind that everyone has */
function pinned({ granted, host, step }: { granted: Reply<'grant.add'>; host: FleetHost; step: string }) {
  const peerKey = granted.hostKeys.find((each) => each.startsWith('ssh-ed25519 '));
  const { signature } = granted;
  const { name: peer, address: peerHost, port: peerPort, user: peerUser } = host;
  if (peerKey !== undefined && signature !== undefined)
    return { peer, peerHost, peerPort, peerUser, peerKey, signature };
  throw new HostError({
    host: host.name,
    verb: 'grant.add',
    step,
    code: 'missing-tool',
    message: 'it has no ed25519 ssh host key that it could sign, which the other end needs to pin',
    next: 'run `ssh-keygen -A` there, then retry',
  });
}
