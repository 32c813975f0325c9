/** Asks for a secret on the terminal without showing it. */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { CliError, EXIT } from './exit';

/** @throws CliError without a terminal: a secret is never read from a pipe by accident */
export async function askHidden(question: string): Promise<string> {
  if (!process.stdin.isTTY) throw new CliError('a password can only be asked on a terminal', EXIT.usage);
  process.stderr.write(question);
  const silent = new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
  const ask = createInterface({ input: process.stdin, output: silent, terminal: true });
  const secret = await ask.question('');
  ask.close();
  process.stderr.write('\n');
  return secret;
}
