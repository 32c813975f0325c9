// Lint rules: strict TypeScript, and the rooms' imports that run downward only (docs/architecture.md).
import tseslint from 'typescript-eslint';
import importX from 'eslint-plugin-import-x';
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';

/** Which rooms a room may import. Types of `activities/` in `workflows/` are told apart by `allowTypeImports`. */
const mayImport = {
  runbooks: [],
  planning: ['runbooks'],
  hosts: ['runbooks', 'planning'],
  activities: ['runbooks', 'planning', 'hosts'],
  workflows: ['runbooks', 'planning', 'activities'],
  workers: ['runbooks', 'planning', 'hosts', 'activities', 'workflows'],
  cli: ['runbooks', 'planning', 'hosts', 'workers', 'workflows'],
};
const rooms = Object.keys(mayImport);
const typesOnly = { workflows: ['activities', 'runbooks'], planning: ['runbooks'], cli: ['workflows'] };

const roomRules = rooms.map((room) => ({
  files: [`${room}/**/*.ts`],
  rules: {
    '@typescript-eslint/no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            group: rooms
              .filter((other) => other !== room && !mayImport[room].includes(other))
              .map((other) => `**/${other}/**`),
            message: `${room}/ may import only: ${mayImport[room].join(', ') || 'nothing of ours'}`,
          },
          ...(typesOnly[room] ?? []).map((other) => ({
            group: [`**/${other}/**`],
            allowTypeImports: true,
            message: `${room}/ may import only types of ${other}/`,
          })),
          ...(room === 'workflows' || room === 'planning'
            ? [{ group: ['node:*', 'fs', 'path', 'os', 'crypto'], message: `${room}/ does no I/O` }]
            : []),
        ].filter((pattern) => pattern.group.length > 0),
      },
    ],
  },
}));

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', '**/*.js', '**/*.mjs', 'test/fixtures/**'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { 'import-x': importX },
    settings: {
      'import-x/resolver-next': [createTypeScriptImportResolver()],
      // Without a parser for .ts the plugin sees no imports in them, and no cycle either.
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      'import-x/no-cycle': 'error',
      'max-lines': ['error', { max: 400, skipComments: true, skipBlankLines: true }],
      eqeqeq: 'error',
    },
  },
  ...roomRules,
  { files: ['test/**/*.ts'], rules: { '@typescript-eslint/no-non-null-assertion': 'off', 'max-lines': 'off' } },
);
