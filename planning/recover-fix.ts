/** What must be changed in the files of a restored system before it can boot where it is now. Pure: texts in, texts out. */
import type { Layout } from './layout-schema';
import { translateDevice } from './recover-fix-devices';
import { mdadmConf } from './recover-fix-md';
import { networkEdits, pairCards } from './recover-fix-network';
import type { CardPair, FoundCard } from './recover-fix-network';
import { list } from './recover-words';

/** One file of the restored system. `before` is null for a file that is new; a file that holds something else by now is not written. */
export interface ConfigEdit {
  path: string;
  before: string | null;
  after: string;
  /** For people, as a sentence's end. */
  why: string;
}

export interface Fixes {
  edits: ConfigEdit[];
  cards: CardPair[];
  warnings: string[];
}

/** The edits of one recovery; files that need none are left alone. Each path comes once. */
export function planFixes({ layout, cards }: { layout: Layout; cards: readonly FoundCard[] }): Fixes {
  const warnings: string[] = [];
  const edits = layout.configs.flatMap(({ path, text }) => {
    const kind = kindOf(path);
    if (kind === undefined) return [];
    const said: string[] = [];
    const after = EDITORS[kind]({
      text,
      layout,
      note: (note) => said.push(note),
      warn: (why) => warnings.push(`${path}: ${why}`),
    });
    return after === text ? [] : [{ path, before: text, after, why: said.join('; ') }];
  });
  const network = pairCards({ layout, found: cards });
  const all = [...edits, ...networkEdits({ layout, pairs: network.pairs })];
  return {
    edits: all.filter(isWhole),
    cards: network.pairs,
    warnings: [
      ...warnings,
      ...all.filter((edit) => !isWhole(edit)).map(leftOut),
      ...offsetWarnings(layout),
      ...network.warnings,
    ],
  };
}

/** Lines that may hold a secret are not in a layout (hostkit/lib/layout-configs.sh): what is made of the others is not that file. */
function isWhole({ before }: ConfigEdit): boolean {
  return before === null || !/LEFT-OUT|# left out by Resurgo/.test(before);
}

function leftOut({ path, why }: ConfigEdit): string {
  return `${path} holds what may be a secret, which the layout leaves out, and was not changed (${why}): change it by hand`;
}

/** A swap file lies elsewhere after a recovery, and where is known only once it is made. */
function offsetWarnings({ configs }: Layout): string[] {
  const at = configs.flatMap(({ path, text }) => {
    const offset = /^[^#\n]*?\b(resume_offset=\d+)/m.exec(text)?.[1];
    return offset === undefined ? [] : [`${path} (${offset})`];
  });
  if (at.length === 0) return [];
  return [
    `the kernel's command line says where the swap file for hibernation lay on the old disk, and it lies elsewhere now: in ${list(at)} write the first physical offset that \`filefrag -v FILE\` shows (on btrfs what \`btrfs inspect-internal map-swapfile -r FILE\` says), then make the boot loader's configuration and the initramfs anew. Until then do not hibernate: what was in memory would be lost`,
  ];
}

interface Editing {
  text: string;
  layout: Layout;
  note: (what: string) => void;
  warn: (why: string) => void;
}
type Kind = 'fstab' | 'crypttab' | 'mdadm' | 'command-line' | 'resume';

const EDITORS: Record<Kind, (editing: Editing) => string> = {
  fstab: (editing) => byField({ ...editing, field: 0 }),
  crypttab: (editing) => byField({ ...editing, field: 1 }),
  mdadm: mdadmConf,
  'command-line': commandLine,
  resume: (editing) => assignment({ ...editing, key: 'RESUME' }),
};

function kindOf(path: string): Kind | undefined {
  if (path === '/etc/fstab') return 'fstab';
  if (path === '/etc/crypttab') return 'crypttab';
  if (path === '/etc/mdadm/mdadm.conf' || path === '/etc/mdadm.conf') return 'mdadm';
  if (path === '/etc/initramfs-tools/conf.d/resume') return 'resume';
  // Debian's and SUSE's GRUB; kernel-install; entries of the boot loader specification.
  if (/^\/etc\/default\/grub(?:\.d\/.*\.cfg)?$/.test(path) || path === '/etc/kernel/cmdline') return 'command-line';
  return /^\/(?:boot|efi|boot\/efi)\/loader\/entries\/.*\.conf$/.test(path) ? 'command-line' : undefined;
}

/** One field of each line that is no comment; all else stays byte by byte. */
function byField({ text, layout, note, warn, field }: Editing & { field: number }): string {
  return lines(text, (line) => {
    if (/^\s*(?:#|$)/.test(line)) return line;
    const parts = line.split(/(\s+)/);
    const at = (parts[0] === '' ? 2 : 0) + field * 2;
    const name = parts[at];
    if (name === undefined) return line;
    parts[at] = named({ name, layout, note, warn });
    return parts.join('');
  });
}

/** `root=` and `resume=` wherever a kernel's command line is written. */
function commandLine({ text, layout, note, warn }: Editing): string {
  return lines(text, (line) =>
    /^\s*#/.test(line)
      ? line
      : line.replace(
          /(^|[\s"'=])((?:root|resume|cryptdevice)=)(\/dev\/[^\s"':]+)/g,
          (_, lead: string, key: string, name: string) => `${lead}${key}${named({ name, layout, note, warn })}`,
        ),
  );
}

function assignment({ text, layout, note, warn, key }: Editing & { key: string }): string {
  return lines(text, (line) => {
    const [, head, name] = new RegExp(`^(\\s*${key}=["']?)(/dev/[^"'\\s]+)`).exec(line) ?? [];
    if (head === undefined || name === undefined) return line;
    return line.replace(`${head}${name}`, `${head}${named({ name, layout, note, warn })}`);
  });
}

function named({ name, layout, note, warn }: Omit<Editing, 'text'> & { name: string }): string {
  const to = translateDevice({ name, layout });
  if (typeof to !== 'string') {
    warn(`${to.problem}: it stays as it is, and may mean another device now`);
    return name;
  }
  if (to !== name) note(`${name} is written as ${to}, as names of disks may have changed`);
  return to;
}

/** Each line changed by itself, with its own line end kept. */
function lines(text: string, change: (line: string) => string): string {
  return text
    .split('\n')
    .map((line) => (line.endsWith('\r') ? `${change(line.slice(0, -1))}\r` : change(line)))
    .join('\n');
}
