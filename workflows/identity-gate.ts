/** An emptied or exchanged source is not a source: what differs from the last backup stops at the operator (S14). */
import { ApplicationFailure } from '@temporalio/workflow';
import type { ChecksResult, HostCheck } from '../activities/checks';
import type { StoreState } from '../activities/store';
import { identityProblems, pinsOf } from '../planning/identity';
import type { IdentityProblem } from '../planning/identity';
import type { BackupInput } from '../planning/run-input';
import { sourcesOf, spaceInWords, spaceVerdict } from '../planning/space';
import type { SpaceVerdict } from '../planning/space';
import type { SourceOutcome } from './copy-window';
import type { OperatorGate } from './gate';

interface Options {
  gate: OperatorGate;
  input: BackupInput;
  /** Host name → why it is not part of this backup. */
  missing: ReadonlyMap<string, string>;
  checks: ChecksResult;
  store: StoreState;
  warnings: string[];
}

/** Compares paths, file systems, subvolumes and datasets before anything is frozen. */
export async function compareIdentities(options: Options): Promise<void> {
  const { checks, store, warnings } = options;
  const findings = [...checks.hosts.flatMap((host) => host.findings), ...(checks.findings ?? [])];
  const broken = findings.filter((each) => each.level === 'fail');
  if (broken.length > 0) {
    const first = broken.slice(0, 5).map((each) => `${each.host}: ${each.message}`);
    throw ApplicationFailure.create({
      type: 'check-failed',
      nonRetryable: true,
      message: `the hosts report problems that would make a bad backup: ${first.join('; ')}. \`resurgo doctor ${options.input.group.name}\` says how to mend each`,
      details: [{ code: 'check-failed' }],
    });
  }
  const space = spaceOf(options);
  if (space.level === 'fail') {
    const { message, mend } = spaceInWords(space);
    throw ApplicationFailure.create({
      type: 'no-space',
      nonRetryable: true,
      message: `${options.input.store.host}: store ${options.input.store.name} ${message}. Nothing was frozen: ${mend}`,
      details: [{ code: 'no-space' }],
    });
  }
  if (space.level === 'warn')
    warnings.push(`${options.input.store.host}: store ${options.input.store.name} ${spaceInWords(space).message}`);
  warnings.push(...told(findings), ...store.warnings.map((each) => `${options.input.store.host}: ${each}`));
  await ask({ ...options, step: 'identity of sources', problems: problemsOf(options, () => undefined) });
}

/** Whether what is to be copied has room. A tree that any backup has is copied by its changes alone. */
function spaceOf({ input, checks, store }: Options): SpaceVerdict {
  const { kind, compression } = input.store;
  const { freeBytes, reserveBytes, fsType } = store;
  const sources = sourcesOf({
    sources: input.group.sources,
    shown: checks.hosts,
    last: store.last?.manifest,
    there: new Set(Object.keys(store.newest?.listings ?? {})),
  });
  return spaceVerdict({
    sources,
    store: { kind, compression, fsType, freeBytes, reserveBytes, isOpen: store.incomplete !== null },
  });
}

/** So many findings go into a backup as its warnings; `doctor` has them all. */
const TOLD = 50;

/** What a person should know of this backup later. That a source is copied live its label says already. */
function told(findings: HostCheck['findings']): string[] {
  const worth = findings.filter((each) => !each.check.startsWith('source '));
  const lines = worth
    .slice(0, TOLD)
    .map((each) => `${each.host}: ${each.check === 'not protected' ? 'not protected: ' : ''}${each.message}`);
  return worth.length > TOLD ? [...lines, `and ${worth.length - TOLD} more; \`resurgo doctor\` lists them`] : lines;
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
  const { input, missing, checks, store } = options;
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
          ...(shown.parts === undefined ? {} : { parts: shown.parts }),
          mounted: shown.mounted,
          ...(bytes === undefined ? {} : { usedBytes: bytes }),
          ...(files === undefined ? {} : { files }),
          shrinkLimitPercent: source.shrinkLimitPercent,
        },
      ];
    }),
  );
  const expected = input.group.sources
    .filter((each) => !missing.has(each.host))
    .map((each) => `${each.hostShort}:${each.name}`);
  return identityProblems({ pinned: pinsOf({ manifests: [store.last.manifest] }), present, expected });
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
