/** What a recovery looks at before anything is written: whether the old machine is gone (S24), the rescue system, the plan, the data's way. */
import { ApplicationFailure } from '@temporalio/activity';
import { HostError, isAway } from '../hosts/errors';
import { placeOf } from '../hosts/known-hosts';
import { readLayout } from '../hosts/layouts';
import { layoutFacts, probe } from '../hosts/verbs/reading';
import { probeWithOwnKit } from '../hosts/verbs/rescue-kit';
import { PlanningError } from '../planning/errors';
import { jobName } from '../planning/ids';
import type { Layout } from '../planning/layout-schema';
import { withHeaders, type LuksHeader } from '../planning/luks-headers';
import { bootTarget, type BootTarget } from '../planning/recover-boot';
import { foundMachine } from '../planning/recover-found';
import { blockedPlan, planRecovery, type RecoveryPlan, type RecoveryPolicy } from '../planning/recover';
import { armCommand, machineOf } from '../planning/recover-words';
import type { FleetHost } from '../planning/run-input';
import type { ActivityDeps, RunFence } from './context';
import { asActivity, fenceFor, heartbeating } from './context';
import { stepRequest } from './recover-requests';
import type { RestoreItemRef } from './restore-item';
import { scopeOf } from './restore-item';

/** Where the layout of the machine lies, and the sum that the signed manifest has of it. */
export interface LayoutRef {
  store: { name: string; group: string; host: FleetHost };
  id: string;
  /** The short name. */
  host: string;
  sha256: string;
}

export interface OldMachineInput {
  host: FleetHost;
  /** What has booted in its place: it may have the same address. Left out by runs of an earlier version. */
  rescue?: FleetHost;
  /** The operator's word that it is gone: counts where it can't be asked, never against its own answer. */
  isGone: boolean;
}

/** By what it is known to be gone. */
export interface OldMachine {
  evidence: string;
  /** Something answers at its address all the same, and that it is another machine is the operator's word alone. */
  answers?: boolean;
}

export interface PlanInput {
  layout: LayoutRef;
  rescue: FleetHost;
  policy: RecoveryPolicy;
  tree: string;
  /** The mount points that the backup holds; null where its manifest does not tell. */
  held: string[] | null;
  /** The headers of encrypted volumes that the backup holds; left out by runs of an earlier version. */
  headers?: LuksHeader[];
}

export interface TryWayInput {
  fence: RunFence;
  item: RestoreItemRef;
  /** As `RescueRef` has them. */
  arm?: string | undefined;
}

/** The plan, and what the steps after the data need to know. */
export interface PlannedMachine {
  plan: RecoveryPlan;
  boot: BootTarget;
}

/** A rescue system as it answered. */
export interface FoundRescue {
  bootId: string;
  kernel: string;
  version: string;
}

/** How often the old machine is asked, as what is lost on the way is no answer. */
const ASKED = 2;
/** Longer than the pool tries to connect, in ms. */
const ASK_MS = 60_000;

/** Makes the activities `oldMachineGone`, `findRescue`, `planRecovery` and `tryWay`. */
export function recoverLookActivities({ hosts }: ActivityDeps) {
  /**
   * Asks the machine at its usual address. Its own host key there, in whatever state it is otherwise, is its own self (S24). Where no key of it
   * is known, or no login comes about, it is seen whether anything answers there at all.
   * @throws HostError `still-there`, or `cannot-ask` without a person's word
   */
  async function oldMachineGone({ host, rescue, isGone }: OldMachineInput): Promise<OldMachine> {
    const step = 'old machine';
    const at = { host: host.name, verb: 'probe', step };
    const place = `${host.address}:${host.port}`;
    const unasked = (why: string, answers = false): OldMachine => {
      const how = answers ? ' alone: ' : '; it could not be asked: ';
      if (isGone) return { evidence: `by the operator's word${how}${why}`, ...(answers ? { answers } : {}) };
      throw new HostError({
        ...at,
        code: 'cannot-ask',
        message: `whether the old machine is gone is not known: ${why}`,
      });
    };
    for (let asked = 1; ; asked += 1) {
      try {
        const { host: name, kernel } = await probe({ hosts, host, step, timeoutMs: ASK_MS });
        const message = `the old machine is still there: at ${place} it answers with its own host key, as ${name} with kernel ${kernel}`;
        throw new HostError({ ...at, code: 'still-there', message });
      } catch (error) {
        if (!(error instanceof HostError) || error.code === 'still-there') throw error;
        const { code, reason } = error;
        const isAskable = code !== 'host-key-unknown';
        if (error.detail['jump'] !== undefined && !isAway(error)) return unasked(reason);
        if (code === 'host-key-changed') return { evidence: `at ${place} another machine answers: ${reason}` };
        if (isAskable && !isAway(error)) {
          const message = `the old machine is still there: at ${place} its own host key answers (${reason})`;
          throw new HostError({ ...at, code: 'still-there', message });
        }
        if (asked < ASKED && isAskable) continue;
        const seen = await hosts.look({ host });
        if (asked < ASKED && seen.answers === false) continue;
        const now = new Date().toISOString();
        if (rescue !== undefined && seen.shown?.places.includes(placeOf(rescue)) === true)
          return { evidence: `at ${place} the rescue system itself answers, with its pinned ssh host key` };
        const why = isAskable ? `no login comes about (${reason})` : 'no key of the old machine is pinned here';
        if (seen.answers === true)
          return unasked(`something answers at ${place} at ${now}: ${seen.reason}; ${why}`, true);
        if (isAskable && code !== 'unreachable')
          return unasked(`something answers at ${place}, and then hangs or breaks off (${reason})`, true);
        if (seen.answers === null) return unasked(seen.reason);
        if (host.via !== undefined && !(await answers(host.via)))
          return unasked(`${host.via.name}, on the way to it, does not answer`);
        return { evidence: `nothing answers at ${place}: tried ${ASKED} times, last at ${now} (${seen.reason})` };
      }
    }
  }

  async function answers(host: FleetHost): Promise<boolean> {
    try {
      await probe({ hosts, host, step: 'old machine', timeoutMs: ASK_MS });
      return true;
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      return false;
    }
  }

  /** From here on it has the hostkit of this director. @throws HostError where it is away, is another host's, or can't be given it */
  async function findRescue({ rescue, host }: { rescue: FleetHost; host: FleetHost }): Promise<FoundRescue> {
    const step = 'rescue system';
    const found = await probe({ hosts, host: rescue, step });
    const { host: name } = found;
    if (name === host.name) {
      const { bootId, kernel, version } = await probeWithOwnKit({ hosts, host: rescue, step, found });
      return { bootId, kernel, version };
    }
    throw new HostError({
      host: rescue.name,
      verb: 'probe',
      step,
      code: 'identity-changed',
      message: `at ${rescue.address}:${rescue.port} runs the rescue system of ${name}, not of ${host.name}`,
      next: `boot the media of ${host.name} (\`resurgo rescue list\`), or recover ${name}`,
    });
  }

  /** Reads the layout, asks the machine, plans. @throws HostError, or a failure `bad-policy` that trying again does not change */
  async function plan({ layout: ref, rescue, policy, tree, held, headers = [] }: PlanInput): Promise<PlannedMachine> {
    const layout = withHeaders({ layout: await verifiedLayout({ hosts, ref }), headers });
    const facts = await layoutFacts({ hosts, host: rescue, step: 'plan' });
    const made = planning(() =>
      planRecovery({ layout, machine: foundMachine({ facts }), policy, backup: ref.id, held }),
    );
    const whole = blockedPlan({ plan: made, why: notCarriedOut({ plan: made, tree }) });
    return { plan: whole, boot: bootTarget({ layout, plan: whole }) };
  }

  /**
   * Opens the data's way in both directions and closes it again: that the target lets this rescue system have the data, and the rescue
   * system takes the target's word, is seen before a disk is written to. @throws HostError `not-allowed` where either does not
   */
  async function tryWay({ fence, item, arm }: TryWayInput): Promise<void> {
    const step = 'way of the data';
    const keys = fenceFor({ fence, step });
    const { store, destination, backup } = item;
    const rescue = destination.host;
    const again = arm ?? armCommand({ rescue });
    const scopes = {
      receive: scopeOf(item),
      send: { scope: 'backup' as const, store: store.name, id: backup.id, tree: backup.tree },
    };
    for (const purpose of ['send', 'receive'] as const) {
      const [asking, granting] = purpose === 'send' ? [rescue, store.host] : [store.host, rescue];
      const grant = jobName({ run: fence.run, step: 'way', key: purpose });
      const { pubkey, signature } = await hosts.call({
        host: asking,
        verb: 'grant.key',
        step,
        args: { ...keys, grant, purpose },
      });
      try {
        const args = {
          ...keys,
          grant,
          purpose,
          ...scopes[purpose],
          pubkey,
          signature,
          peer: asking.name,
          expiresS: 60,
        };
        await hosts.call({ host: granting, verb: 'grant.add', step, args });
      } catch (error) {
        if (!(error instanceof HostError) || error.code !== 'not-allowed') throw error;
        const next =
          purpose === 'send'
            ? `let the target know this rescue system: run \`${again}\`, then retry`
            : rescue.live === true
              ? `the rescue system knows another identity of ${store.host.name} than it has now: run \`${again}\`, then retry`
              : `the rescue system knows another identity of ${store.host.name} than it has now: build its media again (\`resurgo rescue build ${machineOf(rescue)}\`), boot them, and recover again`;
        throw new HostError({
          host: granting.name,
          verb: 'grant.add',
          step,
          code: 'not-allowed',
          message: error.reason,
          next,
        });
      }
      await hosts.call({ host: granting, verb: 'grant.close', step, args: { ...keys, grant } });
    }
  }

  return {
    oldMachineGone: (input: OldMachineInput) => asActivity(() => heartbeating({ body: () => oldMachineGone(input) })),
    findRescue: (input: { rescue: FleetHost; host: FleetHost }) =>
      asActivity(() => heartbeating({ body: () => findRescue(input) })),
    planRecovery: (input: PlanInput) => asActivity(() => heartbeating({ body: () => plan(input) })),
    tryWay: (input: TryWayInput) => asActivity(() => heartbeating({ body: () => tryWay(input) })),
  };
}

/** The layout that the signed manifest names, and no other. @throws HostError */
export async function verifiedLayout({
  hosts,
  ref,
}: {
  hosts: ActivityDeps['hosts'];
  ref: LayoutRef;
}): Promise<Layout> {
  const { store, id, host } = ref;
  const { layout, sha256 } = await readLayout({
    hosts,
    storeHost: store.host,
    store: store.name,
    group: store.group,
    id,
    host,
  });
  if (sha256 === ref.sha256) return layout;
  throw new HostError({
    host: store.host.name,
    verb: 'store.layout',
    step: 'read layout',
    code: 'identity-changed',
    message: `the layout of ${host} in backup ${id} is not the one that its signed manifest names`,
    next: 'take another backup (--backup), and look who wrote to the store',
  });
}

/** A decision that planning refuses is the same at every try. */
function planning<T>(decide: () => T): T {
  try {
    return decide();
  } catch (error) {
    if (!(error instanceof PlanningError)) throw error;
    throw ApplicationFailure.create({
      message: error.message,
      type: error.code,
      nonRetryable: true,
      details: [{ code: error.code }],
    });
  }
}

/** Steps that no rescue system carries out yet, as sentences. */
function notCarriedOut({ plan, tree }: { plan: RecoveryPlan; tree: string }): string[] {
  return plan.steps.flatMap((step) => {
    if (step.kind === 'restore') return [];
    try {
      stepRequest({ step, tree });
      return [];
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return [`${step.says}: ${error.message}`];
    }
  });
}
