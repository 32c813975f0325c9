/** What is installed from the package must be able to do all that a clone can. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { z } from 'zod';

const ROOT = path.resolve(__dirname, '../..');
const packed = z.array(z.object({ files: z.array(z.object({ path: z.string() })) })).length(1);

test("the package holds the hostkit, the enrolment's scripts and the examples", () => {
  const ran = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: ROOT, encoding: 'utf8' });
  const files = packed.parse(JSON.parse(ran.stdout)).flatMap((each) => each.files.map((file) => file.path));
  const folder = (name: string, ending: string): string[] =>
    readdirSync(path.join(ROOT, name)).flatMap((file) => (file.endsWith(ending) ? [`${name}/${file}`] : []));
  expect(files).toEqual(
    expect.arrayContaining([
      'bin/resurgo.js',
      'hostkit/hostkit',
      'deploy/docker-compose.yml',
      ...folder('hostkit/verbs', '.sh'),
      ...folder('hosts/enroll', '.sh'),
      ...folder('runbooks/examples', '.yaml'),
    ]),
  );
  expect(folder('hosts/enroll', '.sh').length).toBeGreaterThan(0);
}, 60_000);

test('whatever the program loads is a dependency, not one of development', () => {
  const { dependencies } = z
    .object({ dependencies: z.record(z.string(), z.string()) })
    .parse(JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')));
  const wanted = new Set<string>();
  for (const room of ['activities', 'cli', 'hosts', 'planning', 'runbooks', 'workers', 'workflows']) {
    for (const file of readdirSync(path.join(ROOT, room), { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts')) continue;
      const text = readFileSync(path.join(ROOT, room, file), 'utf8');
      for (const [, name = ''] of text.matchAll(/^import (?!type )[^;]*? from '([^.'][^']*)';/gm))
        if (!isBuiltin(name)) wanted.add(name.split('/', name.startsWith('@') ? 2 : 1).join('/'));
    }
  }
  expect(wanted.size).toBeGreaterThan(5);
  expect([...wanted].filter((name) => !(name in dependencies))).toEqual([]);
});
