'use strict';

/** `npm run bench:metal`: the bench, from its sources. */
require('../test/workers/fixtures/register.js');
require('../test/bench/metal-main.ts');
