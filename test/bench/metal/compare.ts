/** Whether a recovered machine holds what the source held, looked at by a program that shares nothing with either product. */
import { factsCommand } from '../../lab/support/awkward';
import type { Machine } from '../../lab/vm/support/machine';

/** Folders that a boot does not write to. */
const COMPARED = ['/srv', '/usr', '/opt', '/home'];
const LOOK_MS = 900_000;
const SECOND_NS = 1_000_000_000n;

/** All about each entry, a line each. Times by the second: the format that ReaR's tar writes knows no parts of it. */
export async function entries(machine: Machine): Promise<string[]> {
  const lines: string[] = [];
  for (const folder of COMPARED) {
    const { stdout } = await machine.ssh(factsCommand(folder), { timeoutMs: LOOK_MS });
    lines.push(
      ...stdout
        .trimEnd()
        .split('\n')
        .map((line) => `${folder} ${toTheSecond(line)}`),
    );
  }
  return lines;
}

/** Lines that only one of them has. */
export function differing(before: readonly string[], after: readonly string[]): string[] {
  const [was, is] = [new Set(before), new Set(after)];
  return [
    ...before.filter((line) => !is.has(line)).map((line) => `gone: ${line}`),
    ...after.filter((line) => !was.has(line)).map((line) => `come: ${line}`),
  ];
}

function toTheSecond(line: string): string {
  const words = line.split(' ');
  // Attributes have lines of three words, and no time.
  const [time] = words.slice(4, 5);
  if (words.length < 6 || time === undefined || !/^-?\d+$/.test(time)) return line;
  words[4] = String(BigInt(time) / SECOND_NS);
  return words.join(' ');
}
