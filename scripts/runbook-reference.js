'use strict';
// Writes docs/runbook.md from the descriptions in the runbook's schema: node scripts/runbook-reference.js

const { writeFileSync } = require('node:fs');
const { join } = require('node:path');
require('./typescript-in-place');
const { runbookReference } = require('../runbooks/reference.ts');

writeFileSync(join(__dirname, '..', 'docs', 'runbook.md'), runbookReference());
