'use strict';
// Writes docs/layout.md from the descriptions in the layout's schema: node scripts/layout-reference.js

const { writeFileSync } = require('node:fs');
const { join } = require('node:path');
require('./typescript-in-place');
const { layoutReference } = require('./layout-reference.ts');

writeFileSync(join(__dirname, '..', 'docs', 'layout.md'), layoutReference());
