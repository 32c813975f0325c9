/** `adopt --target`: on a new machine with nothing but the target's address, the runbook is taken from what lies in the backups. */
import { writeFile } from 'node:fs/promises';
import { readRunbooks, type FoundRunbook } from '../hosts/enroll/found-runbooks';
import { ensureDirectorKeys } from '../hosts/director-keys';
import { hasCode } from '../hosts/files';
import type { HostRef } from '../hosts/hosts';
import { parseRunbook } from '../runbooks/load';
import { prepareState } from '../workers/paths';
import { loginOf, textOf } from './admin-login';
import type { AdminOptions } from './admin-login';
import { ask } from './ask';
import type { CliContext } from './context';
import { CliError, EXIT } from './exit';
import { printable } from './output';

export interface TargetOptions extends AdminOptions {
  target?: string;
  fingerprint?: string;
}

/** Writes the runbook of the newest backup, makes this director's keys, and says what comes next. @throws CliError, HostError */
export async function adoptTarget(
  context: CliContext,
  { group, ...options }: TargetOptions & { target: string; group: string | undefined },
): Promise<number> {
  const { stateDir, out } = context;
  const target = placeOf(options.target);
  prepareState(stateDir);
  await ensureDirectorKeys({ stateDir });
  const { found, problems } = await readRunbooks({
    ...{ stateDir, target, admin: await loginOf(options) },
    acceptHostKey: options.fingerprint,
    adminKnownHosts: await textOf(options.knownHosts),
    confirm: process.stdin.isTTY && !out.json ? confirmKey : undefined,
  });
  for (const problem of problems) out.warn(printable(problem));
  const newest = newestOf({ found, group });
  const file = context.runbookFile();
  await write({ file, text: newest.text });
  const { stores } = parseRunbook({ text: newest.text, file });
  const name = stores[newest.store]?.host;
  const next = [...(name === undefined ? [] : [`resurgo enroll ${name} --take-over`]), `resurgo adopt ${newest.group}`];
  out.result({
    json: { runbook: file, group: newest.group, id: newest.id, next },
    text: [
      `${file} is the runbook of backup ${newest.id} of ${newest.group}. Nobody has signed it: read it, above all addresses, hooks and whatever else names a program, before you go by it`,
      `then: ${next.join('; ')}`,
    ].join('\n'),
  });
  return EXIT.ok;
}

/** A target is configured by one runbook, so all of its groups lie in it. @throws CliError where there is none */
function newestOf({ found, group }: { found: readonly FoundRunbook[]; group: string | undefined }): FoundRunbook {
  const wanted = found.filter((each) => group === undefined || each.group === group);
  const [newest] = [...wanted].sort((one, other) => (one.id < other.id ? 1 : -1));
  if (newest === undefined)
    throw new CliError(
      group === undefined
        ? 'no backup there holds a runbook'
        : `no backup of ${printable(group)} there holds a runbook`,
    );
  return newest;
}

/** A runbook that is there is the better one: it is never replaced. */
async function write({ file, text }: { file: string; text: string }): Promise<void> {
  await writeFile(file, text, { flag: 'wx', mode: 0o600 }).catch((error: unknown) => {
    if (hasCode(error, 'EEXIST'))
      throw new CliError(
        `${file} is there already, and is not replaced: go by it (resurgo enroll TARGET --take-over; resurgo adopt GROUP), or name another file with --runbook`,
        EXIT.usage,
      );
    throw error;
  });
}

function placeOf(text: string): HostRef {
  const [, user = 'root', address = '', port = '22'] =
    /^(?:([a-z_][a-z0-9_.-]{0,31})@)?([A-Za-z0-9][A-Za-z0-9.-]{0,254}|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?$/i.exec(
      text,
    ) ?? [];
  if (address === '') throw new CliError(`--target: "${text}" is no address: write [USER@]ADDRESS[:PORT]`, EXIT.usage);
  const bare = address.replace(/^\[|\]$/g, '');
  return { name: bare, address: bare, port: Number(port), user };
}

async function confirmKey({ host, fingerprint }: { host: HostRef; fingerprint: string }): Promise<boolean> {
  const question = `${host.address} shows the ssh host key ${fingerprint}. Is that the target's key? [yes/no] `;
  return (await ask({ question, left: 'nothing was written' })) === 'yes';
}
