/** The workflow bundle: made once by the build, loaded by every worker. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Logger as TemporalLogger } from '@temporalio/common';
import { z } from 'zod';
import { EngineError } from './errors';

/** The folder that holds Resurgo's package.json. */
export function packageRoot(from: string = __dirname): string {
  const here = path.join(from, 'package.json');
  if (existsSync(here) || path.dirname(from) === from) return from;
  return packageRoot(path.dirname(from));
}

/** Resurgo's version, as in its package.json. */
export function packageVersion(): string {
  const file = path.join(packageRoot(), 'package.json');
  return z.object({ version: z.string() }).parse(JSON.parse(readFileSync(file, 'utf8'))).version;
}

/**
 * The path of the workflow bundle: `RESURGO_WORKFLOWS_BUNDLE`, else `dist/workflows-bundle.js`.
 * @throws EngineError `bundle-missing` when there is none
 */
export function workflowBundlePath(env: NodeJS.ProcessEnv = process.env): string {
  const set = env.RESURGO_WORKFLOWS_BUNDLE;
  const file = set !== undefined && set !== '' ? set : path.join(packageRoot(), 'dist', 'workflows-bundle.js');
  if (!existsSync(file)) {
    throw new EngineError({
      code: 'bundle-missing',
      step: 'loading the workflows',
      problem: `${file} is not there`,
      next: 'Run `npm run build` in the Resurgo checkout, or set RESURGO_WORKFLOWS_BUNDLE.',
    });
  }
  return file;
}

/** Bundles the workflows into one file, written whole or not at all. Takes 4 to 11 s. */
export async function buildWorkflowBundle({
  workflowsPath,
  outFile,
  logger,
}: {
  /** The module that exports all workflows. */
  workflowsPath: string;
  outFile: string;
  logger?: TemporalLogger;
}): Promise<void> {
  const { bundleWorkflowCode } = await import('@temporalio/worker');
  const { code } = await bundleWorkflowCode({ workflowsPath, logger });
  await mkdir(path.dirname(outFile), { recursive: true });
  const draft = `${outFile}.${process.pid}.new`;
  await writeFile(draft, code);
  await rename(draft, outFile);
}

/** What a worker was built from: the version, the bundle's content, and size and time of each compiled file. */
export function buildIdentity({ bundlePath, codeFolder }: { bundlePath: string; codeFolder: string }): string {
  const hash = createHash('sha256').update(packageVersion()).update(readFileSync(bundlePath));
  const files = readdirSync(codeFolder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.js'));
  for (const name of files.sort()) {
    const { size, mtimeMs } = statSync(path.join(codeFolder, name));
    hash.update(`${name} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex').slice(0, 16);
}
