/** `resurgo rescue list | show`: the media that a store keeps; read from the store, with the engine down or gone. */
import type { Command } from '@commander-js/extra-typings';
import type { RescueEntry } from '../../hosts/rescue-media';
import { fingerprint, parsePublicKey } from '../../hosts/known-hosts';
import { counted } from '../../planning/counted';
import { BOOT_PACKAGES, startsNotBy } from '../../planning/rescue-firmware';
import type { RescueBuild } from '../../planning/rescue-media';
import { run } from '../context';
import type { CliContext } from '../context';
import { EXIT } from '../exit';
import { bytes, instant, printable, table } from '../output';
import type { Json, JsonObject } from '../output';
import { buildOf, groupOfHosts, hostNamed, mediaOf, notePinned, troubleOf } from '../rescue-media';

export function registerRescueList(rescue: Command): void {
  rescue
    .command('list')
    .argument('[host]', 'a host of the runbook; without, all of the group')
    .option('--group <group>', 'the protection group whose store keeps them')
    .description('the rescue media that a store keeps, and whether they are known to boot')
    .addHelpText(
      'after',
      '\nHost keys of media that this director takes as genuine are noted.\n\nExample:\n  $ resurgo rescue list web-1',
    )
    .action((host, options, command) => run(command, (context) => list(context, host, options.group)));
  rescue
    .command('show')
    .argument('<host>', 'a host of the runbook')
    .argument('[id]', 'a build, as `rescue list` shows it, or `latest`', 'latest')
    .option('--group <group>', 'the protection group whose store keeps them')
    .description('all that one build of rescue media says of itself')
    .addHelpText('after', '\nExample:\n  $ resurgo rescue show web-1')
    .action((host, id, options, command) =>
      run(command, async (context) => {
        const { build } = await buildOf(context, { name: host, id, group: options.group });
        context.out.result({ json: { build: jsonOf(build) }, text: buildText(build) });
        return EXIT.ok;
      }),
    );
}

async function list(context: CliContext, name: string | undefined, asked: string | undefined): Promise<number> {
  const { runbook } = context.runbook();
  const host = name === undefined ? undefined : hostNamed({ runbook, name });
  const group = name === undefined ? asked : groupOfHosts({ runbook, names: [name], group: asked });
  const media = await mediaOf(context, { group, host });
  await notePinned(context, media);
  const { entries, genuine, at } = media;
  const whom = host?.name ?? at.group;
  context.out.result({
    json: { group: at.group, media: entries.map((each) => entryJson(each, genuine)) },
    text:
      entries.length === 0
        ? `no rescue media of ${whom} yet; build some with: resurgo rescue build ${host?.name ?? '--all'}`
        : table([
            ['host', 'id', 'state', 'size', 'kernel', 'host key', ''],
            ...entries.map((each) => row(each, genuine)),
          ]),
  });
  return EXIT.ok;
}

function row(entry: RescueEntry, genuine: readonly string[]): string[] {
  const { host, id, build, usedBytes } = entry;
  const trouble = troubleOf(entry, genuine);
  const state = entry.problem === undefined ? (build?.verdict ?? '') : 'UNUSABLE';
  if (build === undefined) return [host, id, state, bytes(usedBytes), '', '', trouble ?? ''];
  const notes = [trouble, firmwareNote(build)].filter((each) => each !== undefined);
  const key = build.hostKey === null ? 'made at boot' : 'pinned: secret';
  return [host, id, state, bytes(usedBytes), build.kernel, key, notes.join('; ')];
}

/** What does not start it. */
export function firmwareNote(build: Pick<RescueBuild, 'secureBoot' | 'biosBoot' | 'uefiBoot'>): string | undefined {
  const not = startsNotBy(build);
  const notes = [not === undefined ? [] : [`no ${not}`], build.secureBoot || not === 'UEFI' ? [] : ['no Secure Boot']];
  return notes.flat().join(', ') || undefined;
}

function entryJson(entry: RescueEntry, genuine: readonly string[]): JsonObject {
  const { host, id, usedBytes, signedBy, build } = entry;
  return { host, id, usedBytes, signedBy, problem: troubleOf(entry, genuine), build: build && jsonOf(build) };
}

function jsonOf(build: RescueBuild): Json {
  return { ...build, files: build.files.map((each) => ({ ...each })), director: { ...build.director } };
}

/** A build in words; a store may be hostile, so nothing of it reaches the terminal raw (S29). */
export function buildText(build: RescueBuild): string {
  const { id, hostName, verdict, bootedAt, builtAt, kernel, modules, chosen, firmware, network, hostKey, files } =
    build;
  const not = startsNotBy(build);
  return [
    `rescue media ${id} of ${hostName}: ${verdict}`,
    `built ${instant(builtAt)}${bootedAt === null ? '; never started yet' : `; started and logged into ${instant(bootedAt)}`}`,
    `kernel ${kernel}, ${counted(modules, 'module')} (${chosen}), ${counted(firmware, 'firmware file')}, network ${network}`,
    ...(not === undefined
      ? []
      : [`does not start by ${not}: its host had no boot code for that (Debian: ${BOOT_PACKAGES[not]})`]),
    build.secureBoot
      ? 'boots with Secure Boot'
      : 'does not boot with Secure Boot: its boot loaders for UEFI are not signed',
    hostKey === null
      ? 'host key: made at each boot; the code on its console is to be confirmed'
      : `host key: ${fingerprint(parsePublicKey(hostKey))}, in the image: it is a secret`,
    `signed by the key ${build.director.publicKeyHex} (${build.director.id}), Resurgo ${build.version}`,
    ...table(files.map((each) => [each.name, bytes(each.bytes), each.sha256])).split('\n'),
  ]
    .map(printable)
    .join('\n');
}
