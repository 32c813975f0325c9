/**
 * mdadm.conf in a restored system: what names the members by the names of their disks would leave arrays out, or look on others. Arrays are
 * known by the UUID in their metadata, which comes back, so such names are not needed. Pure.
 */
import type { Layout } from './layout-schema';
import { deviceOf, translateDevice } from './recover-fix-devices';

interface Editing {
  text: string;
  layout: Layout;
  note: (what: string) => void;
  warn: (why: string) => void;
}

/** mdadm's own, where no line says it. */
const ALL = 'partitions containers';

/** Words and the blanks between them; comments and all else stay byte by byte. */
export function mdadmConf(editing: Editing): string {
  const { text, note } = editing;
  return statements(text)
    .map((lines) => {
      const keyword = /^\s*(\S+)/.exec(lines[0] ?? '')?.[1]?.toLowerCase() ?? '';
      // As mdadm takes them: by their first three letters.
      const is = (word: string) => keyword.length >= 3 && word.startsWith(keyword);
      if (is('device')) return devices({ ...editing, lines });
      if (is('array')) return array({ ...editing, lines });
      return lines.join('\n');
    })
    .join('\n');

  function devices({ lines, layout }: Editing & { lines: readonly string[] }): string {
    const gone: string[] = [];
    const kept = lines.flatMap((line, i) => {
      const [words, comment] = split(line);
      const after = words.replace(/(\s+)(\S+)/g, (all, _blank: string, word: string) => {
        if (!namesDisk({ name: word, layout })) return all;
        gone.push(word);
        return '';
      });
      return after.trim() === '' && comment === '' && i > 0 ? [] : [`${after}${comment}`];
    });
    if (gone.length === 0) return lines.join('\n');
    note(`${gone.join(', ')} is written as ${ALL}, as names of disks may have changed`);
    const [head = '', ...rest] = kept;
    return [head.replace(/^(\s*\S+)/, `$1 ${ALL}`), ...rest].join('\n');
  }

  function array({ lines, layout, warn }: Editing & { lines: readonly string[] }): string {
    const all = lines.map((line) => split(line)[0]).join(' ');
    const [, listed = ''] = /\sdevices=(\S+)/i.exec(all) ?? [];
    if (listed === '' || !listed.split(',').some((name) => namesDisk({ name, layout }))) return lines.join('\n');
    const uuid = uuidOf({ statement: all, listed, layout });
    if (uuid === undefined) {
      warn(
        `devices=${listed} names disks, and which array that is is not known: it stays as it is, and the array may not be put together: name its UUID there (mdadm --detail --scan), and make the initramfs anew`,
      );
      return lines.join('\n');
    }
    const has = /\suuid=/i.test(all);
    note(
      `devices=${listed} is left out${has ? '' : `, and UUID=${uuid} written in its place`}, as names of disks may have changed`,
    );
    return lines
      .map((line) => {
        const [words, comment] = split(line);
        return `${words.replace(/(\s+)devices=\S+/gi, has ? '' : `$1UUID=${uuid}`)}${comment}`;
      })
      .join('\n');
  }
}

/** Of that array: as it is written, by its own name, or by its members. */
function uuidOf({
  statement,
  listed,
  layout,
}: {
  statement: string;
  listed: string;
  layout: Layout;
}): string | undefined {
  const [, written] = /\suuid=(\S+)/i.exec(statement) ?? [];
  if (written !== undefined) return written;
  const [, name = ''] = /^\s*\S+\s+(\S+)/.exec(statement) ?? [];
  const named = layout.arrays.find(
    ({ id }) => id === deviceOf({ name: name.startsWith('/dev/') ? name : `/dev/${name}`, layout }),
  );
  const members = listed.split(',').map((each) => deviceOf({ name: each, layout }));
  const found =
    named ?? layout.arrays.find(({ slots }) => members.some((each) => each !== undefined && slots.includes(each)));
  return found?.uuid;
}

/** Is it, or may it be (`/dev/sd*`), a disk or a partition by a name that may mean another one now? */
function namesDisk({ name, layout }: { name: string; layout: Layout }): boolean {
  if (!name.startsWith('/dev/')) return false;
  if (/[*?[]/.test(name)) return !/^\/dev\/(?:md|mapper\/|disk\/by-(?:uuid|partuuid)\/)/.test(name);
  return translateDevice({ name, layout }) !== name && !deviceOf({ name, layout })?.startsWith('md:');
}

/** Lines that go on with a blank belong to the one before. */
function statements(text: string): string[][] {
  const all: string[][] = [];
  for (const line of text.split('\n')) {
    const last = all.at(-1);
    if (last !== undefined && /^[ \t]+\S/.test(line)) last.push(line);
    else all.push([line]);
  }
  return all;
}

/** What is said, and the comment behind it with the blanks before it. */
function split(line: string): [string, string] {
  const at = line.search(/(?:^|\s+)#/);
  return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at)];
}
