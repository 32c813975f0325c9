/** The files of `group_vars` and `host_vars` beside an inventory, found by the rules of Ansible. */
import { lstatSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { RunbookError, valueAt } from '../issues';
import { readText } from '../load';
import { type NotCarried } from './inventory';

/** A file of `group_vars` or `host_vars`, with the group or host that it is of. */
export interface VariableFile {
  file: string;
  text: string;
  scope: 'group' | 'host';
  name: string;
}

const ENDING = /^(?:\.(?:ya?ml|json))?$/;

/**
 * The files of one folder: `all.yml`, `all`, and those of the folder `all` and of the folders in it count alike.
 *
 * @param report hears of everything there that can't be read, or that Ansible leaves aside
 */
export function variableFiles({
  folder,
  scope,
  report,
}: {
  folder: string;
  scope: 'group' | 'host';
  report: (entry: NotCarried) => void;
}): VariableFile[] {
  const refuse = (file: string, reason: string) => {
    report({ file, line: 1, text: '', reason: `${reason}: nothing of it is carried` });
  };
  /** What a look at a place gives; undefined, and reported, where it can't be had. */
  const attempt = <T>(place: string, look: () => T): T | undefined => {
    try {
      return look();
    } catch (error) {
      refuse(place, whyUnread(error));
      return undefined;
    }
  };
  const entries = (place: string) =>
    (attempt(place, () => readdirSync(place)) ?? [])
      .filter((entry) => !entry.startsWith('.') && !entry.endsWith('~'))
      .sort()
      .map((entry) => ({ entry, place: join(place, entry) }));
  const read = (file: string, name: string): VariableFile[] => {
    const text = attempt(file, () => readText({ file }));
    return text === undefined ? [] : [{ file, text, scope, name }];
  };
  const isFolder = (place: string) => attempt(place, () => statSync(place).isDirectory());
  const inFolder = (top: string, name: string, above: string[]): VariableFile[] => {
    const real = attempt(top, () => realpathSync(top));
    if (real === undefined) return [];
    if (above.includes(real)) {
      refuse(top, 'is a link to a folder that it lies in');
      return [];
    }
    return entries(top).flatMap(({ entry, place }) => {
      const folderThere = isFolder(place);
      if (folderThere === undefined) return [];
      const ending = extname(entry);
      if (folderThere && ending === '') return inFolder(place, name, [...above, real]);
      if (!folderThere && ENDING.test(ending)) return read(place, name);
      refuse(
        place,
        folderThere
          ? 'is a folder with a dot in its name, which Ansible does not read there'
          : 'is no file that Ansible reads there (.yml, .yaml, .json, or no ending)',
      );
      return [];
    });
  };
  if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) return [];
  return entries(folder).flatMap(({ entry, place }) => {
    const folderThere = isFolder(place);
    if (folderThere === undefined) return [];
    if (folderThere) return inFolder(place, entry, []);
    return read(place, ENDING.test(extname(entry)) ? entry.slice(0, entry.length - extname(entry).length) : entry);
  });
}

/** @throws what is no failure of a look at a file */
function whyUnread(error: unknown): string {
  if (error instanceof RunbookError) return error.issues.map(({ message }) => message).join('; ');
  const code = valueAt({ value: error, path: ['code'] });
  if (typeof code !== 'string') throw error;
  if (code === 'ENOENT') return 'is a link that leads nowhere';
  return `can't be read: ${code}`;
}
