/** Ends whatever runs in the mount namespace of a simulated host. */
import fs from 'node:fs';

/** Kills all that is in the keeper's mount namespace. Nothing where the keeper is gone, or has not come as far as a namespace of its own. */
export function endInside(keeper: number | undefined): void {
  let held: number;
  try {
    // Held open while all are ended: the number of a namespace that is gone is given to the next one, of a test beside this.
    held = fs.openSync(`/proc/${keeper}/ns/mnt`, 'r');
  } catch {
    return;
  }
  try {
    const own = fs.readlinkSync(`/proc/self/fd/${held}`);
    if (own === namespaceOf(process.pid)) return;
    for (const pid of fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
      if (namespaceOf(Number(pid)) === own) end(Number(pid));
  } finally {
    fs.closeSync(held);
  }
}

function namespaceOf(pid: number | undefined): string | undefined {
  try {
    return fs.readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return undefined;
  }
}

/** SIGKILL to a process that may have gone by itself. */
export function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has.
  }
}
