'use strict';

/** `npm run test:faults`: the fault campaign, from its sources. */
require('../test/workers/fixtures/register.js');
require('../test/faults/main.ts');
