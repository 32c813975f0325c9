'use strict';

/** One jest project per kind of test; `npm run test:*` picks them. */
const base = {
  testEnvironment: 'node',
  transform: { '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } } }] },
  moduleFileExtensions: ['ts', 'js', 'json'],
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
};

const patient = { setupFilesAfterEnv: ['<rootDir>/test/lab/support/patience.js'] };
/** The quick part: no sshd, no shell scripts run as root. */
const rooms = ['runbooks', 'planning', 'activities', 'workers', 'cli'];
/** Real processes on this machine: the hostkit under two shells, an sshd on loopback. */
const processes = ['hostkit', 'hosts'];
const testsOf = (folders) => folders.map((folder) => `<rootDir>/test/${folder}/**/*.test.ts`);

module.exports = {
  testSequencer: '<rootDir>/test/longest-first.js',
  projects: [
    {
      ...base,
      displayName: 'unit',
      testMatch: testsOf(rooms),
      // Real servers and workers: a project of their own, so that the quick part stays quick.
      testPathIgnorePatterns: ['<rootDir>/test/workers/engine/'],
    },
    { ...base, displayName: 'hosts', testMatch: testsOf(processes), ...patient },
    { ...base, displayName: 'engine', testMatch: testsOf(['workers/engine', 'demo']), ...patient },
    { ...base, displayName: 'postgres', testMatch: ['<rootDir>/test/postgres/**/*.test.ts'], ...patient },
    { ...base, displayName: 'workflow', testMatch: ['<rootDir>/test/workflows/**/*.test.ts'] },
    {
      ...base,
      displayName: 'lab',
      testMatch: ['<rootDir>/test/lab/**/*.test.ts'],
      testPathIgnorePatterns: ['<rootDir>/test/lab/vm/'],
      ...patient,
    },
    { ...base, displayName: 'metal', testMatch: ['<rootDir>/test/lab/vm/**/*.test.ts'], ...patient },
    { ...base, displayName: 'crash', testMatch: ['<rootDir>/test/crash/**/*.test.ts'], ...patient },
  ],
};
