/** What is told of a restore that was only planned. */
import type { CliContext } from '../../cli/context';
import { showRestoreReport } from '../../cli/commands/restore';
import { CliError } from '../../cli/exit';
import { Output } from '../../cli/output';
import type { RestoreReport } from '../../workflows/restore';

const backup = { id: '20260101_010000', group: 'portal', state: 'Completed', label: 'crash', directorId: 'd' };

function told(blockers: string[], json = true): { objects: unknown[]; error: unknown } {
  let stdout = '';
  const write = jest.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    stdout += String(chunk);
    return true;
  });
  const plan = { backup, items: [], stops: [], warnings: ['of the plan'], blockers };
  const warnings = ['of the plan', 'app-2 was away'];
  const report = { state: 'Planned', items: [], hosts: [], warnings, hash: 'abcdef0123456789', plan };
  const context: Pick<CliContext, 'out'> = { out: new Output({ json, quiet: false }) };
  let error: unknown;
  try {
    showRestoreReport(context as CliContext, report as unknown as RestoreReport);
  } catch (thrown) {
    error = thrown;
  } finally {
    write.mockRestore();
  }
  return {
    objects: json
      ? stdout
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as unknown)
      : [stdout],
    error,
  };
}

/** The end of a restore that was carried out, in words. */
function ended(items: RestoreReport['items']): string {
  let stdout = '';
  const write = jest.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    stdout += String(chunk);
    return true;
  });
  const report = {
    state: 'Completed',
    items,
    hosts: [],
    warnings: [],
    hash: 'abcdef0123456789',
    plan: { blockers: [] },
  };
  const context: Pick<CliContext, 'out'> = { out: new Output({ json: false, quiet: false }) };
  try {
    showRestoreReport(context as CliContext, report as unknown as RestoreReport);
  } finally {
    write.mockRestore();
  }
  return stdout;
}

test('a script reads the plan itself', () => {
  expect(told([])).toEqual({
    objects: [
      expect.objectContaining({ type: 'ended', state: 'Planned', plan: expect.objectContaining({ backup }) as never }),
    ],
    error: undefined,
  });
});

test('what the run itself has to say is told too, and nothing twice', () => {
  const warnings = String(told([], false).objects[0]).match(/^warning: .*/gm);
  expect(warnings).toEqual(['warning: of the plan', 'warning: app-2 was away']);
});

test.each([true, false])('one that can not be carried out is a failure, with its reasons (--json: %s)', (json) => {
  const { objects, error } = told(['app-1:/srv is not mounted'], json);
  expect(objects).toHaveLength(1);
  expect(error).toBeInstanceOf(CliError);
  expect(error).toMatchObject({ message: 'the plan can not be carried out: app-1:/srv is not mounted', exitCode: 1 });
});

test.each([
  ['by content', [{ byContent: true }, { byContent: true }]],
  ['by size, time and attributes', [{ byContent: true }, {}]],
])('the end says by what files were compared: %s', (words, compared) => {
  const items = compared.map((each) => ({ destination: 'app-1:data', files: 1, bytes: 1, deletions: 0, ...each }));
  expect(ended(items)).toMatch(new RegExp(`^Completed: every restored file was compared with the backup ${words}\n`));
});
