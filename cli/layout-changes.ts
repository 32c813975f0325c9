/** What changed of a host's layout, as people read it: by area, each change with what it was before and is now. */
import { LAYOUT_AREAS, type LayoutChange } from '../planning/layout-diff';
import { printable } from './output';

/** So much of a value is shown: a kernel command line, a list of subvolumes. */
const MOST_CHARS = 200;

/** The lines of the changes; none for none. */
export function changeLines(changes: readonly LayoutChange[]): string[] {
  return LAYOUT_AREAS.flatMap((area) => {
    const own = changes.filter((each) => each.area === area);
    return own.length === 0 ? [] : [`${area}:`, ...own.map((each) => `  ${printable(inWords(each))}`)];
  });
}

function inWords({ area, change, what, field, before, after }: LayoutChange): string {
  const name = what.startsWith(`${area} `) ? what.slice(area.length + 1) : what;
  if (change !== 'changed') return `${change === 'added' ? '+' : '-'} ${name}`;
  // A sum says nothing to anybody.
  if (area === 'files') return `~ ${name}`;
  return `~ ${name}: ${field ?? ''} ${shown(before)} → ${shown(after)}`;
}

function shown(value: string | null): string {
  const text = value === null || value === '' ? '—' : value;
  return text.length > MOST_CHARS ? `${text.slice(0, MOST_CHARS)}…` : text;
}
