'use strict';

/** `npm run bench:fleet`: the bench, from its sources. */
require('../test/workers/fixtures/register.js');
require('../test/bench/main.ts');
