import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { prepareState, stateDir } from '../../workers/paths';

let scratch: string;
beforeEach(() => {
  scratch = mkdtempSync(path.join(tmpdir(), 'resurgo-paths-test-'));
});
afterEach(() => {
  rmSync(scratch, { recursive: true, force: true });
  jest.restoreAllMocks();
});

test('the state folder comes from RESURGO_STATE, else from who runs the command', () => {
  expect(stateDir({ RESURGO_STATE: '/srv/state/' })).toBe('/srv/state/');
  const uid = jest.spyOn(process, 'getuid');
  uid.mockReturnValue(0);
  expect(stateDir({ RESURGO_STATE: '', HOME: '/root' })).toBe('/var/lib/resurgo-director');
  uid.mockReturnValue(1000);
  expect(stateDir({ HOME: '/home/eva' })).toBe('/home/eva/.local/state/resurgo');
  expect(stateDir({ HOME: '/home/eva', XDG_STATE_HOME: '/home/eva/st' })).toBe('/home/eva/st/resurgo');
  expect(stateDir({ HOME: '/home/eva', XDG_STATE_HOME: 'relative' })).toBe('/home/eva/.local/state/resurgo');
});

test('a relative RESURGO_STATE is refused', () => {
  expect(() => stateDir({ RESURGO_STATE: 'state' })).toThrow(/RESURGO_STATE.*absolute path/);
});

test('the folders are made with mode 0700, and a wider mode is mended', () => {
  const root = path.join(scratch, 'a', 'state');
  mkdirSync(root, { recursive: true, mode: 0o755 });
  const paths = prepareState(root);
  for (const folder of [root, paths.logs, paths.runLogs, paths.run, paths.keys, path.dirname(paths.db)]) {
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  }
});

test('a symlink in place of a state folder is refused', () => {
  const elsewhere = path.join(scratch, 'elsewhere');
  mkdirSync(elsewhere);
  const root = path.join(scratch, 'state');
  mkdirSync(root);
  symlinkSync(elsewhere, path.join(root, 'keys'));
  expect(() => prepareState(root)).toThrow(/keys: it is not a folder of its own/);
});
