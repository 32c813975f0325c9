import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { layoutReference } from '../../scripts/layout-reference';

it('docs/layout.md is what the schema says (else: node scripts/layout-reference.js)', () => {
  const page = layoutReference();
  expect(readFileSync(join(__dirname, '..', '..', 'docs', 'layout.md'), 'utf8')).toBe(page);
  // Each form of what has several is there.
  for (const title of [
    'tables[] (gpt)',
    'volumes[].segments[] (thin-pool)',
    'fileSystems[].make (btrfs)',
    'network.interfaces[].bond',
  ])
    expect(page).toContain(`## \`${title}\``);
});
