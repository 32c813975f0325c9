/** `resurgo show`: everything that one backup says about itself, from the store; or how one run stands, from the engine. */
import type { Command } from '@commander-js/extra-typings';
import type { StoreEntry } from '../../hosts/backups';
import type { Manifest, ManifestContact, ManifestSource } from '../../planning/manifest';
import { notRecoverable, notRecoverableText } from '../../planning/recoverable';
import { run as inContext } from '../context';
import type { CliContext } from '../context';
import { EXIT } from '../exit';
import { bytes, duration, instant, printable, table } from '../output';
import { entriesOf, entryJson } from './list';
import { isRun, showRun } from './show-run';

export function registerShow(program: Command): void {
  program
    .command('show')
    .argument('<id>', 'a backup id, or `latest`; or a run, as `resurgo runs --all` shows it')
    .argument('[group]', 'the protection group of the backup')
    .description('everything that one backup says about itself; of a run its steps, questions, plan or report')
    .addHelpText(
      'after',
      '\nThe manifest as it is: --json.\n\nExample:\n  $ resurgo show latest portal\n  $ resurgo show r20261121t013000z-4f3a2b',
    )
    .action((id, group, _options, command) =>
      inContext(command, (context) => (isRun(id) ? showRun(context, id) : showBackup(context, id, group))),
    );
}

async function showBackup(context: CliContext, id: string, group?: string): Promise<number> {
  const { pick } = await entriesOf(context, group);
  const entry = pick(id);
  context.out.result({ json: entryJson(entry), text: backupText(entry) });
  return entry.problem === undefined ? EXIT.ok : EXIT.failed;
}

/** A backup in words; hosts and stores may be hostile, so nothing of it reaches the terminal raw (S29). */
export function backupText({ id, manifest, problem, holds, usedBytes, signedBy }: StoreEntry): string {
  const lines = [
    ...(problem === undefined ? [] : [`UNUSABLE: ${problem}`]),
    ...(manifest === undefined ? [] : manifestLines(manifest)),
    ...(usedBytes === undefined ? [] : [`takes ${bytes(usedBytes)} in the store`]),
    ...(signedBy === undefined ? [] : [`signed by the key ${signedBy}`]),
    ...(holds.length === 0 ? [] : [`held: ${holds.join(', ')}`]),
  ];
  const head =
    manifest === undefined
      ? `backup ${id}`
      : `backup ${id} of ${manifest.group}: ${manifest.state}, ${manifest.label} consistent`;
  return [head, ...lines].flatMap((line) => line.split('\n').map(printable)).join('\n');
}

function manifestLines(manifest: Manifest): string[] {
  const { frozenAt, sealedAt, pauseMs, run, previous, director, store, sources } = manifest;
  const lines = (title: string, all: readonly string[]): string[] => all.map((each) => `${title}: ${each}`);
  return [
    `frozen ${instant(frozenAt)}, sealed ${instant(sealedAt)}; everything stood still for ${duration(pauseMs)}`,
    `run ${run} of ${director.id}, into store ${store.name} (${store.kind}) on ${store.host}`,
    previous === null ? 'the first backup of its store' : `the backup before it: ${previous}`,
    ...lines('evidence', manifest.evidence),
    '',
    table([['source', 'state', 'label', 'files', 'size', ''], ...sources.map(sourceRow)]),
    ...sources.flatMap(leftOut),
    ...layoutLines(manifest),
    ...(manifest.contacts.length === 0 && manifest.notes === '' ? [] : ['']),
    ...lines('contact', manifest.contacts.map(contactText)),
    ...(manifest.notes === '' ? [] : [`notes: ${manifest.notes.trimEnd()}`]),
    ...lines('warning', manifest.warnings),
  ];
}

function sourceRow(source: ManifestSource): string[] {
  const place = `${source.hostName}:${source.path}`;
  return source.state === 'missing'
    ? [place, 'MISSING', '', '', '', source.reason]
    : [place, 'ok', source.label, String(source.files), bytes(source.bytes), source.evidence.join('; ')];
}

/** What lies below a source and is not in the backup. */
function leftOut(source: ManifestSource): string[] {
  if (source.state === 'missing') return [];
  const place = `${source.hostName}:${source.path}`;
  return [
    ...(source.excluded.length === 0 ? [] : [`excluded from ${place}: ${source.excluded.join(' ')}`]),
    ...source.skipped.map(({ path, reason }) => `not in ${place}: ${path} (${reason})`),
  ];
}

/** What a recovery onto blank disks could make again. Of a host whose data alone is in the backup it is a note, and no verdict. */
function layoutLines(manifest: Manifest): string[] {
  const bare = notRecoverable(manifest);
  const others = manifest.layouts.filter((each) => !each.recoverable && !bare.some(({ host }) => host === each.host));
  const kept = manifest.layouts.filter((each) => each.sha256 !== null).map(({ host }) => host);
  const headed = manifest.sources.flatMap((each) =>
    each.state === 'ok' && each.luksHeaders !== undefined ? [`${each.hostName} (${each.luksHeaders.length})`] : [],
  );
  return [
    ...bare.map((each) => `NOT RECOVERABLE: ${notRecoverableText(each)}`),
    ...(kept.length === 0 ? [] : [`layouts: ${kept.join(' ')}`]),
    ...(headed.length === 0 ? [] : [`headers of encrypted volumes: ${headed.join(' ')}`]),
    ...others.map(
      ({ host, reasons }) => `note: blank disks could not be made ${host} again, because ${reasons.join('; ')}`,
    ),
  ];
}

function contactText({ name, role, phone, mail }: ManifestContact): string {
  return [name, role, phone, mail].filter((each) => each !== null).join(', ');
}
