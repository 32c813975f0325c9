'use strict';
// Writes docs/runbook.md from the descriptions in the runbook's schema: node scripts/runbook-reference.js

const { readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { transformSync } = require('@swc/core');

// The schema is TypeScript; the compiler that the tests use reads it in place, so no build is needed first.
require.extensions['.ts'] = (module, filename) => {
  const { code } = transformSync(readFileSync(filename, 'utf8'), {
    filename,
    jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
    module: { type: 'commonjs' },
  });
  module._compile(code, filename);
};

const { runbookReference } = require('../runbooks/reference.ts');

writeFileSync(join(__dirname, '..', 'docs', 'runbook.md'), runbookReference());
