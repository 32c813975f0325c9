/** A power cut as the others see it: from one moment to the next a host says nothing more, not even that its connections have ended. */
import type { Fleet } from '../../lab/support/fleet';

/** Pulls its cables first: the kernel that all simulated hosts share would take leave of the others in its name. */
export async function cutPower(fleet: Fleet, host: string): Promise<void> {
  for (const other of others(fleet, host)) await fleet.cut(host, other);
  await fleet.killHost(host);
}

/** Power on again; its sshd and its docker answer when it resolves, and the boot's sweep has begun. */
export async function powerOn(fleet: Fleet, host: string): Promise<void> {
  for (const other of others(fleet, host)) await fleet.heal(host, other);
  await fleet.bootHost(host);
}

function others(fleet: Fleet, host: string): string[] {
  return ['director', ...fleet.hosts.map(({ name }) => name).filter((name) => name !== host)];
}
