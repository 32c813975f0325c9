/** Names that backups use: a host without its deployment's prefix, and the folder of a source inside a backup. */

/** A host's name without the deployment's prefix: `prod-app-1` of deployment `prod` is `app-1`. */
export function shortName({ host, deployment }: { host: string; deployment: string | null }): string {
  const prefix = `${deployment ?? ''}-`;
  return deployment !== null && host.startsWith(prefix) && host.length > prefix.length
    ? host.slice(prefix.length)
    : host;
}

/**
 * The folder of a source in a backup: `app-1` and `/srv/data` give `app-1@+srv+data`. Each `/` becomes `+`; a byte (UTF-8) that
 * is `+`, `%` or outside `A-Za-z0-9._-` becomes `%XX`, so two different sources never share a folder (S16).
 *
 * @param host a short host name, of `A-Za-z0-9._-`
 * @param path absolute and normal: `/` alone, or no slash at its end
 */
export function treeName({ host, path }: { host: string; path: string }): string {
  const escaped = path
    .split('/')
    .map((part) => [...Buffer.from(part, 'utf8')].map(escapeByte).join(''))
    .join('+');
  return `${host}@${escaped}`;
}

/** A source's name where the runbook gives none: the last part of its path with other characters as `-`, or `root` for `/`. */
export function defaultSourceName({ path }: { path: string }): string {
  const last = path.split('/').filter(Boolean).at(-1) ?? 'root';
  const clean = last.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '');
  return clean.slice(0, 64) || 'data';
}

function escapeByte(byte: number): string {
  const char = String.fromCharCode(byte);
  return /[A-Za-z0-9._-]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}
