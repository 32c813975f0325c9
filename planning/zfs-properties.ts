/** Which properties of pools and datasets are set when: what can only be chosen at the making, and what has to wait for the data. Pure. */

type Properties = Readonly<Record<string, string>>;

/** Of a pool: what a recovery gives it at its making. */
export interface PoolMaking {
  /** Feature flags that are on; all others stay off. Empty for a pool of a numbered version. */
  features: string[];
  properties: Record<string, string>;
}

/** Told by something else, or by the place that it is put together at. */
const POOL_ELSEWHERE = new Set(['altroot', 'cachefile']);
/** Need a dataset, or more than the rescue system has to begin with. */
const POOL_LATER = new Set(['bootfs', 'multihost']);

export function poolMaking(properties: Properties): PoolMaking {
  const entries = Object.entries(properties);
  const isOn = ([name, value]: [string, string]) => name.startsWith('feature@') && value !== 'disabled';
  return {
    features: entries.filter(isOn).map(([name]) => name.slice('feature@'.length)),
    properties: Object.fromEntries(
      entries.filter(
        ([name, value]) =>
          !name.startsWith('feature@') &&
          !POOL_ELSEWHERE.has(name) &&
          !POOL_LATER.has(name) &&
          // By the disks’ own sectors, and by features.
          !(name === 'ashift' && value === '0') &&
          !(name === 'version' && value === '-'),
      ),
    ),
  };
}

export function poolLater(properties: Properties): Record<string, string> {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => POOL_LATER.has(name)));
}

/** The file that the boot imports a pool by; null for a pool that it finds by a look at all disks, or not at all. */
export function poolCache(properties: Properties): string | null {
  const set = properties['cachefile'] ?? '';
  if (set === 'none') return null;
  return set.startsWith('/') ? set : '/etc/zfs/zpool.cache';
}

/** Chosen at the making and never again. */
const ONCE = new Set(['casesensitivity', 'normalization', 'utf8only', 'volblocksize']);
/** Until then the recovery itself says what is mounted where, and writes. */
const LATER = new Set(['canmount', 'readonly', 'zoned']);
/** Told otherwise (`volsize`), or by nobody (an encrypted dataset is not made). */
const NEVER = new Set([
  'volsize',
  'encryption',
  'keyformat',
  'keylocation',
  'pbkdf2iters',
  'filesystem_count',
  'snapshot_count',
]);

export function datasetOnce(properties: Properties): Record<string, string> {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => ONCE.has(name)));
}

export function datasetAnyTime(properties: Properties): Record<string, string> {
  return Object.fromEntries(
    Object.entries(properties).filter(([name]) => !ONCE.has(name) && !LATER.has(name) && !NEVER.has(name)),
  );
}

export function datasetLater(properties: Properties): Record<string, string> {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => LATER.has(name)));
}

export function isEncrypted({ properties }: { properties: Properties }): boolean {
  return (properties['encryption'] ?? 'off') !== 'off' || properties['keyformat'] !== undefined;
}
