/**
 * Rescue media of one host: looked at, built there by a durable job, sent straight to the store, kept under a build.json that this
 * director signs, its host key noted, and where this machine can, started once in a virtual machine (S30).
 */
import { Context } from '@temporalio/activity';
import { z } from 'zod';
import type { Fence } from '../hosts/args';
import { probeFindings } from '../hosts/host-findings';
import { readHostkit } from '../hosts/enroll/hostkit-tree';
import { HostError } from '../hosts/errors';
import { runJob } from '../hosts/jobs';
import type { BootedMedia } from '../hosts/rescue-boot';
import { layoutFacts, probe } from '../hosts/verbs/reading';
import { dropRescue, openRescue } from '../hosts/verbs/rescue';
import { canonicalJson } from '../planning/canonical';
import { jobName } from '../planning/ids';
import { layoutSum } from '../planning/layout-diff';
import { readLayout } from '../planning/layout-read';
import { builtResult, filesInLines, rescueBuildSchema, type RescueBuild } from '../planning/rescue-media';
import type { FleetHost } from '../planning/run-input';
import { groupOf } from '../planning/series';
import type { RescuePolicy } from '../runbooks/types';
import type { ActivityDeps, RunFence } from './context';
import { asActivity, fenceFor, heartbeating, jobSignal } from './context';
import { openLine } from './data-line';

export interface RescueStep {
  fence: RunFence;
  host: FleetHost;
  store: { name: string; host: FleetHost };
  /** The build's id. */
  id: string;
}

export interface RescueSend extends RescueStep {
  transfer: { direction: 'push' | 'pull'; bandwidthBytesPerS: number; io: 'normal' | 'low' | 'idle' };
}

export interface RescueKeep extends RescueStep {
  /** What build.json says; the director's public key is put in here. */
  build: Omit<RescueBuild, 'director'> & { directorId: string };
  keep: number;
}

/** What the job made, as build.json names it. */
export type BuiltRescue = Pick<
  RescueBuild,
  'kernel' | 'modules' | 'firmware' | 'files' | 'hostKey' | 'secureBoot' | 'biosBoot' | 'uefiBoot' | 'builtAt'
>;

/** What an activity shows of itself while it runs: read by the CLI from the pending activity (S32). */
interface Progress {
  source: string;
  step?: string;
  bytes?: number;
  totalBytes?: number;
}

const keptResult = z.looseObject({ removed: z.array(z.string()).default([]) });

/** Makes the activities of a rescue build. */
export function rescueActivities({ hosts, openSigner, rescue, logger }: ActivityDeps) {
  /** Whether the host can build: enrolled, well, with this director's hostkit. Its layout is taken at the same time. */
  async function checkRescue(input: { host: FleetHost; group: string }): Promise<{ layoutSha256: string }> {
    const { host, group } = input;
    const step = `look at ${host.name}`;
    const on = { hosts, host, step };
    const kit = await readHostkit();
    const sentMs = Date.now();
    const answer = await probe(on);
    const findings = probeFindings({ host: host.name, answer, kit, sentMs, receivedMs: Date.now() });
    const amiss = findings.find(({ level, check }) => level === 'fail' || (level === 'warn' && check === 'hostkit'));
    const refuse = (message: string, next: string) =>
      new HostError({ host: host.name, verb: 'probe', step, code: 'failed', message, next, retryable: false });
    // An older hostkit builds something, but not what this director says of it.
    if (amiss !== undefined) throw refuse(amiss.message, amiss.mend);
    if (!answer.groups.includes(group))
      throw refuse(`its configuration does not name group ${group}`, `run \`resurgo enroll ${host.name} --update\``);
    const facts = await layoutFacts(on);
    return { layoutSha256: layoutSum(readLayout({ facts, host: host.short, capturedAt: new Date() })) };
  }

  async function buildRescue(
    input: RescueStep & { policy: RescuePolicy; layoutSha256: string },
    progress: Progress,
  ): Promise<BuiltRescue> {
    const { policy, layoutSha256 } = input;
    const { result, endedMs } = await runJob({
      ...jobOf({ input, step: 'build', host: input.host }),
      kind: 'rescue-build',
      args: {
        modules: policy.modules,
        pinned: policy.pinnedKey,
        network: policy.network,
        outputs: policy.outputs.join('\n'),
        layout: layoutSha256,
      },
      onProgress: (now) => {
        show(progress, { step: now.step });
      },
    });
    const { kernel, modules, firmware, files, secureBoot, biosBoot, uefiBoot, hostKey } = builtResult.parse(result);
    return {
      ...{ kernel, modules, firmware, files, secureBoot },
      ...(biosBoot === undefined ? {} : { biosBoot }),
      ...(uefiBoot === undefined ? {} : { uefiBoot }),
      hostKey: hostKey?.split(' ').slice(0, 2).join(' ') ?? null,
      builtAt: new Date(endedMs).toISOString(),
    };
  }

  /** From the host straight to the store; what of it has arrived stays where a try breaks off. */
  async function sendRescue(input: RescueSend, progress: Progress): Promise<{ sentBytes: number }> {
    const { host, store, id, transfer } = input;
    const signal = jobSignal();
    const step = `send ${host.name}`;
    const fence = fenceFor({ fence: input.fence, step });
    const place = { store: store.name, host: host.short, id };
    progress.step = 'grant';
    if (await isKept({ input, fence, step })) return { sentBytes: 0 };
    const grant = jobName({ run: fence.run, step: 'grant-rescue', key: host.short });
    const line = await openLine({
      hosts,
      fence: { sender: fence, receiver: fence },
      step,
      grant,
      sender: { host, scope: { scope: 'rescue', ...place } },
      receiver: { host: store.host, scope: { scope: 'rescue', ...place } },
      dial: transfer.direction === 'push' ? 'out' : 'in',
      lanes: 1,
    });
    const { result } = await line.carry({
      signal,
      body: (until) =>
        runJob({
          // An operator who retries wants it gone over once more.
          ...jobOf({ input, step: again('send', input), host }),
          signal: until,
          kind: 'rescue-send',
          args: {
            grant,
            bandwidthKib: Math.ceil(transfer.bandwidthBytesPerS / 1024),
            io: transfer.io,
            ...line.peer,
          },
          onProgress: ({ bytes, totalBytes }) => {
            show(progress, { step: 'copy', bytes, totalBytes });
          },
        }),
    });
    await line.close();
    return { sentBytes: z.looseObject({ sentBytes: z.number() }).parse(result).sentBytes };
  }

  /** Makes the place where the media arrive, unless they are in the list already: the answer of the step that put them there was lost. */
  async function isKept(at: { input: RescueStep; fence: Fence; step: string }): Promise<boolean> {
    const { host, store, id } = at.input;
    const { fence, step } = at;
    try {
      await openRescue({ hosts, host: store.host, step, fence, store: store.name, of: host.short, id });
      return false;
    } catch (error) {
      if (!(error instanceof HostError) || error.code !== 'exists') throw error;
      return true;
    }
  }

  /** Signs what is said of the media and takes them into the store's list; of media in the list it renews what is said. */
  async function keepRescue(input: RescueKeep): Promise<{ removed: string[] }> {
    const signal = jobSignal();
    const signer = await openSigner();
    const { directorId, ...said } = input.build;
    const build = rescueBuildSchema.parse({
      ...said,
      director: { id: directorId, publicKeyHex: signer.publicKeyHex },
    });
    const bytes = Buffer.from(canonicalJson(build));
    const { store, host, id, keep } = input;
    const { result } = await runJob({
      ...jobOf({ input, step: `keep-${build.verdict}`, host: store.host }),
      signal,
      kind: 'rescue-keep',
      args: {
        ...{ store: store.name, host: host.short, id, keep },
        build: bytes.toString('base64'),
        buildSig: signer.sign(bytes),
        files: filesInLines(build.files),
      },
    });
    return { removed: keptResult.parse(result).removed };
  }

  const dropSent = ({ fence, host, store, id }: RescueStep) => {
    const step = `drop ${host.name}`;
    const build = { store: store.name, of: host.short, id };
    return dropRescue({ hosts, host: store.host, step, fence: fenceFor({ fence, step }), ...build });
  };

  /** Starts the media in a virtual machine and logs in; null where this machine has none to start. */
  async function bootRescue(
    input: RescueStep & { build: Pick<RescueBuild, 'files' | 'hostKey'> },
    progress: Progress,
  ): Promise<BootedMedia | null> {
    const { host, store, id, build, fence } = input;
    return rescue.boot({
      ...build,
      host: host.short,
      signal: jobSignal(),
      onStep: (step) => {
        show(progress, { step });
      },
      open: (name) => {
        const file = { store: store.name, group: groupOf(fence.group), host: host.short, id, name };
        return hosts.rescueFile({ host: store.host, step: `boot ${host.name}`, file });
      },
    });
  }

  function show(progress: Progress, now: Partial<Progress>): void {
    Object.assign(progress, now);
    Context.current().heartbeat(progress);
  }

  /** What the jobs of a build have in common; their names follow from run, step and host, so that a retry attaches. */
  function jobOf({ input, step, host }: { input: RescueStep; step: string; host: FleetHost }) {
    const words = `${step} ${input.host.name}`;
    return {
      hosts,
      host,
      job: jobName({ run: input.fence.run, step: `rescue-${step}`, key: input.host.short }),
      fence: fenceFor({ fence: input.fence, step: words }),
      step: words,
      signal: jobSignal(),
    };
  }

  function shown<I extends { host: FleetHost }, R>(body: (input: I, progress: Progress) => Promise<R>) {
    return (input: I): Promise<R> => {
      const progress: Progress = { source: input.host.name };
      return asActivity(() => heartbeating({ details: () => progress, body: () => body(input, progress) }));
    };
  }

  return {
    checkRescue: shown(checkRescue),
    buildRescue: shown(buildRescue),
    sendRescue: shown(sendRescue),
    keepRescue: shown(keepRescue),
    dropRescue: (input: RescueStep) => asActivity(() => heartbeating({ body: () => dropSent(input) })),
    /** Notes by which key the rescue system of a host is known, wherever it is reached. */
    pinRescue: (input: { host: FleetHost; hostKey: string }) =>
      asActivity(async () => {
        await rescue.pin({ host: input.host.name, hostKey: input.hostKey });
        logger.info({ host: input.host.name, step: 'pin' }, 'noted the host key of the rescue system');
      }),
    bootRescue: shown(bootRescue),
  };
}

/** A later round of a step whose job came to its end already. */
function again(step: string, { fence: { round } }: RescueStep): string {
  return round === 0 ? step : `${step}-${round}`;
}
