/** The end of a recovery: the rescue system is told to reboot, and the machine that comes up in its place is waited for and looked at. */
import { HostError, isAway } from '../hosts/errors';
import { runJob } from '../hosts/jobs';
import { pause } from '../hosts/slots';
import { probe } from '../hosts/verbs/reading';
import { jobName } from '../planning/ids';
import type { FleetHost } from '../planning/run-input';
import type { ActivityDeps, RunFence } from './context';
import { fenceFor, withSignal } from './context';
import type { RescueRef } from './rescue-step';

export interface RebootInput {
  fence: RunFence;
  rescue: RescueRef;
  /** The how manieth request this is after the first, which came to nothing. */
  again?: number;
}

export interface AwaitInput {
  host: FleetHost;
  rescue: RescueRef;
  /** When it was rebooted, ms since 1970 by the director's clock. */
  sinceMs: number;
  forMs: number;
  /** How long the rescue system may still answer in the boot that was told to end, in ms. Left out by runs of an earlier version: for ever. */
  stayMs?: number;
  /** The run, where the new system holds its mark. */
  mark?: string;
}

/** The machine that has come up. */
export interface FirstBoot {
  bootId: string;
  kernel: string;
  /** Its hostkit is of before such marks: whether it is what was recovered is not known. */
  unmarked?: true;
}

/** Between two looks at a machine that boots, and at the rescue system that it should have left, in ms. */
const LOOK_EVERY_MS = 3_000;
const LOOK_BACK_EVERY_MS = 30_000;
/** How long the rescue system's answer is waited for, in ms: the machine is looked for meanwhile by nobody. */
const LOOK_BACK_MS = 10_000;
/** How much longer than since its reboot a machine may say that it is up, in ms. */
const SLACK_MS = 60_000;

/** What no further look changes. */
const FINAL = ['still-there', 'not-recovered', 'host-key-unknown'];

/** Makes the activities `rebootRescue` and `awaitMachine`. */
export function recoverBootActivities({ hosts }: ActivityDeps) {
  /** Asks for the reboot. An answer that was lost may have been a good one: whoever waits for the machine sees what came of it. */
  async function rebootRescue({ fence, rescue, again }: RebootInput, signal: AbortSignal): Promise<void> {
    // Its own step and job: the first one's rounds are other ones, and its end would be taken for this one's.
    const step = again === undefined ? 'reboot' : 'reboot again';
    const key = `new-reboot ${fence.round}${again === undefined ? '' : ` again ${again}`}`;
    try {
      await runJob({
        ...{ hosts, host: rescue.host, step, signal, args: {} },
        job: jobName({ run: fence.run, step: 'recover', key }),
        kind: 'new-reboot',
        fence: fenceFor({ fence, step }),
        // What is gone is not waited for here.
        unreachableMs: 0,
      });
    } catch (error) {
      const gone = error instanceof HostError && ['host-key-changed', 'job-died'].includes(error.code);
      if (!isAway(error) && !gone) throw error;
    }
  }

  /** Waits until the machine answers at its own address with its own host key. @throws HostError with what was seen there instead */
  async function awaitMachine(
    { host, rescue, sinceMs, forMs, stayMs = Infinity, mark }: AwaitInput,
    signal: AbortSignal,
  ): Promise<FirstBoot> {
    const step = 'first boot';
    const at = { host: host.name, verb: 'probe', step };
    const beganMs = Date.now();
    const deadline = beganMs + forMs;
    let backMs = beganMs + stayMs;
    for (;;) {
      let seen: string;
      try {
        const { bootId, kernel, uptimeMs, recovered } = await probe({ hosts, host, step, timeoutMs: 30_000, signal });
        if (uptimeMs <= Date.now() - sinceMs + SLACK_MS) {
          if (mark === undefined || mark === recovered) return { bootId, kernel };
          if (recovered === undefined) return { bootId, kernel, unmarked: true };
          throw new HostError({
            ...at,
            code: 'not-recovered',
            message: `a machine with its host key answers that has booted, but not from what was recovered: ${recovered === null ? 'no recovery' : `run ${recovered}`} has made that system`,
            next: 'an old system on another of its disks, or another machine with its key, has started: take that disk out, or set the boot order to the recovered ones, and restart it; then retry',
          });
        }
        const up = Math.round(uptimeMs / 1000);
        const message = `a machine with its host key answers that has been up for ${up} s, longer than the one that was just rebooted: the old machine has come back`;
        throw new HostError({ ...at, code: 'still-there', message });
      } catch (error) {
        if (!(error instanceof HostError) || FINAL.includes(error.code)) throw error;
        seen = error.reason;
      }
      const over = Date.now() > deadline;
      const boot = over || Date.now() > backMs ? await rescueBoot(rescue, signal) : undefined;
      if (Date.now() > backMs) backMs = Date.now() + LOOK_BACK_EVERY_MS;
      const { address, port } = rescue.host;
      const waited = Math.round((Date.now() - sinceMs) / 1000);
      if (boot === rescue.bootId && stayMs !== Infinity) {
        const message = `${waited} s after it was told to reboot, the rescue system at ${address}:${port} answers, and has not rebooted`;
        throw new HostError({ ...at, code: 'not-rebooted', message });
      }
      if (over) {
        const medium =
          boot === undefined
            ? ''
            : `. At ${address}:${port} the rescue system answers: take its medium out, or set the boot order, and restart it`;
        throw new HostError({
          ...at,
          code: 'unreachable',
          message: `${waited} s after its reboot it does not answer with its own host key at ${host.address}:${host.port}: ${seen}${medium}`,
          retryable: false,
          next: 'look at its console; once it boots, retry. To begin anew, abort and boot the rescue system again',
        });
      }
      await pause({ ms: LOOK_EVERY_MS, signal });
    }
  }

  /** In which boot the rescue system answers; undefined where it does not. */
  async function rescueBoot({ host }: RescueRef, signal: AbortSignal): Promise<string | undefined> {
    try {
      return (await probe({ hosts, host, step: 'first boot', timeoutMs: LOOK_BACK_MS, signal })).bootId;
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      return undefined;
    }
  }

  return { rebootRescue: withSignal(rebootRescue), awaitMachine: withSignal(awaitMachine) };
}
