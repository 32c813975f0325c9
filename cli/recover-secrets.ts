/**
 * The passphrases of a machine's encrypted volumes. They go straight to the rescue system's memory: no run's history and no file of the
 * engine ever holds one.
 */
import { readFile } from 'node:fs/promises';
import { readLayout } from '../hosts/layouts';
import type { FleetHost, GroupSetup } from '../planning/run-input';
import { askHidden } from './ask';
import type { CliContext } from './context';
import { CliError, EXIT } from './exit';
import { printable } from './output';

interface SecretsOptions {
  setup: GroupSetup;
  /** The backup. */
  id: string;
  host: FleetHost;
  rescue: FleetHost;
  /** Of a volume, by its name or UUID, the file that holds its passphrase. */
  files: Readonly<Record<string, string>>;
}

/** Gives the rescue system a passphrase for each encrypted volume that is made anew. @throws CliError where one is not to be had, HostError */
export async function giveSecrets(context: CliContext, options: SecretsOptions): Promise<void> {
  const { setup, id, host, rescue, files } = options;
  const hosts = await context.hosts();
  const at = { hosts, storeHost: setup.storeHost, store: setup.store.name, group: setup.group.name };
  const { layout } = await readLayout({ ...at, id, host: host.short });
  const volumes = layout.luks.filter(({ header }) => header === null);
  const names = volumes.flatMap(({ name, uuid }) => [uuid, ...(name === null ? [] : [name])]);
  const stranger = Object.keys(files).find((each) => !names.includes(each));
  if (stranger !== undefined)
    throw new CliError(
      `--passphrase: ${host.name} has no encrypted volume "${stranger}"; it had ${words(names)}`,
      EXIT.usage,
    );
  for (const { name, uuid } of volumes) {
    const file = files[uuid] ?? (name === null ? undefined : files[name]);
    const secret = file === undefined ? await asked(name ?? uuid) : await fromFile(file);
    const passphrase = Buffer.from(secret).toString('base64');
    await hosts.call({ host: rescue, verb: 'luks.secret', step: 'passphrase', args: { uuid, passphrase } });
  }
}

async function fromFile(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new CliError(`--passphrase: can't read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  });
  // An editor's line end is no part of it.
  const secret = text.replace(/\r?\n$/, '');
  if (secret === '') throw new CliError(`--passphrase: ${file} is empty`, EXIT.usage);
  return secret;
}

/** Typed twice: nobody could open a volume under a passphrase with a slip in it. */
async function asked(volume: string): Promise<string> {
  const shown = printable(volume);
  if (!process.stdin.isTTY)
    throw new CliError(
      `the encrypted volume ${shown} gets a new key, and nobody is here to type its passphrase: --passphrase ${shown}=FILE`,
      EXIT.usage,
    );
  const secret = await askHidden(`passphrase that the encrypted volume ${shown} gets: `);
  if (secret === '') throw new CliError('an empty passphrase is none', EXIT.usage);
  if ((await askHidden('the same again: ')) !== secret) throw new CliError('the two are not the same', EXIT.usage);
  return secret;
}

function words(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.map(printable).join(', ');
}
