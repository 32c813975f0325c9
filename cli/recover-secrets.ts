/**
 * The passphrases of a machine's encrypted volumes. They go straight to the rescue system's memory: no run's history and no file of the
 * engine ever holds one.
 */
import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { readLayout } from '../hosts/layouts';
import { readSecret } from '../hosts/secret-source';
import type { Layout } from '../planning/layout-schema';
import { withHeaders, type LuksHeader } from '../planning/luks-headers';
import { withNewKeys } from '../planning/recover-luks';
import type { FleetHost, GroupSetup } from '../planning/run-input';
import type { PassphraseSource } from '../runbooks/types';
import { askHidden } from './ask';
import type { CliContext } from './context';
import { CliError, EXIT } from './exit';
import { printable } from './output';

interface SecretsOptions {
  setup: GroupSetup;
  /** The backup. */
  id: string;
  /** The headers that it holds. */
  headers: readonly LuksHeader[];
  host: FleetHost;
  rescue: FleetHost;
  /** Of a volume, by its name or UUID, the file that holds its passphrase. */
  files: Readonly<Record<string, string>>;
  /** Volumes that get a new key though their header is there. */
  newKeys: string[];
}

type Volume = Layout['luks'][number];

/** How long a program of the runbook may take; a person may have to unlock its store first. */
const COMMAND_MS = 120_000;

/** Gives the rescue system a passphrase for each encrypted volume. @throws CliError where one is not to be had, HostError */
export async function giveSecrets(context: CliContext, options: SecretsOptions): Promise<void> {
  const { setup, id, headers, host, rescue, files, newKeys } = options;
  const hosts = await context.hosts();
  const at = { hosts, storeHost: setup.storeHost, store: setup.store.name, group: setup.group.name };
  const { layout } = await readLayout({ ...at, id, host: host.short });
  const names = layout.luks.flatMap(({ name, uuid }) => [uuid, ...(name === null ? [] : [name])]);
  for (const [option, words] of [
    ['--passphrase', Object.keys(files)],
    ['--new-key', newKeys],
  ] as const) {
    const stranger = words.find((each) => !names.includes(each));
    if (stranger !== undefined)
      throw new CliError(
        `${option}: ${host.name} has no encrypted volume "${stranger}"; it had ${inWords(names)}`,
        EXIT.usage,
      );
  }
  const places = (setup.group.recover.passphrases ?? []).filter((each) => each.host === host.name);
  for (const volume of withNewKeys({ layout: withHeaders({ layout, headers }), newKeys }).luks) {
    const passphrase = (await passphraseOf({ volume, files, places })).toString('base64');
    await hosts.call({
      host: rescue,
      verb: 'luks.secret',
      step: 'passphrase',
      args: { uuid: volume.uuid, passphrase },
    });
  }
}

/** By the command's own word, else by the runbook's, else by the person's. */
async function passphraseOf(options: {
  volume: Volume;
  files: SecretsOptions['files'];
  places: readonly PassphraseSource[];
}): Promise<Buffer> {
  const { volume, files, places } = options;
  const file = files[volume.uuid] ?? (volume.name === null ? undefined : files[volume.name]);
  if (file !== undefined) return fromFile(file);
  const place = places.find((each) => each.volume === volume.uuid || each.volume === volume.name);
  return Buffer.from(place === undefined ? await asked(volume) : await fromRunbook(place));
}

/** A key file as it is: one that is no text ends with nothing that an editor has put there. */
async function fromFile(file: string): Promise<Buffer> {
  const bytes = await readFile(file).catch((error: unknown) => {
    throw new CliError(`--passphrase: can't read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  });
  const secret = isUtf8(bytes) ? Buffer.from(withoutEnd(bytes.toString('utf8'))) : bytes;
  if (secret.length === 0) throw new CliError(`--passphrase: ${file} is empty`, EXIT.usage);
  return secret;
}

/** It names the place alone: what lies there is nobody's business but the rescue system's. */
async function fromRunbook({ volume, secret }: PassphraseSource): Promise<string> {
  const at = `recover.passphrases of the runbook, volume ${printable(volume)}`;
  const next = `mend it, or give the passphrase by --passphrase ${printable(volume)}=FILE`;
  const text = await readSecret({ secret, timeoutMs: COMMAND_MS }).catch((error: unknown) => {
    throw new CliError(`${at}: ${error instanceof Error ? printable(error.message) : 'it can not be read'}; ${next}`);
  });
  // Read as text, a key that is none would be another, and a volume made with it one that nobody opens.
  if (text.includes('\uFFFD'))
    throw new CliError(`${at}: ${secret.from} ${printable(secret.value)} is no text; ${next}`);
  const passphrase = withoutEnd(text);
  if (passphrase === '') throw new CliError(`${at}: ${secret.from} ${printable(secret.value)} is empty; ${next}`);
  return passphrase;
}

/** An editor's or a program's line end is no part of it. */
function withoutEnd(text: string): string {
  return text.replace(/\r?\n$/, '');
}

/** A new one is typed twice: nobody could open a volume under a passphrase with a slip in it. A wrong old one opens nothing, and is seen. */
async function asked({ name, uuid, header }: Volume): Promise<string> {
  const shown = printable(name ?? uuid);
  const isNew = header === null;
  if (!process.stdin.isTTY)
    throw new CliError(
      `the encrypted volume ${shown} ${isNew ? 'gets a new key' : 'comes back with its keys'}, and nobody is here to type its passphrase: --passphrase ${shown}=FILE`,
      EXIT.usage,
    );
  const secret = await askHidden(
    isNew
      ? `passphrase that the encrypted volume ${shown} gets: `
      : `passphrase that opens the encrypted volume ${shown}: `,
  );
  if (secret === '') throw new CliError('an empty passphrase is none', EXIT.usage);
  if (isNew && (await askHidden('the same again: ')) !== secret)
    throw new CliError('the two are not the same', EXIT.usage);
  return secret;
}

function inWords(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.map(printable).join(', ');
}
