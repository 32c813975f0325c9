/** What a recovery has to say at its end. */
import type { FixedConfig } from '../activities/recover';
import type { RestoredItem } from '../activities/restore';
import type { RecoveryPlan } from '../planning/recover-plan';
import { rtoVerdict } from '../planning/recover-phases';
import type { MeasuredRto, Phase } from '../planning/recover-phases';
import type { RecoverInput } from '../planning/run-input';
import { secondsSince } from './timeline';

export interface RecoverReport {
  state: 'Completed' | 'Planned';
  host: string;
  /** The backup's id. */
  backup: string;
  plan: RecoveryPlan;
  hash: string;
  /** By what the old machine was seen to be gone (S24). */
  oldMachine: string;
  /** By whose word the ssh host key of the rescue system is its own, where it is a running rescue Linux. */
  rescueSystem?: string | undefined;
  /** Null for a plan alone. */
  recovered: {
    files: number;
    bytes: number;
    /** Of the new system's, and of the one that is running now. */
    kernel: string | null;
    running: string;
    edits: FixedConfig['edits'];
    rto: MeasuredRto;
  } | null;
  phases: Phase[];
  warnings: string[];
}

interface About {
  input: RecoverInput;
  evidence: string;
  plan: RecoveryPlan;
  phases: Phase[];
  warnings: string[];
}

export function plannedOnly(about: About): RecoverReport {
  return { ...report(about), state: 'Planned', recovered: null };
}

export function completed(
  about: About & {
    data: RestoredItem;
    fixed: FixedConfig;
    kernel: string | null;
    up: { kernel: string };
    startedMs: number;
    approvedMs: number;
  },
): RecoverReport {
  const { data, fixed, kernel, up, startedMs, approvedMs, input } = about;
  const rto = {
    fromStartS: secondsSince(startedMs),
    fromApprovalS: secondsSince(approvedMs),
    allowedS: input.setup.group.rtoS,
  };
  const { files, bytes } = data;
  const late = rto.allowedS !== null && rto.fromStartS > rto.allowedS ? [`it took ${rtoVerdict(rto) ?? ''}`] : [];
  const told = report(about);
  return {
    ...told,
    state: 'Completed',
    warnings: [...told.warnings, ...late],
    recovered: { files, bytes, kernel, running: up.kernel, edits: fixed.edits, rto },
  };
}

function report({ input, evidence, plan, phases, warnings }: About): Omit<RecoverReport, 'state' | 'recovered'> {
  const { host, id, rescueWord } = input;
  const { hash } = plan;
  return {
    host: host.name,
    backup: id,
    plan,
    hash,
    oldMachine: evidence,
    ...(rescueWord === undefined ? {} : { rescueSystem: rescueWord }),
    phases,
    warnings: [...plan.warnings, ...warnings],
  };
}
