#!/usr/bin/env node
'use strict';

/** The command `resurgo`: starts the compiled command line, or says how to compile it. */
const { existsSync } = require('node:fs');
const path = require('node:path');

const compiled = path.join(__dirname, '..', 'dist', 'cli', 'main.js');
if (existsSync(compiled)) {
  void require(compiled).main(process.argv);
} else {
  console.error(`resurgo: ${compiled} is missing: run "npm run build" in ${path.join(__dirname, '..')} first`);
  process.exitCode = 1;
}
