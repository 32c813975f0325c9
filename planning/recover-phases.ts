/** The parts of a recovery as people follow them, and how long each took. Pure. */
import type { RecoveryStep, StepKind } from './recover-plan';

/** One part and the seconds that it took; what a person took to answer is a part of its own. */
export interface Phase {
  phase: string;
  seconds: number;
}

const PHASES: Readonly<Record<StepKind, string>> = {
  wipe: 'wipe disks',
  table: 'partition',
  'md-create': 'make arrays',
  'luks-restore': 'encryption',
  'luks-format': 'encryption',
  'lvm-pv': 'make volumes',
  'lvm-vg': 'make volumes',
  'lvm-lv': 'make volumes',
  'lvm-thin-pool': 'make volumes',
  'lvm-thin': 'make volumes',
  'lvm-uuids': 'make volumes',
  'zpool-create': 'make pools',
  'zfs-create': 'make pools',
  'zpool-finish': 'finish pools',
  mkfs: 'make file systems',
  'btrfs-subvolumes': 'make file systems',
  mkswap: 'make file systems',
  mount: 'mount',
  restore: 'restore data',
  'swap-file': 'swap files',
  'btrfs-read-only': 'set read-only',
  'lvm-read-only': 'set read-only',
};

export function phaseOf({ kind }: Pick<RecoveryStep, 'kind'>): string {
  return PHASES[kind];
}

/** Done when all has been written that has to be: what is set read-only takes no changes any more. */
export function isLast({ kind }: Pick<RecoveryStep, 'kind'>): boolean {
  return kind === 'btrfs-read-only' || kind === 'lvm-read-only';
}

/** Steps that follow each other and belong to one phase, in their order. */
export function byPhase(steps: readonly RecoveryStep[]): { phase: string; steps: RecoveryStep[] }[] {
  const phases: { phase: string; steps: RecoveryStep[] }[] = [];
  for (const step of steps) {
    const phase = phaseOf(step);
    const last = phases.at(-1);
    if (last?.phase === phase) last.steps.push(step);
    else phases.push({ phase, steps: [step] });
  }
  return phases;
}

/** The measured time to recovery, beside the allowed one. */
export interface MeasuredRto {
  /** From the run's start, questions included. */
  fromStartS: number;
  /** From the approval: what the machines took. */
  fromApprovalS: number;
  /** The runbook's `rto`; null where it names none. */
  allowedS: number | null;
}

/** Whether it was kept, as a sentence; undefined where the runbook allows any. */
export function rtoVerdict({ fromStartS, allowedS }: MeasuredRto): string | undefined {
  if (allowedS === null) return undefined;
  return fromStartS <= allowedS
    ? `within the ${allowedS} s that the runbook allows (rto)`
    : `${fromStartS - allowedS} s longer than the ${allowedS} s that the runbook allows (rto)`;
}
