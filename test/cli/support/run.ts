/** Runs one command line in this process and says what it wrote and how it would have exited. */
import { carryOut } from '../../../cli/main';

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Never throws: a command's own failure is its exit code. */
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
    const code = await carryOut(['node', 'resurgo', ...args]);
    return { code, stdout, stderr };
  } finally {
    process.exitCode = before;
    out.mockRestore();
    err.mockRestore();
  }
}
