'use strict';

/** `npm run build`: compiles to dist/ and bundles the workflows once, so that no worker spends seconds on it at its start. */
const { spawnSync } = require('node:child_process');
const { existsSync } = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const dist = path.join(root, 'dist');

async function main() {
  const tsc = require.resolve('typescript/bin/tsc');
  const compiled = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
  if (compiled.status !== 0) throw new Error('the compiler found errors, see above');
  const workflowsPath = path.join(dist, 'workflows', 'index.js');
  if (!existsSync(workflowsPath)) {
    console.log('No workflows yet, so there is nothing to bundle.');
    return;
  }
  const { buildWorkflowBundle } = require(path.join(dist, 'workers', 'bundle.js'));
  const { DefaultLogger } = require('@temporalio/worker');
  const outFile = path.join(dist, 'workflows-bundle.js');
  await buildWorkflowBundle({ workflowsPath, outFile, logger: new DefaultLogger('WARN') });
}

main().catch((error) => {
  console.error(`build: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
