/** `resurgo rescue sheet`: the page to keep beside a machine. What can't be asked now is said to be missing on it, and it is printed all the same. */
import { writeFile } from 'node:fs/promises';
import type { Command } from '@commander-js/extra-typings';
import { newestWhole, readBackups } from '../../hosts/backups';
import { loadDirectorKeys } from '../../hosts/director-keys';
import { HostError } from '../../hosts/errors';
import type { Hosts } from '../../hosts/hosts';
import { fingerprint, KnownHosts, parsePublicKey } from '../../hosts/known-hosts';
import { isUsable, readRescueMedia, type RescueStore } from '../../hosts/rescue-media';
import { hostRef } from '../../hosts/refs';
import { layoutFacts } from '../../hosts/verbs/reading';
import { genuineSigners } from '../../hosts/adopted-signers';
import { readLayout } from '../../planning/layout-read';
import type { RescueBuild } from '../../planning/rescue-media';
import type { Host, Runbook } from '../../runbooks/types';
import { run } from '../context';
import type { CliContext } from '../context';
import { CliError, EXIT } from '../exit';
import { storedLayout } from '../host-layouts';
import { instant } from '../output';
import { groupOfHosts, hostNamed } from '../rescue-media';
import { sheetHtml, sheetMarkdown, type SheetFacts } from '../rescue-sheet-text';

export function registerRescueSheet(rescue: Command): void {
  rescue
    .command('sheet')
    .argument('<host>', 'a host of the runbook')
    .option('--html', 'an HTML page instead of Markdown')
    .option('--to <file>', 'write it there instead of to the terminal')
    .option('--group <group>', 'the protection group of its backups')
    .description('a page to print and keep beside the machine: disks, addresses, fingerprints, contacts, commands')
    .addHelpText(
      'after',
      '\nExit code 3 when something could not be asked and is missing on the page.\n\nExample:\n  $ resurgo rescue sheet web-1 --html --to web-1.html',
    )
    .action((host, options, command) => run(command, (context) => sheet(context, host, options)));
}

async function sheet(
  context: CliContext,
  name: string,
  options: { html?: true; to?: string; group?: string },
): Promise<number> {
  const { runbook } = context.runbook();
  const host = hostNamed({ runbook, name });
  const group = groupOfHosts({ runbook, names: [name], group: options.group });
  const { facts, missing } = await factsOf(context, { runbook, host, group });
  const text = options.html === true ? sheetHtml(facts) : sheetMarkdown(facts);
  for (const each of missing) context.out.warn(`missing on the page: ${each}`);
  if (options.to !== undefined) await writeFile(options.to, text, { mode: 0o600 });
  const json = { host: name, file: options.to, missing, ...(options.to === undefined ? { text } : {}) };
  context.out.result({ json, text: options.to ?? text.trimEnd() });
  return missing.length === 0 ? EXIT.ok : EXIT.incomplete;
}

async function factsOf(
  context: CliContext,
  { runbook, host, group }: { runbook: Runbook; host: Host; group: string },
): Promise<{ facts: SheetFacts; missing: string[] }> {
  const { setup } = await context.group(group);
  const hosts = await context.hosts();
  const missing: string[] = [];
  const at = { hosts, storeHost: setup.storeHost, store: setup.store.name, group };
  /** What a host can't tell now is no reason to have no page. */
  const unless = async <T>(what: string, body: () => Promise<T>): Promise<T | null> => {
    try {
      return await body();
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      missing.push(`${what}: ${error.reason}`);
      return null;
    }
  };
  const [shown, media, backup] = await Promise.all([
    unless('its disks and its network', () => layoutOf(context, { hosts, runbook, host })),
    unless('its rescue media', () => newestMedia(context, { at, host })),
    unless('its newest backup', async () => newestWhole((await readBackups(at)).backups)?.id ?? null),
  ]);
  const { store, storeHost } = setup;
  const keys = await loadDirectorKeys({ stateDir: context.stateDir });
  const facts: SheetFacts = {
    printedAt: new Date(),
    ...{ host, group, media, backup },
    ...(shown ?? { layout: null, layoutFrom: 'it did not answer when this was printed, and no backup tells them' }),
    store: { name: store.name, host: storeHost.name, address: storeHost.address, place: store.place, kind: store.kind },
    fingerprints: [
      ...(await pinnedOf(context, { runbook, names: [host.name, storeHost.name] })),
      ...(typeof media?.hostKey !== 'string'
        ? []
        : [{ of: `the rescue system of ${host.name}`, fingerprint: fingerprint(parsePublicKey(media.hostKey)) }]),
      { of: "the director's login", fingerprint: fingerprint(parsePublicKey(keys.director.publicKey)) },
      { of: "the director's signature", fingerprint: keys.signing.publicHex },
    ],
    contacts: setup.group.contacts,
    notes: setup.group.notes,
    runbookFile: context.runbookFile(),
    director: await context.directorId(),
  };
  return { facts, missing };
}

/** What the host says; where it says nothing, what its newest whole backup holds: of a dead machine there is no other. @throws HostError */
async function layoutOf(
  context: CliContext,
  { hosts, runbook, host }: { hosts: Hosts; runbook: Runbook; host: Host },
): Promise<Pick<SheetFacts, 'layout' | 'layoutFrom'>> {
  let silent: HostError;
  try {
    const facts = await layoutFacts({ hosts, host: hostRef({ runbook, host: host.name }), step: 'sheet' });
    const layout = readLayout({ facts, host: host.short, capturedAt: new Date() });
    return { layout, layoutFrom: 'what the host said when this was printed' };
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    silent = error;
  }
  const stored = await storedLayout(context, { host: host.name, id: 'latest', whole: true }).catch((error: unknown) => {
    if (error instanceof HostError || error instanceof CliError) return error;
    throw error;
  });
  if (stored instanceof Error) {
    context.out.warn(`no layout from a backup either: ${stored instanceof HostError ? stored.reason : stored.message}`);
    throw silent;
  }
  const { layout, id, group } = stored;
  const at = instant(layout.capturedAt);
  context.out.warn(`${host.name} tells nothing now (${silent.reason}): the page has its disks of backup ${id}, ${at}`);
  return {
    layout,
    layoutFrom: `backup ${id} of ${group}, for which the host was looked at ${at}: it did not answer when this was printed`,
  };
}

async function newestMedia(
  context: CliContext,
  { at, host }: { at: RescueStore; host: Host },
): Promise<RescueBuild | null> {
  const genuine = await genuineSigners({ stateDir: context.stateDir });
  const entries = await readRescueMedia({ ...at, of: host.short });
  return entries.findLast((each) => isUsable(each, genuine))?.build ?? null;
}

async function pinnedOf(context: CliContext, { runbook, names }: { runbook: Runbook; names: string[] }) {
  const known = await KnownHosts.open({ stateDir: context.stateDir });
  return [...new Set(names)].flatMap((name) =>
    known
      .keysOf(hostRef({ runbook, host: name }))
      .map((key) => ({ of: `the host ${name} (${key.type})`, fingerprint: fingerprint(key) })),
  );
}
