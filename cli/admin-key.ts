/** The administrator's own ssh key, from a file. One with a passphrase is opened here, where somebody can be asked for it. */
import { readFile } from 'node:fs/promises';
import { utils } from 'ssh2';
import { askHidden } from './ask';
import { CliError, EXIT } from './exit';
import { printable } from './output';

/** As often as ssh itself asks. */
const TRIES = 3;

interface Options {
  file: string;
  /** Asks without showing the answer. @default at the terminal */
  ask?: (question: string) => Promise<string>;
  /** Whether there is somebody to ask. @default whether the input is a terminal */
  attended?: boolean;
}

/** @throws CliError when the file is no key, or its passphrase is not to be had */
export async function readAdminKey(options: Options): Promise<{ privateKey: string; passphrase?: string }> {
  const { file, ask = askHidden, attended = process.stdin.isTTY } = options;
  const privateKey = await readFile(file, 'utf8').catch((error: unknown) => {
    throw refused(`can't read the key ${file}: ${error instanceof Error ? error.message : String(error)}`);
  });
  const problem = problemOf({ privateKey });
  if (problem === undefined) return { privateKey };
  if (!/no passphrase given/.test(problem)) throw refused(`${file} is no private key that can be used: ${problem}`);
  if (!attended)
    throw refused(
      `the key ${file} has a passphrase, and nobody is here to type it: load it into ssh-agent (\`ssh-add ${file}\`) and leave --key out, or run this in a terminal`,
    );
  for (let tries = 0; tries < TRIES; tries += 1) {
    const passphrase = await ask(`passphrase of ${printable(file)}: `);
    if (passphrase !== '' && problemOf({ privateKey, passphrase }) === undefined) return { privateKey, passphrase };
  }
  throw refused(`this is not the passphrase of ${file}; \`ssh-add ${file}\` tells whether you have the right one`);
}

/** Why ssh could not use the key, or undefined when it can. */
function problemOf({ privateKey, passphrase }: { privateKey: string; passphrase?: string }): string | undefined {
  const parsed = utils.parseKey(privateKey, passphrase);
  return parsed instanceof Error ? parsed.message : undefined;
}

function refused(message: string): CliError {
  return new CliError(message, EXIT.usage);
}
