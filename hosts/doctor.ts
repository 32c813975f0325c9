/** `resurgo doctor`: every precondition of a group, host by host, and how to mend what is amiss. Reads only, unless `fix`. */
import type { Group, Runbook } from '../runbooks/types';
import { KNOWN_LEFTOVERS, leftoversOf, type Finding } from './doctor-findings';
import { readHostkit } from './enroll/hostkit-tree';
import { HostError } from './errors';
import type { Hosts } from './hosts';
import { hostRef } from './refs';
import type { Check, Probe } from './replies';
import { check, probe, status } from './verbs/reading';
import { storeSpace } from './verbs/store';
import { sweep } from './verbs/workload';

export type { Finding, Level } from './doctor-findings';

export interface DoctorOptions {
  runbook: Runbook;
  group: string;
  hosts: Hosts;
  /** Sweeps what dead runs have left. */
  fix?: boolean;
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** Clocks further apart than this are told, in ms; further than the second, a backup's id could be older than the last one's. */
const SKEW_WARN_MS = 2_000;
const SKEW_FAIL_MS = 60_000;

/** Checks all hosts of a group and its store. Never throws for a host: what fails is a finding. Findings are in the hosts' order. */
export async function doctor(options: DoctorOptions): Promise<Finding[]> {
  const { runbook } = options;
  const group = runbook.groups[options.group];
  if (group === undefined) throw new RangeError(`the runbook has no group ${options.group}`);
  const target = runbook.stores[group.target]?.host;
  const names = new Set([
    ...group.hosts,
    ...group.sources.map(({ host }) => host),
    ...(target === undefined ? [] : [target]),
  ]);
  const { hash, version } = await readHostkit();
  const perHost = await Promise.all(
    [...names].map((host) => examine({ ...options, entry: group, host, isTarget: host === target, hash, version })),
  );
  return perHost.flat();
}

interface Patient extends DoctorOptions {
  entry: Group;
  host: string;
  isTarget: boolean;
  /** Of the hostkit that this director carries. */
  hash: string;
  version: string;
}

async function examine(patient: Patient): Promise<Finding[]> {
  const { host } = patient;
  const findings: Finding[] = [];
  const add = (checked: string, level: Finding['level'], message: string, mend = '') =>
    findings.push({ host, check: checked, level, message, mend });
  const attempt = async <T>(checked: string, read: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await read();
    } catch (thrown) {
      if (thrown instanceof HostError) add(checked, 'fail', thrown.reason, thrown.next);
      else add(checked, 'fail', String(thrown), 'run `resurgo doctor` again; if it comes again, report it');
      return undefined;
    }
  };
  const on = onHost(patient);
  const sentMs = Date.now();
  const answer = await attempt('reach', () => probe(on));
  if (answer === undefined) return findings;
  add('reach', 'ok', `answers in ${Date.now() - sentMs} ms`);
  findings.push(...versions(patient, answer), clock({ host, answer, sentMs, receivedMs: Date.now() }));
  if (!answer.groups.includes(patient.group)) {
    add(
      'configuration',
      'fail',
      `its configuration does not name group ${patient.group}`,
      `run \`resurgo enroll ${host} --update\``,
    );
    return findings;
  }
  if (patient.entry.hosts.includes(host) || patient.entry.sources.some((source) => source.host === host)) {
    const checked = await attempt('sources', () => check({ ...on, group: patient.group }));
    if (checked !== undefined) findings.push(...sources(patient, checked));
  }
  if (patient.isTarget) {
    const store = patient.entry.target;
    const space = await attempt('store', () => storeSpace({ ...on, store, group: patient.group }));
    if (space !== undefined) findings.push(storeFinding(patient, space));
  }
  const left = await attempt('leftovers', () => leftovers(patient));
  return [...findings, ...(left ?? [])];
}

function versions({ host, hash, version }: Patient, answer: Probe): Finding[] {
  const mend = `run \`resurgo enroll ${host} --update\``;
  const kit: Finding =
    answer.hash === hash
      ? { host, check: 'hostkit', level: 'ok', message: `hostkit ${answer.version}`, mend: '' }
      : {
          host,
          check: 'hostkit',
          level: 'warn',
          message: `its hostkit ${answer.version} differs from this director's ${version}`,
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
  const text = `${(Math.abs(skewMs) / 1000).toFixed(1)} s ${skewMs < 0 ? 'behind' : 'ahead of'} the director`;
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

function sources({ host, entry }: Patient, checked: Check): Finding[] {
  const wanted = entry.sources.filter((source) => source.host === host);
  const found = checked.sources.map((source): Finding => {
    const at = { host, check: `source ${source.name}` };
    const [first] = source.problems;
    if (first !== undefined)
      return { ...at, level: 'fail', message: source.problems.join('; '), mend: 'mend what it says on the host' };
    const message = `${source.path} (${source.kind} on ${source.fsType}), ${gib(source.usedBytes)} used, ${gib(source.freeBytes)} free`;
    if (source.kind === 'none') {
      const mend = 'use btrfs or zfs there for a frozen copy';
      return { ...at, level: 'warn', message: `${message}; copied live, without a snapshot`, mend };
    }
    return { ...at, level: 'ok', message, mend: '' };
  });
  const missing = wanted.filter(({ name }) => !checked.sources.some((source) => source.name === name));
  return [
    ...checked.problems.map((message): Finding => ({
      host,
      check: 'group',
      level: 'fail',
      message,
      mend: 'do what it says',
    })),
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

function storeFinding(
  { host, entry, runbook }: Patient,
  space: { freeBytes: number; totalBytes?: number; warnings?: unknown },
): Finding {
  const at = { host, check: `store ${entry.target}` };
  const { freeBytes, totalBytes = 0 } = space;
  const reserve = ((runbook.stores[entry.target]?.reservePercent ?? 0) / 100) * totalBytes;
  const message = `${gib(freeBytes)} free of ${gib(totalBytes)}`;
  const warnings = Array.isArray(space.warnings) ? space.warnings.map(String) : [];
  if (freeBytes <= reserve) {
    const mend = 'prune old backups (`resurgo prune`), or give it more space';
    return { ...at, level: 'fail', message: `${message}, below the reserve of ${gib(reserve)}`, mend };
  }
  if (warnings.length > 0)
    return { ...at, level: 'warn', message: `${message}; ${warnings.join('; ')}`, mend: 'see docs/stores.md' };
  return { ...at, level: 'ok', message, mend: '' };
}

async function leftovers(patient: Patient): Promise<Finding[]> {
  const { group, host, fix } = patient;
  const on = onHost(patient);
  const { found, mended } = await sweep({ ...on, group, fix: fix === true });
  const left = leftoversOf({ host, found, mended });
  if (left.length > 0) return left;
  const now = await status({ ...on, group });
  const standing = KNOWN_LEFTOVERS.filter((kind) => now[kind].length > 0).map((kind) => `${now[kind].length} ${kind}`);
  const message = standing.length === 0 ? 'nothing is left of any run' : `of runs under way: ${standing.join(', ')}`;
  return [{ host, check: 'leftovers', level: 'ok', message, mend: '' }];
}

function onHost({ hosts, runbook, host, timeoutMs, signal }: Patient) {
  return { hosts, host: hostRef({ runbook, host }), step: 'doctor', timeoutMs, signal };
}

function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
