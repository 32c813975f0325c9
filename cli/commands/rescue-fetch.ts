/** `resurgo rescue fetch`: one build's image from the store onto the director, compared with the sum that was signed. */
import { access } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { Option, type Command } from '@commander-js/extra-typings';
import { isMissing, writeAtomic } from '../../hosts/files';
import { fetchRescueFile } from '../../hosts/rescue-media';
import { canonicalJson } from '../../planning/canonical';
import { filesOf, type RescueBuild, type RescueFileEntry } from '../../planning/rescue-media';
import { RESCUE_OUTPUTS } from '../../runbooks/types';
import { run } from '../context';
import type { CliContext } from '../context';
import { CliError, EXIT } from '../exit';
import { LiveLines } from '../live-lines';
import { bytes } from '../output';
import { buildOf, notePinned, type Media } from '../rescue-media';

/** What is said with every image that holds the host key (S30). */
export const SECRET = 'It holds the host key of the rescue system: keep it as a secret, and away from others.';

interface Options {
  group?: string;
  output: (typeof RESCUE_OUTPUTS)[number];
  to: string;
  force?: true;
}

export function registerRescueFetch(rescue: Command): void {
  rescue
    .command('fetch')
    .argument('<host>', 'a host of the runbook')
    .argument('[id]', 'a build, as `rescue list` shows it, or `latest`', 'latest')
    .addOption(new Option('--output <kind>', 'the kind of medium').choices(RESCUE_OUTPUTS).default('iso' as const))
    .requiredOption('--to <file>', 'where it is written; of `pxe`, whose files are several, a folder that is there')
    .option('--group <group>', 'the protection group whose store keeps them')
    .option('--force', 'replace what is there')
    .description('copy rescue media from the store to this machine')
    .addHelpText(
      'after',
      '\nThe file is 0600, and gets its name when all of it is there and its sum is the signed one.\n\nExample:\n  $ resurgo rescue fetch web-1 --to web-1.iso',
    )
    .action((host, id, options, command) => run(command, (context) => fetch(context, { name: host, id, ...options })));
}

async function fetch(context: CliContext, asked: Options & { name: string; id: string }): Promise<number> {
  const { out } = context;
  const media = await buildOf(context, asked);
  await notePinned(context, media);
  const { build } = media;
  const files = chosen({ build, output: asked.output });
  const copies = files.map((file) => ({
    file,
    to: resolve(asked.output === 'pxe' ? `${asked.to}/${file.name}` : asked.to),
  }));
  // What `netboot` asks of the two is in it. It comes last: when it is there, so are they.
  const said = asked.output === 'pxe' ? resolve(`${asked.to}/build.json`) : undefined;
  const written = [...copies.map(({ to }) => to), ...(said === undefined ? [] : [said])];
  for (const to of written) {
    if (asked.force !== true && (await isThere(to)))
      throw new CliError(`${to} is there already; nothing was written. --force replaces it`, EXIT.usage);
  }
  for (const { file, to } of copies) await fetchShown(context, { media, build, file, to });
  if (said !== undefined) await writeAtomic({ file: said, text: canonicalJson(build), mode: 0o600 });
  const secret = files.some(({ pinned }) => pinned);
  out.result({
    json: { host: build.hostName, id: build.id, verdict: build.verdict, secret, files: written },
    text: [
      `${written.join(', ')}: rescue media ${build.id} of ${build.hostName} (${build.verdict})`,
      ...(secret ? [SECRET] : []),
    ].join('\n'),
  });
  return EXIT.ok;
}

/** The files of a kind of medium. @throws CliError where the build has none */
export function chosen(of: { build: RescueBuild; output: Options['output'] }): RescueFileEntry[] {
  const files = filesOf(of);
  if (files.length > 0) return files;
  const { build, output } = of;
  throw new CliError(
    `rescue media ${build.id} of ${build.hostName} have no ${output}: build them with \`resurgo rescue build ${build.hostName} --output ${output}\``,
  );
}

/** Fetches one file, with a line that says how far it is. */
export async function fetchShown(
  context: CliContext,
  { media, build, file, to }: { media: Media; build: RescueBuild; file: RescueFileEntry; to: string },
): Promise<void> {
  const lines = new LiveLines(context.out);
  const onBytes = (done: number) => {
    lines.show([`fetching  ${basename(to)}  ${bytes(done)} of ${bytes(file.bytes)}`]);
  };
  try {
    await fetchRescueFile({ ...media.at, build, file, to, onBytes });
  } finally {
    lines.end();
  }
}

async function isThere(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
