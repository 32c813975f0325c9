/** `resurgo list`: reads the store itself, with the engine down or gone. */
import type { Command } from '@commander-js/extra-typings';
import { genuineSigners } from '../../hosts/adopted-signers';
import { isGenuine, isWhole, newestWhole, readBackups, unknownKey } from '../../hosts/backups';
import type { StoreEntry } from '../../hosts/backups';
import { counted } from '../../planning/counted';
import { notRecoverable, notRecoverableText } from '../../planning/recoverable';
import { run } from '../context';
import type { CliContext } from '../context';
import { CliError, EXIT } from '../exit';
import { bytes, printable, table } from '../output';
import type { Json, JsonObject } from '../output';

export function registerList(program: Command): void {
  program
    .command('list')
    .argument('[group]', 'the protection group')
    .description('the backups of a group, as its store shows them')
    .addHelpText('after', '\nExample:\n  $ resurgo list portal')
    .action((group, _options, command) => run(command, (context) => list(context, group)));
}

async function list(context: CliContext, group?: string): Promise<number> {
  const { entries, incomplete, name, genuine } = await entriesOf(context, group);
  const rows = entries.map((each) => [
    each.id,
    each.problem === undefined ? (each.manifest?.state ?? '') : 'UNUSABLE',
    ...figures(each, genuine),
  ]);
  const text = [
    rows.length === 0
      ? `no backup of ${name} yet; make one with: resurgo backup ${name}`
      : table([['id', 'state', 'label', 'sources', 'size', ''], ...rows]),
    ...(incomplete === null ? [] : [`run ${incomplete} is writing, or died while it was; what it wrote is no backup`]),
  ].join('\n');
  context.out.result({ json: { group: name, incomplete, backups: entries.map(entryJson) }, text });
  return EXIT.ok;
}

/** The store's entries of one group, and `pick`: the one of them that an id or `latest` names. */
export async function entriesOf(context: CliContext, asked?: string) {
  const { setup } = await context.group(asked);
  const hosts = await context.hosts();
  const group = setup.group.name;
  const { backups, incomplete } = await readBackups({
    hosts,
    storeHost: setup.storeHost,
    store: setup.store.name,
    group,
  });
  const genuine = await genuineSigners({ stateDir: context.stateDir });
  const pick = (id: string): StoreEntry => {
    if (id !== 'latest')
      return backups.find((each) => each.id === id) ?? notThere({ backups, group, why: `no backup ${id}` });
    const found = newestWhole(backups.filter((each) => isGenuine(each, genuine)));
    // What a restore would refuse is no answer to "the newest" (S19).
    const foreign = backups.filter((each) => isWhole(each) && !isGenuine(each, genuine) && each.id > (found?.id ?? ''));
    const passed = foreign.map((each) => `${each.id} (${unknownKey(each.signedBy ?? '')})`).join(', ');
    if (passed !== '') context.out.warn(`\`latest\` passes over ${passed}: see \`resurgo adopt ${group}\``);
    const broken = backups.filter((each) => each.problem !== undefined && each.id > (found?.id ?? ''));
    const lost = broken.map((each) => `${each.id} (${each.problem ?? ''})`).join(', ');
    if (lost !== '')
      context.out.warn(
        printable(`\`latest\` passes over ${lost}: what is newer can't be used, see \`resurgo list ${group}\``),
      );
    return (
      found ?? notThere({ backups, group, why: 'no whole backup' + (passed === '' ? '' : ' signed by a known key') })
    );
  };
  return { entries: backups, incomplete, name: group, setup, hosts, genuine, pick };
}

function notThere({ backups, group, why }: { backups: readonly StoreEntry[]; group: string; why: string }): never {
  const known = backups
    .map((each) => each.id)
    .slice(-5)
    .join(', ');
  throw new CliError(
    `${group} has ${why}${known === '' ? '' : `; the newest are ${known}`}. See \`resurgo list ${group}\``,
    EXIT.failed,
  );
}

function figures({ manifest, problem, holds, signedBy }: StoreEntry, genuine: readonly string[]): string[] {
  if (manifest === undefined) return ['', '', '', problem ?? ''];
  const ok = manifest.sources.flatMap((each) => (each.state === 'ok' ? [each] : []));
  const size = bytes(ok.reduce((sum, each) => sum + each.bytes, 0));
  const notes = [
    problem,
    signedBy !== undefined && !genuine.includes(signedBy) ? `${unknownKey(signedBy)}, see resurgo adopt` : undefined,
    manifest.state === 'Partial' ? `${counted(manifest.sources.length - ok.length, 'source')} missing` : undefined,
    ...notRecoverable(manifest).map(notRecoverableText),
    holds.length > 0 ? `held: ${holds.join(', ')}` : undefined,
  ];
  return [
    manifest.label,
    `${ok.length}/${manifest.sources.length}`,
    size,
    notes.filter((each) => each !== undefined).join('; '),
  ];
}

/** One backup of a store for `--json`. */
export function entryJson({ id, manifest, problem, signedBy, usedBytes, holds }: StoreEntry): JsonObject {
  return {
    id,
    problem,
    signedBy,
    usedBytes,
    holds,
    manifest: manifest === undefined ? undefined : (JSON.parse(JSON.stringify(manifest)) as Json),
  };
}
