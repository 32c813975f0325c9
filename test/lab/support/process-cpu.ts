/** What a process has taken of this computer's processors, by the kernel's account. */
import { readFileSync } from 'node:fs';

/** The unit of times in `/proc`: the same on every Linux machine that Node runs on. */
const TICKS_A_SECOND = 100;

/** User and system seconds of a process with all its threads; undefined when there is none of that number. */
export function processCpu(pid: number): number | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The program's name, in brackets, may hold blanks.
  const [, user, system] = /^.*\) (?:\S+ ){11}(\d+) (\d+)/s.exec(stat) ?? [];
  return (Number(user) + Number(system)) / TICKS_A_SECOND;
}

/** Seconds in which any of this computer's processors was busy, since its start. */
export function wholeCpu(): number {
  const [user, nice, system, , , irq, softirq] = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '')
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return [user, nice, system, irq, softirq].reduce<number>((sum, each) => sum + (each ?? 0), 0) / TICKS_A_SECOND;
}
