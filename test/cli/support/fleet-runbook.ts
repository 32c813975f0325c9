/** A group of `count` hosts with a source each, and a store, as a runbook's text. */
export function fleetRunbook(count: number, group: object = {}): string {
  const names = Array.from({ length: count }, (_, i) => `app-${i + 1}`);
  return JSON.stringify({
    version: 1,
    hosts: Object.fromEntries(
      [...names, 'target'].map((name, i) => [name, { address: `10.0.${Math.floor(i / 250)}.${(i % 250) + 1}` }]),
    ),
    stores: { main: { host: 'target', kind: 'btrfs', place: '/backup' } },
    groups: {
      portal: {
        sources: names.map((host) => ({ host, path: '/srv/data', name: 'data', snapshot: 'btrfs' })),
        target: 'main',
        ...group,
      },
    },
  });
}
