/**
 * Cards of the new machine in the place of the old one's. Where MACs have changed, configuration that names the old ones is written anew;
 * and each card gets the name that it had, whatever the connector it sits in now, by a `.link` file of systemd's.
 */
import type { Layout } from './layout-schema';
import type { ConfigEdit } from './recover-fix';

/** A card of the old machine and the one that takes its place. */
export interface CardPair {
  name: string;
  oldMac: string;
  newMac: string;
}

export interface FoundCard {
  mac: string;
  /** It has a link. */
  up: boolean;
}

/**
 * Which new card takes which old one's place: the same MAC first, then, where just one is left on both sides, that one.
 * @returns the pairs, and a warning for each card that stays without
 */
export function pairCards({ layout, found }: { layout: Layout; found: readonly FoundCard[] }): {
  pairs: CardPair[];
  warnings: string[];
} {
  const old = layout.network.interfaces
    .filter(({ kind, mac }) => kind === 'ethernet' && mac !== null)
    .map(({ name, mac, permanentMac }) => ({ name, mac: permanentMac ?? mac ?? '' }));
  const same = old.filter(({ mac }) => found.some((card) => card.mac === mac));
  const pairs = same.map(({ name, mac }) => ({ name, oldMac: mac, newMac: mac }));
  const leftOld = old.filter((card) => !same.includes(card));
  const leftNew = found.filter(({ mac }) => !same.some((card) => card.mac === mac));
  const [one] = leftOld;
  const linked = leftNew.length === 1 ? leftNew : leftNew.filter(({ up }) => up);
  const [other] = linked;
  if (leftOld.length === 0) return { pairs, warnings: [] };
  if (leftOld.length === 1 && one !== undefined && linked.length === 1 && other !== undefined)
    return { pairs: [...pairs, { name: one.name, oldMac: one.mac, newMac: other.mac }], warnings: [] };
  const names = leftOld.map(({ name, mac }) => `${name} (${mac})`).join(', ');
  const macs = leftNew.map(({ mac }) => mac).join(', ') || 'none';
  return {
    pairs,
    warnings: [
      `the network cards ${names} are not in this machine, and which of its own (${macs}) take their places can't be told: set the network up at the machine's console once it has booted`,
    ],
  };
}

/** Files that name a MAC, by the tool that reads them. */
const MAC_FILES =
  /^\/etc\/(?:netplan\/|systemd\/network\/|network\/interfaces|NetworkManager\/system-connections\/|sysconfig\/(?:network-scripts|network)\/ifcfg-|udev\/rules\.d\/)/;

/** What is to be written anew for these pairs. */
export function networkEdits({ layout, pairs }: { layout: Layout; pairs: readonly CardPair[] }): ConfigEdit[] {
  const changed = pairs.filter(({ oldMac, newMac }) => oldMac !== newMac);
  const edits = layout.configs
    .filter(({ path }) => MAC_FILES.test(path))
    .map(({ path, text }) => ({ path, before: text, after: replaced(text, changed), why: macsOf(changed) }))
    .filter(({ before, after }) => before !== after);
  return [...edits, ...pairs.filter(({ name }) => isOwnName(name)).map(linkFile)];
}

function macsOf(pairs: readonly CardPair[]): string {
  return pairs.map(({ name, oldMac, newMac }) => `card ${name} has MAC ${newMac} now, not ${oldMac}`).join('; ');
}

/** All at once: with two cards that have changed places, one after the other would bring the first back. */
function replaced(text: string, pairs: readonly CardPair[]): string {
  const to = new Map(pairs.map(({ oldMac, newMac }) => [oldMac.toLowerCase(), newMac]));
  return text.replace(/\b[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}\b/g, (found) => {
    const next = to.get(found.toLowerCase().replaceAll('-', ':'));
    if (next === undefined) return found;
    const spelled = found.includes('-') ? next.replaceAll(':', '-') : next;
    return found === found.toUpperCase() && /[A-F]/.test(found) ? spelled.toUpperCase() : spelled;
  });
}

/** Names that the kernel hands out by itself can't be asked for: another card may have it at that moment. */
function isOwnName(name: string): boolean {
  return !/^(?:eth|wlan)\d+$/.test(name);
}

function linkFile({ name, newMac }: CardPair): ConfigEdit {
  return {
    path: `/etc/systemd/network/10-resurgo-${name}.link`,
    before: null,
    after: `# The name that this card's predecessor had, so that the configuration fits.\n[Match]\nMACAddress=${newMac}\nType=ether\n\n[Link]\nName=${name}\n`,
    why: `the card in the place of ${name} keeps its name, whatever its connector`,
  };
}
