'use strict';

const { default: Sequencer } = require('@jest/test-sequencer');

/** The suites of a minute and more: one that begins last would be waited for with nothing beside it. A new clone has no timings of its own. */
const LONG = [
  'lab/unhappy',
  'lab/stores',
  'lab/restore',
  'lab/backup',
  'crash/faults',
  'lab/freeze',
  'crash/restore',
  'lab/enroll',
  'workers/engine/engine',
  'workflows/batches',
  'workflows/backup',
  'workflows/terminal',
  'workflows/undoing',
];

class LongestFirst extends Sequencer {
  /** @param {import('@jest/test-sequencer').Test[]} tests */
  sort(tests) {
    const rank = ({ path }) => LONG.findIndex((name) => path.endsWith(`/test/${name}.test.ts`)) >>> 0;
    return [...super.sort(tests)].sort((a, b) => rank(a) - rank(b));
  }
}

module.exports = LongestFirst;
