import { hostConfig, jumpFile, peersFile, peersOf, sudoers } from '../../../hosts/enroll/config';
import { parseRunbook } from '../../../runbooks/load';

const GOLDEN = `version: 1
deployment: prod
hosts:
  prod-app-1: { address: 10.0.0.1, restore_to: [/srv/restore] }
  prod-app-2: { address: 10.0.0.2, via: prod-app-1 }
  prod-target: { address: 10.0.0.3 }
stores:
  main: { host: prod-target, kind: hardlink, place: /backup/main, reserve: 10% }
groups:
  portal:
    sources:
      - { host: prod-app-1, path: /srv/my data, name: data, snapshot: btrfs, exclude: ["/cache/**", "*.tmp x"] }
      - { host: prod-app-2, path: /srv/a+b, name: ab, snapshot: none }
    quiesce:
      max_pause: 20s
      containers: { label: "app=portal" }
    target: main
`;
const runbook = parseRunbook({ file: 'golden.yaml', text: GOLDEN });
const signerHex = 'ab'.repeat(32);

test('a source’s configuration', () => {
  expect(hostConfig({ runbook, host: 'prod-app-1', signerHex })).toMatchSnapshot();
});
test('a target’s configuration', () => {
  expect(hostConfig({ runbook, host: 'prod-target', signerHex })).toMatchSnapshot();
});

test('S26 a value can’t become another field or line', () => {
  const config = hostConfig({ runbook, host: 'prod-app-1', signerHex });
  expect(config).toContain('source portal data btrfs /srv/my%20data ');
  expect(config).toContain('exclude portal data %2A.tmp%20x');
  for (const line of config.trim().split('\n').slice(1)) expect(line).toMatch(/^[a-z-]+( [A-Za-z0-9._/@:=,+%-]+)+$/);
});

test('a whole machine, with the room of its LVM snapshots; it may be the target too', () => {
  const machine = '{ host: prod-target, path: /, snapshot: system, snapshot_room: 5%, exclude: [/srv/scratch] }';
  const text = GOLDEN.replace('    quiesce:', `      - ${machine}\n    quiesce:`);
  const config = hostConfig({ runbook: parseRunbook({ file: 'golden.yaml', text }), host: 'prod-target', signerHex });
  expect(config).toContain('source portal root system / target@+ 5\nexclude portal root /srv/scratch\n');
  const bare = text.replace('snapshot_room: 5%', 'luks_headers: false');
  const without = hostConfig({ runbook: parseRunbook({ file: 'g.yaml', text: bare }), host: 'prod-target', signerHex });
  expect(without).toContain('source portal root system / target@+ 10 no-headers\n');
});

test('source and target know each other, and nobody else; the target itself where a restore may go into a folder of its own', () => {
  const text = (more: string) => GOLDEN.replace('10.0.0.3', `10.0.0.3${more}`);
  const closed = parseRunbook({ file: 'golden.yaml', text: text(', restore_to: []') });
  expect(peersOf({ runbook: closed, host: 'prod-target' })).toEqual(['prod-app-1', 'prod-app-2']);
  expect(peersOf({ runbook, host: 'prod-target' })).toEqual(['prod-app-1', 'prod-app-2', 'prod-target']);
  expect(peersOf({ runbook, host: 'prod-app-1' })).toEqual(['prod-target']);
  const identities = new Map([['prod-target', 'ssh-ed25519 AAAA']]);
  expect(peersFile(identities)).toBe('prod-target namespaces="resurgo-grant" ssh-ed25519 AAAA\n');
});

test('a host of the group without a source, and its target, know each other: a restore may go into a folder there', () => {
  const text = GOLDEN.replace('10.0.0.3 }', '10.0.0.3 }\n  prod-web: { address: 10.0.0.4 }').replace(
    'quiesce:',
    'quiesce:\n      hosts: [prod-web]',
  );
  const more = parseRunbook({ file: 'golden.yaml', text });
  expect(peersOf({ runbook: more, host: 'prod-web' })).toEqual(['prod-target']);
  expect(peersOf({ runbook: more, host: 'prod-target' })).toContain('prod-web');
});

test('a jump forwards to what lies behind it alone', () => {
  expect(jumpFile({ runbook, host: 'prod-app-1', jumpKey: 'ssh-ed25519 AAAA' })).toContain('permitopen="10.0.0.2:22"');
  expect(jumpFile({ runbook, host: 'prod-target', jumpKey: 'ssh-ed25519 AAAA' })).toBe('');
});

test('S26 sudo allows one command without arguments', () => {
  expect(sudoers({ user: 'rescuer' }).match(/.* ALL=.*/g)).toEqual([
    'rescuer ALL=(root) NOPASSWD: /usr/local/lib/resurgo/hostkit ""',
  ]);
});
