/** Runs one command line in this process and says what it wrote and how it would have exited. */
import { program } from '../../../cli/main';
import { EXIT, explain } from '../../../cli/exit';

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Never throws for a command's own failure: that is its exit code. */
export async function resurgo(...args: string[]): Promise<Ran> {
  let stdout = '';
  let stderr = '';
  const out = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += String(text);
    return true;
  });
  const err = jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
  const before = process.exitCode;
  process.exitCode = undefined;
  try {
    await program().parseAsync(['node', 'resurgo', ...args]);
    return { code: exitCode(), stdout, stderr };
  } catch (error) {
    const { message, exitCode } = explain(error);
    return { code: exitCode, stdout, stderr: stderr + message };
  } finally {
    process.exitCode = before;
    out.mockRestore();
    err.mockRestore();
  }
}

function exitCode(): number {
  return Number(process.exitCode ?? EXIT.ok);
}
