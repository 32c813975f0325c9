/** `resurgo doctor`: every precondition of a group, host by host, and how to mend what is amiss. Reads only, unless `fix`. */
import { counted } from '../planning/counted';
import { rescueSeries } from '../planning/series';
import type { Group, Runbook } from '../runbooks/types';
import { readBackups } from './backups';
import type { StoreListing } from './backups';
import { KNOWN_LEFTOVERS, leftoversOf, ONE_LEFTOVER, withoutSafety, type Finding } from './doctor-findings';
import { readHostkit } from './enroll/hostkit-tree';
import { HostError } from './errors';
import type { Hosts } from './hosts';
import { probeFindings, rescueFindings, sourceFindings } from './host-findings';
import { identityFindings } from './identity-findings';
import type { Told } from './identity-findings';
import { hostRef } from './refs';
import type { Check, Reply } from './replies';
import { roomFinding, roomVerdict, storeDrift, storeFinding } from './store-findings';
import { check, probe, status, wayOfData } from './verbs/reading';
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
  const seen: Seen = { checked: new Map(), told: new Map(), store: undefined };
  const perHost = await Promise.all(
    [...names].map((host) =>
      examine({ ...options, entry: group, host, isTarget: host === target, hash, version, seen }),
    ),
  );
  return [...perHost.flat(), ...identitiesOf({ runbook, group, seen }), ...roomOf({ runbook, group, seen })];
}

/** What the hosts have shown that only makes sense together. */
interface Seen {
  checked: Map<string, Check>;
  /** Whose identities each host knows. */
  told: Map<string, Told>;
  /** Of the store, once its host has told. */
  store: { space: Reply<'store.space'>; listing: StoreListing } | undefined;
}

interface Patient extends DoctorOptions {
  entry: Group;
  host: string;
  isTarget: boolean;
  /** Of the hostkit that this director carries. */
  hash: string;
  version: string;
  seen: Seen;
}

/** Whether source and target know each other, as the backup asks too; where only a restore into a folder would need it, a warning. */
function identitiesOf({ runbook, group, seen: { told } }: { runbook: Runbook; group: Group; seen: Seen }): Finding[] {
  const target = runbook.stores[group.target]?.host;
  if (target === undefined) return [];
  const sources = group.sources.map(({ host }) => host);
  const folders = [...group.hosts, target].filter(
    (name) => runbook.hosts[name]?.restoreTo.length && !sources.includes(name),
  );
  return [
    ...identityFindings({ target, others: sources, told, level: 'fail' }),
    ...identityFindings({ target, others: folders, told, level: 'warn' }),
  ];
}

/** Whether the next backup has room, unless the store's finding says already that nothing has. */
function roomOf({ runbook, group, seen }: { runbook: Runbook; group: Group; seen: Seen }): Finding[] {
  const store = runbook.stores[group.target];
  if (store === undefined || seen.store === undefined) return [];
  const { space, listing } = seen.store;
  const open = { group: group.name, incomplete: listing.incomplete };
  if (storeFinding({ store, space, ...open }).level === 'fail') return [];
  const shown = [...seen.checked].map(([host, { sources }]) => ({ host, sources }));
  return [roomFinding({ store, verdict: roomVerdict({ group, store, shown, space, listing }), ...open })];
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
  patient.seen.told.set(host, answer);
  const { hash, version } = patient;
  findings.push(...probeFindings({ host, answer, kit: { hash, version }, sentMs, receivedMs: Date.now() }));
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
    if (checked !== undefined) patient.seen.checked.set(host, checked);
    if (checked !== undefined)
      findings.push(
        ...sourceFindings({ host, sources: patient.entry.sources, checked, group: patient.entry }),
        ...rescueFindings({ host, checked, outputs: patient.entry.rescue.outputs }),
      );
  }
  const target = patient.runbook.stores[patient.entry.target]?.host;
  if (!patient.isTarget && target !== undefined && patient.entry.sources.some((source) => source.host === host)) {
    const { runbook } = patient;
    const { direction } = patient.entry.transfer;
    const way = { ...on, source: on.host, target: hostRef({ runbook, host: target }), direction };
    await attempt('way of the data', () => wayOfData(way));
  }
  if (patient.isTarget) {
    const name = patient.entry.target;
    const space = await attempt('store', () => storeSpace({ ...on, store: name, group: patient.group }));
    const store = patient.runbook.stores[name];
    if (store !== undefined) findings.push(...storeDrift({ store, told: answer.stores }));
    const { hosts } = patient;
    const read = () => readBackups({ hosts, storeHost: on.host, store: name, group: patient.group, step: 'doctor' });
    const listed = space === undefined ? undefined : await attempt('store', read);
    const open = { group: patient.group, incomplete: listed?.incomplete ?? null };
    if (space !== undefined && store !== undefined) findings.push(storeFinding({ store, space, ...open }));
    if (space !== undefined && listed !== undefined) patient.seen.store = { space, listing: listed };
  }
  const left = await attempt('leftovers', () => leftovers(patient));
  return [...findings, ...(left ?? [])];
}

async function leftovers(patient: Patient): Promise<Finding[]> {
  const { group, host, fix } = patient;
  const on = onHost(patient);
  const swept = await Promise.all(
    [group, rescueSeries(group)].map((each) => sweep({ ...on, group: each, fix: fix === true })),
  );
  const [found, mended] = [swept.flatMap((each) => each.found), swept.flatMap((each) => each.mended)];
  const dead = leftoversOf({ host, found, mended });
  if (dead.length > 0) return dead;
  const now = await status({ ...on, group });
  const { safety, rest } = withoutSafety(now.snapshots);
  const left = { ...now, snapshots: rest };
  const standing = KNOWN_LEFTOVERS.filter((kind) => left[kind].length > 0);
  const message =
    standing.length === 0
      ? 'nothing is left of any run'
      : `of runs under way: ${standing.map((kind) => counted(left[kind].length, ONE_LEFTOVER[kind], kind)).join(', ')}`;
  const ok = { host, level: 'ok', mend: '' } as const;
  return [
    { ...ok, check: 'leftovers', message },
    ...safety.map((kept) => ({ ...ok, check: 'safety snapshots', message: kept })),
  ];
}

function onHost({ hosts, runbook, host, timeoutMs, signal }: Patient) {
  return { hosts, host: hostRef({ runbook, host }), step: 'doctor', timeoutMs, signal };
}
