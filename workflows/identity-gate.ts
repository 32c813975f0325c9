/** An emptied or exchanged source is not a source: what differs from the last backup stops at the operator (S14). */
import { ApplicationFailure } from '@temporalio/workflow';
import type { ChecksResult, HostCheck } from '../activities/checks';
import type { StoreState } from '../activities/store';
import { identityProblems, pinsOf } from '../planning/identity';
import type { IdentityProblem } from '../planning/identity';
import type { BackupInput } from '../planning/run-input';
import type { SourceOutcome } from './copy-window';
import type { OperatorGate } from './gate';

interface Options {
  gate: OperatorGate;
  input: BackupInput;
  checks: ChecksResult;
  store: StoreState;
  warnings: string[];
}

/** Compares paths, file systems, subvolumes and datasets before anything is frozen. */
export async function compareIdentities(options: Options): Promise<void> {
  const broken = options.checks.hosts.flatMap((host) => [
    ...clockProblem(host),
    ...host.problems.map((each) => `${host.host}: ${each}`),
    ...host.sources.flatMap((source) => source.problems.map((each) => `${host.host}: ${each}`)),
  ]);
  if (broken.length > 0) {
    throw ApplicationFailure.create({
      type: 'check-failed',
      nonRetryable: true,
      message: `the hosts report problems that would make a bad backup: ${broken.slice(0, 5).join('; ')}. \`resurgo doctor ${options.input.group.name}\` says how to mend each`,
      details: [{ code: 'check-failed' }],
    });
  }
  await ask({ ...options, step: 'identity of sources', problems: problemsOf(options, () => undefined) });
}

/** Clocks further apart than this make grants and ids that contradict each other, ms; `doctor` fails at the same limit. */
const SKEW_LIMIT_MS = 60_000;

function clockProblem({ host, skewMs }: HostCheck): string[] {
  if (Math.abs(skewMs) <= SKEW_LIMIT_MS) return [];
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  return [`${host}: its clock is ${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} the director's; set it right`];
}

/** Compares sizes once the snapshots have been read: this is what would be sealed. */
export async function compareSizes(options: Options & { outcomes: SourceOutcome[] }): Promise<void> {
  const sizes = new Map(
    options.outcomes.flatMap((each) => (each.state === 'ok' ? [[each.source.tree, each.result] as const] : [])),
  );
  const problems = problemsOf(options, (tree) => sizes.get(tree));
  await ask({
    ...options,
    step: 'size of sources',
    problems: problems.filter((each) => each.kind === 'shrunk' || each.kind === 'emptied'),
  });
}

function problemsOf(
  options: Options,
  size: (tree: string) => { bytes: number; files: number } | undefined,
): IdentityProblem[] {
  const { input, checks, store } = options;
  if (store.last === null) return [];
  const present = checks.hosts.flatMap((host) =>
    host.sources.flatMap((shown) => {
      const source = input.group.sources.find((each) => each.host === host.host && each.name === shown.name);
      if (source === undefined) return [];
      const { bytes, files } = size(source.tree) ?? {};
      return [
        {
          host: source.hostShort,
          name: source.name,
          kind: source.snapshot,
          realPath: shown.realPath,
          fsType: shown.fsType,
          fsUuid: shown.fsUuid,
          ...(shown.subvolume === undefined ? {} : { subvolume: shown.subvolume }),
          ...(shown.dataset === undefined ? {} : { dataset: shown.dataset }),
          mounted: shown.mounted,
          ...(bytes === undefined ? {} : { usedBytes: bytes }),
          ...(files === undefined ? {} : { files }),
          shrinkLimitPercent: source.shrinkLimitPercent,
        },
      ];
    }),
  );
  return identityProblems({ pinned: pinsOf({ manifests: [store.last.manifest] }), present });
}

async function ask(options: Options & { step: string; problems: IdentityProblem[] }): Promise<void> {
  const { gate, step, problems, warnings } = options;
  const first = problems[0];
  if (first === undefined) return;
  const message = problems.map((each) => each.message).join('; ');
  const answer = await gate.ask({
    step,
    failure: {
      code: 'identity-changed',
      host: first.host,
      message: `${message}. \`skip\` takes the sources as they are now; \`abort\` ends the run`,
    },
    allowed: ['skip', 'abort'],
  });
  if (answer.decision === 'abort')
    throw ApplicationFailure.nonRetryable(`aborted by ${answer.by}: ${message}`, 'identity-changed');
  warnings.push(`accepted by ${answer.by}: ${message}`);
}
