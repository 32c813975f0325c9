/** What a recovery does at the rescue system: the plan's steps, then what makes the new system boot. */
import { z } from 'zod';
import type { RescueJob } from '../hosts/args';
import { HostError } from '../hosts/errors';
import { encodeValue } from '../hosts/request';
import { layoutFacts } from '../hosts/verbs/reading';
import { foundCards } from '../planning/recover-cards';
import { planFixes } from '../planning/recover-fix';
import type { ConfigEdit } from '../planning/recover-fix';
import type { Device, DiskIdentity } from '../planning/recover-plan';
import type { FleetHost } from '../planning/run-input';
import { sha256Hex } from '../planning/sha256';
import type { ActivityDeps, RunFence } from './context';
import { asActivity, withSignal } from './context';
import { recoverLookActivities, verifiedLayout } from './recover-look';
import type { LayoutRef } from './recover-look';
import { recoverBootActivities } from './recover-boot';
import { recoverHeaderActivities } from './recover-headers';
import { deviceWords, diskLines, stepRequest } from './recover-requests';
import type { JobStep } from './recover-requests';
import { rescueStep, withOwnKit } from './rescue-step';
import type { RescueRef } from './rescue-step';

export type { RescueRef } from './rescue-step';

export interface RecoverStepInput {
  fence: RunFence;
  rescue: RescueRef;
  step: JobStep;
  tree: string;
}

export interface NewSystemInput {
  fence: RunFence;
  rescue: RescueRef;
  kind: Extract<RescueJob, 'new-initramfs' | 'new-bootloader' | 'new-verify' | 'new-unmount'>;
  args: Record<string, string | undefined>;
  /** Those that get boot code. */
  disks?: readonly DiskIdentity[];
  /** Further EFI system partitions that get the loader. */
  esps?: readonly Device[];
}

export interface FixInput {
  fence: RunFence;
  rescue: RescueRef;
  layout: LayoutRef;
  tree: string;
  /** The machine as it will be reached. */
  host: FleetHost;
  /** As the policy has it. */
  newIdentity?: true | undefined;
}

/** What was changed in the new system's configuration. */
export interface FixedConfig {
  edits: { path: string; why: string }[];
  warnings: string[];
  /** It holds the run's mark. */
  marked?: true;
  /** The ssh host keys that were made anew, all of those that its sshd shows. */
  newKeys?: string[];
}

/** What came of a job on the new system. */
export interface NewSystem {
  /** Of the look whether it can boot: the kernel that it would. */
  kernel: string | null;
  /** Of the initramfs, and of the boot loader's configuration: the restored one holds all that a new one would. */
  kept?: true;
  warnings: string[];
}

const told = z.looseObject({
  kept: z.literal(true).optional(),
  problems: z.array(z.string()).default([]),
  kernel: z.string().nullable().default(null),
  warnings: z.array(z.string()).default([]),
});
const fixed = z.looseObject({
  /** Edits that were not made, since the file holds something else. */
  left: z.array(z.looseObject({ path: z.string(), why: z.string() })).default([]),
  notes: z.array(z.string()).default([]),
  /** SELinux labels all files at the first boot. */
  relabel: z.boolean().default(false),
  /** Older rescue media leave no mark. */
  marked: z.literal(true).optional(),
});

const renewed = z.looseObject({ changed: z.array(z.string()), left: z.array(z.string()), whole: z.boolean() });

const letIn = z.looseObject({ hostKeys: z.array(z.string()).default([]) });

/** Makes the activities of the workflow `recover`. */
export function recoverActivities(deps: ActivityDeps) {
  const { hosts } = deps;

  /** One step of the plan: a job, found again by whoever comes after this attempt. */
  async function recoverStep({ fence, rescue, step, tree }: RecoverStepInput, signal: AbortSignal): Promise<void> {
    const { kind, args } = stepRequest({ step, tree });
    await rescueStep({ hosts, fence, rescue, kind, args, step: step.key, key: step.key, signal });
  }

  /** One of the jobs on the new system. A try that an operator asked for does it again, even where the one before came to its end. */
  async function newSystem(input: NewSystemInput, signal: AbortSignal): Promise<NewSystem> {
    const { fence, rescue, kind, disks = [], esps = [] } = input;
    const args = {
      ...input.args,
      ...(disks.length === 0 ? {} : { disks: diskLines(disks) }),
      ...(esps.length === 0 ? {} : { esps: esps.map(deviceWords).join('\n') }),
    };
    const result = await rescueStep({
      hosts,
      fence,
      rescue,
      kind,
      args,
      step: kind,
      key: `${kind} ${fence.round}`,
      signal,
    });
    const { problems, warnings, ...rest } = told.parse(result);
    if (problems.length === 0) return { ...rest, warnings: warnings.map((each) => `${kind}: ${each}`) };
    throw new HostError({
      host: rescue.host.name,
      verb: kind,
      step: kind,
      code: 'failed',
      message: `the new system would not boot as it is: ${problems.join('; ')}`,
      // The same look would only find the same.
      retryable: false,
      next: 'mend it by hand on the rescue system, below /mnt/new, then retry: it is looked at again',
    });
  }

  /** Writes anew what would mean another device, or another card, in this machine. */
  async function recoverFix(input: FixInput, signal: AbortSignal): Promise<FixedConfig> {
    const { fence, rescue, layout: ref, tree } = input;
    const layout = await verifiedLayout({ hosts, ref });
    const step = 'new-fix';
    const cards = () => layoutFacts({ hosts, host: rescue.host, step, part: 'network' });
    const facts = await withOwnKit({ hosts, rescue, step, body: cards });
    const { edits, warnings } = planFixes({ layout, cards: foundCards({ facts }) });
    const coded = Buffer.from(edits.map(editLine).join('')).toString('base64');
    const args = { tree, edits: coded === '' ? undefined : coded };
    // Without edits too: it knows what a layout does not tell, such as labels.
    const result = await rescueStep({
      hosts,
      fence,
      rescue,
      kind: 'new-fix',
      args,
      step: 'new-fix',
      key: `new-fix ${fence.round}`,
      signal,
    });
    const { left, notes, relabel, marked } = fixed.parse(result);
    const made = edits.filter(({ path }) => !left.some((each) => each.path === path));
    const identity =
      input.newIdentity === true ? await newIdentity(input, signal) : { edits: [], warnings: [], isWhole: false };
    const { hostKeys, unknown } = await letDirectorIn(input, signal);
    return {
      edits: [...made.map(({ path, why }) => ({ path, why })), ...identity.edits],
      warnings: [
        ...warnings,
        ...left.map(({ path, why }) => `${path} was not changed: ${why}`),
        ...notes,
        ...identity.warnings,
        ...unknown,
        ...(relabel ? ['its first boot takes longer: SELinux labels all files'] : []),
      ],
      ...(marked === undefined ? {} : { marked }),
      ...(identity.isWhole ? { newKeys: hostKeys } : {}),
    };
  }

  /** Before its ssh host keys are looked at, which it makes anew. */
  async function newIdentity(
    { fence, rescue, tree, host }: FixInput,
    signal: AbortSignal,
  ): Promise<Pick<FixedConfig, 'edits' | 'warnings'> & { isWhole: boolean }> {
    const kind = 'new-identity';
    const at = { hosts, fence, rescue, kind, step: kind, key: `${kind} ${fence.round}`, signal };
    const { changed, left, whole } = renewed.parse(await rescueStep({ ...at, args: { tree } }));
    return {
      edits: changed.map((path) => ({ path, why: 'an identity of its own (--new-identity)' })),
      warnings: [
        `other hosts know ${host.name} by the key that it had: before its next backup \`resurgo enroll ${host.name}\`, and \`resurgo enroll HOST --update\` of each that exchanges data with it, its target first`,
        ...left.map((path) => `${path} was left as it was: two machines must not have the same`),
        ...(whole ? [] : [`the ssh host keys that ${host.name} had stay pinned beside its new ones`]),
      ],
      // A key that sshd shows and that is the old machine's as well is no proof of either: then the old pins stay.
      isWhole: whole,
    };
  }

  /** The machine lets this director in once it has booted, and is known to it; both may be new to each other. */
  async function letDirectorIn(
    { fence, rescue, tree, host, newIdentity: asked }: FixInput,
    signal: AbortSignal,
  ): Promise<{ hostKeys: string[]; unknown: string[] }> {
    const kind = 'new-director';
    const at = { hosts, fence, rescue, kind, step: kind, key: `${kind} ${fence.round}`, signal };
    const { hostKeys } = letIn.parse(await rescueStep({ ...at, args: { tree } }));
    const isKnown = await deps.rescue.pinMachine({ host, hostKeys, isNew: asked === true });
    const warning = `${host.name} has another ssh host key in the backup than the one that is pinned here, or none: it will not be seen to answer until \`resurgo enroll ${host.name}\` has pinned it`;
    return { hostKeys, unknown: isKnown ? [] : [warning] };
  }

  return {
    ...recoverLookActivities(deps),
    ...recoverHeaderActivities(deps),
    ...recoverBootActivities(deps),
    recoverStep: withSignal(recoverStep),
    newSystem: withSignal(newSystem),
    recoverFix: withSignal(recoverFix),
    /** After the first boot of a copy. */
    knowCopy: (machine: { host: FleetHost; hostKeys: string[] }) => asActivity(() => deps.rescue.pinOnly(machine)),
  };
}

/** One edit as job `new-fix` reads it. */
function editLine({ path, before, after }: ConfigEdit): string {
  const was = before === null ? '-' : sha256Hex(before);
  return `${encodeValue(path)} ${was} ${Buffer.from(after).toString('base64')}\n`;
}
