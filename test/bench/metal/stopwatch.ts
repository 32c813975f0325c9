/** How long something in a virtual machine takes, and what it takes of this computer's processors. */
import { processCpu, wholeCpu } from '../../lab/support/process-cpu';
import type { Machine } from '../../lab/vm/support/machine';

export interface Took {
  seconds: number;
  /** CPU seconds of the virtual machine: what other work on this computer disturbs least. */
  cpu: number;
  /** CPU seconds of all else on this computer meanwhile: where it is many, the seconds are worth little. */
  rest: number;
}

/** Often enough that little is missed of a machine that ends by itself. */
const LOOK_MS = 100;

/** Runs `body`, which may start the machine, or see it end. */
export async function timed(machine: Machine, body: () => Promise<unknown>): Promise<Took> {
  const before = { at: performance.now(), cpu: machine.cpuSeconds ?? 0, whole: wholeCpu() };
  let last = before.cpu;
  const look = () => {
    last = machine.cpuSeconds ?? last;
  };
  const looking = setInterval(look, LOOK_MS);
  try {
    await body();
  } finally {
    clearInterval(looking);
  }
  look();
  const cpu = last - before.cpu;
  return {
    seconds: (performance.now() - before.at) / 1000,
    cpu,
    rest: Math.max(0, wholeCpu() - before.whole - cpu),
  };
}

/** What the director takes: its worker, which is this process, and its server. @returns a reading in seconds */
export function directorCpu(serverPid: number): () => number {
  return () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6 + (processCpu(serverPid) ?? 0);
  };
}
