/** What a host's answers mean for a backup, as findings. `doctor` shows them; a backup makes the same ones before it begins. */
import { counted } from '../planning/counted';
import type { Group } from '../runbooks/types';
import type { Finding } from './doctor-findings';
import { configDrift, exemptUnknown } from './enroll/config';
import type { Check, Probe } from './replies';

/** The hostkit that this director carries. */
export interface CarriedKit {
  hash: string;
  version: string;
}

/** Clocks further apart than this are told, in ms; further than the second, a backup's id could be older than the last one's. */
const SKEW_WARN_MS = 2_000;
const SKEW_FAIL_MS = 60_000;

/** What `probe.sh` says in place of a hash. */
const TAMPERED: ReadonlyMap<string, string> = new Map([
  ['damaged', 'its hostkit is not as it was installed: parts are changed, missing or too much'],
  ['loose', 'others than root own its hostkit or may write to it, and so may become root'],
]);

/** From what a host says of itself: its hostkit, its tools, its clock. */
export function probeFindings(at: {
  host: string;
  answer: Probe;
  kit: CarriedKit;
  sentMs: number;
  receivedMs: number;
}): Finding[] {
  return [...versions(at), clock(at)];
}

/**
 * From what a host says of the group's sources on it, and of what lies in none.
 * @param at.group as the runbook has it, to be compared with the host's configuration; runs of former versions don't say
 */
export function sourceFindings(at: {
  host: string;
  sources: Group['sources'];
  checked: Check;
  group?: Group | undefined;
}): Finding[] {
  const { host, checked } = at;
  const wanted = at.sources.filter((source) => source.host === host);
  const found = checked.sources.map((source): Finding => {
    const at = { host, check: `source ${source.name}` };
    const [first] = source.problems;
    if (first !== undefined)
      return { ...at, level: 'fail', message: source.problems.join('; '), mend: 'mend what it says on the host' };
    const asked = otherThan({ wanted, source });
    if (asked !== undefined) {
      const message = `its configuration has ${source.path} (${source.kind}) for this source, and the runbook ${asked.path} (${asked.snapshot})`;
      return { ...at, level: 'fail', message, mend: enrolAgain(host) };
    }
    const message = `${source.path} (${source.kind} on ${source.fsType}), ${gib(source.usedBytes)} used, ${gib(source.freeBytes)} free`;
    if (source.kind === 'system') return { ...at, ...machineFinding({ source, message }) };
    if (source.kind === 'none') {
      const mend = 'use btrfs or zfs there for a frozen copy';
      return { ...at, level: 'warn', message: `${message}; copied live, without a snapshot`, mend };
    }
    return { ...at, level: 'ok', message, mend: '' };
  });
  const missing = wanted.filter(({ name }) => !checked.sources.some((source) => source.name === name));
  const amiss = checked.problems.map((message): Finding => ({
    host,
    check: 'group',
    level: 'fail',
    message,
    mend: 'do what it says',
  }));
  return [
    ...amiss,
    ...driftFindings(at),
    ...found,
    ...missing.map(({ name }): Finding => ({
      host,
      check: `source ${name}`,
      level: 'fail',
      message: "its configuration does not allow this source of the runbook's",
      mend: `run \`resurgo enroll ${host} --update\``,
    })),
    ...checked.unprotected.map((what): Finding => ({
      host,
      check: 'not protected',
      level: 'warn',
      message: what,
      mend: 'add a source that holds it, or accept that no backup does',
    })),
  ];
}

/** The runbook's source, where the host's of that name is another: else another folder would be copied than the one that the backup names, or read live while it says that it was frozen. */
function otherThan({ wanted, source }: { wanted: Group['sources']; source: Check['sources'][number] }) {
  const asked = wanted.find(({ name }) => name === source.name);
  return asked?.path === source.path && asked.snapshot.replaceAll('-', '_') === source.kind ? undefined : asked;
}

/** Whoever has done so already has a schedule that was made before. */
export const enrolAgain = (host: string): string =>
  `run \`resurgo enroll ${host} --update\`; a schedule keeps the runbook of its last \`resurgo schedule apply\``;

/** What the host would do otherwise than the runbook says. What it leaves out would be missing from a backup that is called whole (S14). */
function driftFindings(at: { host: string; checked: Check; group?: Group | undefined }): Finding[] {
  const { host, group, checked } = at;
  if (group === undefined || checked.config === undefined) return [];
  const wanted = group.sources.filter((each) => each.host === host);
  // A source that is another has a finding of its own.
  const told = checked.sources.some((source) => otherThan({ wanted, source }) !== undefined);
  const drift = configDrift({ group, host, sums: checked.config }).filter(({ word }) => word !== 'source' || !told);
  const mend = enrolAgain(host);
  const words = (differing: typeof drift) => differing.map(({ called }) => called).join(', ');
  const excludes = drift.filter(({ word }) => word === 'exclude');
  const others = drift.filter(({ word }) => word !== 'exclude');
  const finding = (level: Finding['level'], differing: typeof drift): Finding[] =>
    differing.length === 0
      ? []
      : [
          {
            host,
            check: 'configuration',
            level,
            message: `it is not as the runbook has it: ${words(differing)}`,
            mend,
          },
        ];
  return [...finding('fail', excludes), ...finding('warn', others), ...exemptFindings(at)];
}

/** A container that must never be paused would be, by a host that was not told. */
function exemptFindings({
  host,
  checked,
  group,
}: {
  host: string;
  checked: Check;
  group?: Group | undefined;
}): Finding[] {
  if (group?.hosts.includes(host) !== true || checked.exempt === undefined) return [];
  const unknown = exemptUnknown({ group, sums: checked.exempt });
  if (unknown.length === 0) return [];
  const message = `it would pause containers with the label ${unknown.join(', ')}, which the runbook exempts`;
  return [{ host, check: 'configuration', level: 'fail', message, mend: enrolAgain(host) }];
}

/** Of a whole machine: which file systems it is, and which of them no snapshot holds. What a boot reads is watched instead. */
function machineFinding({ source, message }: { source: Check['sources'][number]; message: string }) {
  const { parts = [], skipped = [] } = source;
  const live = parts.filter(({ kind, path }) => kind === 'none' && !BOOT_PLACES.has(path)).map(({ path }) => path);
  const shown = parts.map(({ path, kind }) => `${path} (${kind === 'none' ? 'live' : kind.replaceAll('_', '-')})`);
  const all = `${message}: ${shown.join(', ')}; ${counted(skipped.length, 'mount is', 'mounts are')} no part of it`;
  if (live.length === 0) return { level: 'ok' as const, message: all, mend: '' };
  const mend = `use btrfs, zfs or LVM at ${live.join(', ')} for a frozen copy`;
  return { level: 'warn' as const, message: `${all}; ${live.join(', ')} without a snapshot`, mend };
}

/** Whether a host that is backed up as a whole machine has what its rescue media are made of; nobody else is asked. */
export function rescueFindings(at: { host: string; checked: Check; outputs: readonly string[] }): Finding[] {
  const { host, checked, outputs } = at;
  if (checked.rescue === undefined) return [];
  const lacks = ['any', ...outputs].flatMap((kind) => checked.rescue?.[kind] ?? []);
  const named = [...new Set(lacks)].map((each) => each.split(' '));
  if (named.length === 0)
    return [{ host, check: 'rescue media', level: 'ok', message: 'has what they are made of', mend: '' }];
  const packages = [...new Set(named.flatMap(([, each]) => each ?? []))].sort();
  const message = `none can be built, since it lacks ${named.map(([program]) => program).join(', ')}`;
  const mend = `install ${packages.join(' ')} on it (the packages' names in Debian), or choose fewer \`rescue.outputs\``;
  return [{ host, check: 'rescue media', level: 'warn', message, mend }];
}

/** Where the hostkit reads live and looks before and after (`hostkit/lib/mount-parts.sh`). */
const BOOT_PLACES: ReadonlySet<string> = new Set(['/boot', '/boot/efi', '/efi', '/boot/firmware']);

function versions({
  host,
  answer,
  kit: { hash, version },
}: {
  host: string;
  answer: Probe;
  kit: CarriedKit;
}): Finding[] {
  const mend = `run \`resurgo enroll ${host} --update\``;
  const kit: Finding =
    answer.hash === hash
      ? { host, check: 'hostkit', level: 'ok', message: `hostkit ${answer.version}`, mend: '' }
      : {
          host,
          check: 'hostkit',
          level: 'warn',
          message: TAMPERED.get(answer.hash) ?? `its hostkit ${answer.version} differs from this director's ${version}`,
          mend,
        };
  const missing = ['rsync', 'ssh-keygen', 'getfattr', 'flock'].filter((tool) => absent(answer.tools[tool]));
  if (missing.length === 0) return [kit];
  const message = `missing: ${missing.join(', ')}`;
  return [
    kit,
    { host, check: 'tools', level: 'fail', message, mend: `run \`resurgo enroll ${host} --install-packages\`` },
  ];
}

function absent(tool: string | boolean | null | undefined): boolean {
  return tool === false || tool === null || tool === '';
}

/** The host read its clock somewhere between sending and receiving: the skew is known to within half the round trip. */
function clock(at: { host: string; answer: Probe; sentMs: number; receivedMs: number }): Finding {
  const { host, answer, sentMs, receivedMs } = at;
  const skewMs = answer.timeMs - (sentMs + receivedMs) / 2;
  const surelyMs = Math.max(0, Math.abs(skewMs) - (receivedMs - sentMs) / 2);
  const text = `its clock is ${(Math.abs(skewMs) / 1000).toFixed(1)} s ${skewMs < 0 ? 'behind' : 'ahead of'} the director's`;
  const level = surelyMs >= SKEW_FAIL_MS ? 'fail' : surelyMs >= SKEW_WARN_MS ? 'warn' : 'ok';
  if (level === 'ok') return { host, check: 'clock', level, message: 'in step with the director', mend: '' };
  return {
    host,
    check: 'clock',
    level,
    message: text,
    mend: "set its clock (chrony or systemd-timesyncd), or the director's",
  };
}

export function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
