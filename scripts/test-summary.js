'use strict';

/**
 * test-summary.js FOLDER: adds up what the parts of `npm test` left there and prints one line per part, then the count.
 * `NAME.part` holds passed|failed, `NAME.json` is jest's report where the part was jest's, `NAME.skipped` a number of suites.
 * Exits 1 when anything failed.
 */
const { existsSync, readFileSync, readdirSync } = require('node:fs');
const path = require('node:path');

const folder = process.argv[2];
const total = { passed: 0, failed: 0, skipped: 0 };

for (const file of readdirSync(folder).filter((entry) => entry.endsWith('.part'))) {
  const name = path.basename(file, '.part');
  const count = countPart({ name, passed: readFileSync(path.join(folder, file), 'utf8').trim() === 'passed' });
  for (const key of Object.keys(total)) total[key] += count[key];
  console.log(`${name}: ${say(count)}`);
}
console.log(say(total));
process.exitCode = total.failed > 0 ? 1 : 0;

function countPart({ name, passed }) {
  const report = path.join(folder, `${name}.json`);
  const skipped = path.join(folder, `${name}.skipped`);
  if (existsSync(skipped)) return { passed: 0, failed: passed ? 0 : 1, skipped: Number(readFileSync(skipped, 'utf8')) };
  if (!existsSync(report)) return { passed: passed ? 1 : 0, failed: passed ? 0 : 1, skipped: 0 };
  const jest = JSON.parse(readFileSync(report, 'utf8'));
  const tests = { passed: jest.numPassedTests, skipped: jest.numPendingTests + jest.numTodoTests };
  // A suite that broke before its first test counts as one failure; so does a jest that failed for any other reason.
  const failed = jest.numFailedTests + jest.numRuntimeErrorTestSuites;
  return { ...tests, failed: failed === 0 && !passed ? 1 : failed };
}

function say({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
