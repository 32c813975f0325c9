'use strict';

/** `npm run histories`: records the histories that the replay tests replay, from the sources. */
require('../test/workers/fixtures/register.js');
require('../test/workflows/support/record.ts');
