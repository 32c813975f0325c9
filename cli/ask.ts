/** Questions at the terminal: a person answers, or leaves with Ctrl-C or Ctrl-D and is told how things stand. */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { CliError, EXIT } from './exit';

/** The person left instead of answering; exit code 130. */
export class LeftError extends CliError {
  constructor(message: string) {
    super(message, EXIT.cancelled);
    this.name = 'LeftError';
  }
}

/**
 * Asks for a line.
 * @param options.left what is so when the person leaves: what was left as it is, or how to come back
 * @throws LeftError on Ctrl-C, Ctrl-D and at the end of the input
 */
export async function ask({ question, left }: { question: string; left: string }): Promise<string> {
  return (await answerTo({ question, left, output: process.stderr })).trim();
}

/**
 * Asks for a secret without showing it.
 * @throws CliError without a terminal: a secret is never read from a pipe by accident
 * @throws LeftError as {@link ask}
 */
export async function askHidden(question: string): Promise<string> {
  if (!process.stdin.isTTY) throw new CliError('a password can only be asked on a terminal', EXIT.usage);
  const silent = new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
  const secret = await answerTo({ question, left: 'nothing was changed', output: silent, terminal: true });
  process.stderr.write('\n');
  return secret;
}

async function answerTo(options: {
  question: string;
  left: string;
  output: NodeJS.WritableStream;
  terminal?: boolean;
}): Promise<string> {
  const { question, left, output, terminal } = options;
  const lines = createInterface({ input: process.stdin, output, terminal });
  // Only now: a Ctrl-D that comes before the terminal is in raw mode would be lost.
  if (output !== process.stderr) process.stderr.write(question);
  const leaving = new AbortController();
  const leave = (): void => {
    leaving.abort();
  };
  // In raw mode Ctrl-C is a key; without it (stderr is a file) it is a signal. Ctrl-D, and an input that ends, close the interface.
  lines.once('SIGINT', leave).once('close', leave);
  process.once('SIGINT', leave);
  try {
    return await lines.question(question, { signal: leaving.signal });
  } catch (error) {
    if (!leaving.signal.aborted) throw error;
    throw new LeftError(`\n${left}`);
  } finally {
    process.removeListener('SIGINT', leave);
    lines.removeListener('close', leave);
    lines.close();
  }
}
