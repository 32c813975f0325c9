/** The network cards of the new machine, of what its rescue system's verb `layout` told. Not for workflow code (zod). */
import { Reading, type Facts } from './layout-facts';
import { readNetwork } from './layout-net';
import type { FoundCard } from './recover-fix-network';

export function foundCards({ facts }: { facts: Facts }): FoundCard[] {
  return readNetwork(new Reading(facts)).interfaces.flatMap(({ kind, mac, permanentMac, up }) => {
    const own = permanentMac ?? mac;
    return kind === 'ethernet' && own !== null ? [{ mac: own, up }] : [];
  });
}
