/** The administrator's own access, for what the director's key must not be able to do; it is asked for and never stored. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import type { AdminLogin } from '../hosts/enroll/admin';
import { isMissing } from '../hosts/files';
import { readAdminKey } from './admin-key';
import { askHidden } from './ask';
import { CliError, EXIT } from './exit';

export interface AdminOptions {
  key?: string;
  askPassword?: true;
  askSudo?: true;
  knownHosts: string;
}

export const KEY_HELP = "the administrator's private key; without it the ssh agent is used";
export const KNOWN_HOSTS = path.join(homedir(), '.ssh', 'known_hosts');

/** @throws CliError where there is no way to log in */
export async function loginOf(options: AdminOptions): Promise<AdminLogin> {
  const sudoPassword = options.askSudo === true ? await askHidden('sudo password: ') : undefined;
  if (options.askPassword === true) return { login: { password: await askHidden('ssh password: ') }, sudoPassword };
  if (options.key !== undefined) return { login: await readAdminKey({ file: options.key }), sudoPassword };
  const agent = process.env.SSH_AUTH_SOCK;
  if (agent === undefined || agent === '')
    throw new CliError('no ssh agent runs here: name your key with --key FILE, or use --ask-password', EXIT.usage);
  return { login: { agent }, sudoPassword };
}

/** The administrator's known_hosts; one that isn't there vouches for nobody. */
export async function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return '';
    throw error;
  });
}
