/** Machines to read layouts of: what their hostkits told, in files of their own (`layout/README.md` has the form and where they are from). */
import fs from 'node:fs';
import path from 'node:path';
import { factsSchema, type Facts } from '../../planning/layout-facts';
import { readLayout } from '../../planning/layout-read';
import { layoutSchema, type Layout } from '../../planning/layout-schema';

const FOLDER = path.join(__dirname, 'layout');
const CAPTURED = new Date('2026-11-29T05:00:00.000Z');

export const MACHINES = fs
  .readdirSync(FOLDER)
  .filter((name) => name.endsWith('.facts'))
  .map((name) => name.replace(/\.facts$/, ''));

/** The facts of a machine: `=== NAME [exit N]`, what was printed, and behind `--- err` what was complained of. */
export function machine(name: string): Facts {
  const text = fs.readFileSync(path.join(FOLDER, `${name}.facts`), 'utf8');
  const facts: Record<string, unknown> = {};
  for (const part of text.split(/^=== /m).slice(1)) {
    const [head = '', ...lines] = part.split('\n');
    const [, subject = '', exit = '0'] = /^(.*?)(?: exit (\d+))?$/.exec(head) ?? [];
    const [out = '', err = ''] = lines.join('\n').split(/^--- err\n/m);
    facts[subject] = { exit: Number(exit), out, err };
  }
  return factsSchema.parse(facts);
}

/** The layout of facts, which must be one whatever they are. */
export function layoutOf(facts: Facts): Layout {
  return layoutSchema.parse(readLayout({ facts, host: 'web-1', capturedAt: CAPTURED }));
}

/** The same facts with some changed: a text in place of what a tool printed, a fact in place of all, or undefined for none. */
export function altered(facts: Facts, changes: Record<string, string | Partial<Facts[string]> | undefined>): Facts {
  const kept = Object.entries(facts).filter(([name]) => !(name in changes));
  const changed = Object.entries(changes).flatMap(([name, change]) => {
    if (change === undefined) return [];
    const over = typeof change === 'string' ? { exit: 0, out: change } : change;
    return [[name, { exit: 0, out: '', err: '', ...(typeof change === 'string' ? {} : facts[name]), ...over }]];
  });
  return factsSchema.parse(Object.fromEntries([...kept, ...changed]));
}

/** The layout of a machine as it was agreed on. `RESURGO_GOLDEN=write` writes it anew: read the diff before it is committed. */
export function golden(name: string): Layout {
  const file = path.join(FOLDER, `${name}.layout.json`);
  if (process.env.RESURGO_GOLDEN === 'write')
    fs.writeFileSync(file, `${JSON.stringify(layoutOf(machine(name)), null, 2)}\n`);
  return layoutSchema.parse(JSON.parse(fs.readFileSync(file, 'utf8')));
}
