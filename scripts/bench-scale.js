'use strict';

/** `npm run bench:scale`: the bench of scale, from its sources. */
require('../test/workers/fixtures/register.js');
require('../test/bench/scale-main.ts');
