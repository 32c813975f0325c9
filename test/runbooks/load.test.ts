import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RunbookError } from '../../runbooks/issues';
import { loadRunbook, parseRunbook } from '../../runbooks/load';

const HEAD = `version: 1
deployment: prod
hosts:
  prod-app-1: { address: 10.0.0.11, labels: [app] }
  prod-target: {}
stores:
  main: { host: prod-target, kind: btrfs, place: /backup }
`;
const GROUP = `groups:
  portal:
    target: main
`;
const SOURCE = `    sources:
      - { host: prod-app-1, path: /srv/data, snapshot: btrfs }
`;
const GOOD = HEAD + GROUP + SOURCE;

function issuesOf(text: string) {
  try {
    parseRunbook({ text, file: 'r.yaml' });
  } catch (error) {
    if (error instanceof RunbookError) return error;
    throw error;
  }
  throw new Error('no error where one was expected');
}

/** The one line that an error of a text consists of. */
function onlyLine(text: string): string {
  const { message, issues } = issuesOf(text);
  expect(issues).toHaveLength(1);
  return message;
}

describe('a good runbook', () => {
  it('may be one line of JSON, however long', () => {
    const names = Array.from({ length: 1000 }, (_, i) => `app-${i}`);
    const text = JSON.stringify({
      version: 1,
      hosts: Object.fromEntries([...names, 'target'].map((name) => [name, { address: name }])),
      stores: { main: { host: 'target', kind: 'btrfs', place: '/backup' } },
      groups: { all: { sources: names.map((host) => ({ host, path: '/srv', snapshot: 'btrfs' })), target: 'main' } },
    });
    expect(Object.keys(parseRunbook({ text, file: 'r.yaml' }).hosts)).toHaveLength(1001);
  });

  it('comes out as plain data with every default', () => {
    expect(parseRunbook({ text: GOOD, file: 'r.yaml' })).toEqual({
      version: 1,
      deployment: 'prod',
      hosts: {
        'prod-app-1': {
          name: 'prod-app-1',
          short: 'app-1',
          address: '10.0.0.11',
          port: 22,
          user: 'resurgo',
          adminUser: 'root',
          via: null,
          labels: ['app'],
          restoreTo: ['/var/restore'],
        },
        'prod-target': expect.objectContaining({ short: 'target', address: 'prod-target' }) as unknown,
      },
      stores: {
        main: {
          name: 'main',
          host: 'prod-target',
          hostShort: 'target',
          kind: 'btrfs',
          place: '/backup',
          compression: 'zstd',
          reservePercent: 5,
        },
      },
      groups: {
        portal: {
          name: 'portal',
          hosts: ['prod-app-1'],
          sources: [
            {
              host: 'prod-app-1',
              hostShort: 'app-1',
              name: 'data',
              path: '/srv/data',
              tree: 'app-1@+srv+data',
              snapshot: 'btrfs',
              exclude: [],
              snapshotRoomPercent: 10,
              luksHeaders: true,
              shrinkLimitPercent: 50,
            },
          ],
          quiesce: {
            maxPauseS: 30,
            containers: { mode: 'all' },
            exempt: ['resurgo.engine=true'],
            units: [],
            hooks: { before: [], after: [] },
          },
          restore: { stop: 'containers', order: [], stopOrder: ['prod-app-1'], health: [] },
          target: 'main',
          remote: null,
          transfer: { direction: 'push', bandwidthBytesPerS: 0, io: 'low', parallel: 4, streams: 2 },
          onUnreachable: 'fail',
          rpoS: 86_400,
          rtoS: null,
          keep: { last: 3, daily: 7, weekly: 4, monthly: 12, yearly: 0 },
          schedule: null,
          recover: { approve: 'ask', grow: 'last', headroomPercent: 10, passphrases: [] },
          rescue: { modules: 'common', network: 'captured', outputs: ['iso', 'usb', 'pxe'], keep: 3, pinnedKey: true },
          notify: [],
          contacts: [],
          notes: '',
        },
      },
    });
  });

  it('survives JSON unchanged', () => {
    const runbook = parseRunbook({ text: GOOD, file: 'r.yaml' });
    expect(JSON.parse(JSON.stringify(runbook))).toEqual(runbook);
  });

  it.each(['root', '_backup', 'ALL', 'a b', '1st'])('lets the director not log in as %s', (user) => {
    const text = GOOD.replace('address: 10.0.0.11', `address: 10.0.0.11, user: '${user}'`);
    expect(() => parseRunbook({ text, file: 'r.yaml' })).toThrow(/user: .*an unprivileged user, not root/s);
  });

  it('puts labels in order and joins hosts that have no source', () => {
    const text = `version: 1
hosts: { m1: { labels: [manager] }, w1: { labels: [worker] }, w2: { labels: [worker] }, t: {}, other: {} }
stores: { s: { host: t, kind: zfs, place: tank/b } }
groups:
  g:
    sources: [{ host: m1, path: /srv/, snapshot: zfs }, { host: w1, path: /srv, snapshot: zfs }]
    quiesce: { hosts: [worker] }
    restore: { stop: engine, order: [worker, manager] }
    target: s
`;
    const { groups } = parseRunbook({ text, file: 'r.yaml' });
    expect(groups.g?.hosts).toEqual(['m1', 'w1', 'w2']);
    expect(groups.g?.restore.stopOrder).toEqual(['w1', 'w2', 'm1']);
    expect(groups.g?.sources[0]?.path).toBe('/srv');
  });

  it('takes aliases and Windows line ends', () => {
    const text = GOOD.replace('[app]', '&l [app]').replace('prod-target: {}', 'prod-target: { labels: *l }');
    expect(parseRunbook({ text: text.replaceAll('\n', '\r\n'), file: 'r.yaml' }).hosts['prod-target']?.labels).toEqual([
      'app',
    ]);
  });
});

describe('bad input', () => {
  const cases: [string, string, string][] = [
    [
      'unknown field',
      GOOD.replace('address:', 'adress:'),
      'r.yaml:4:17: hosts.prod-app-1.adress: is not a field here; did you mean `address`?',
    ],
    [
      'wrong type',
      GOOD.replace('labels: [app]', 'port: ssh'),
      'r.yaml:4:43: hosts.prod-app-1.port: expected a whole number from 1 to 65535, found the text "ssh"',
    ],
    ['list for a map', 'version: 1\nhosts: []\n', 'r.yaml:2:8: hosts: expected a map of names, found a list'],
    [
      'missing host',
      GOOD.replace('host: prod-app-1, ', ''),
      'r.yaml:12:9: groups.portal.sources[0].host: is missing: expected a name of letters, digits, `.`, `_` and `-`, at most 64, that begins with a letter or digit',
    ],
    [
      'duplicate host',
      HEAD.replace('prod-target: {}', 'prod-target: {}\n  prod-app-1: {}'),
      'r.yaml:6:3: hosts.prod-app-1: is written twice in this map: remove or rename one',
    ],
    [
      'S16 same host without prefix',
      HEAD.replace('prod-target: {}', 'prod-target: {}\n  app-1: {}'),
      'r.yaml:6:3: hosts.app-1: is called "app-1" in backups, as is "prod-app-1": their data would share one folder; rename one',
    ],
    [
      'source of an unknown host',
      GOOD.replace('host: prod-app-1', 'host: prod-app-2'),
      'r.yaml:12:17: groups.portal.sources[0].host: no host is called "prod-app-2"; did you mean `prod-app-1`?',
    ],
    [
      'unknown snapshot kind',
      GOOD.replace('snapshot: btrfs', 'snapshot: btfs'),
      'r.yaml:12:56: groups.portal.sources[0].snapshot: expected one of `btrfs`, `zfs`, `lvm`, `lvm-thin`, `none`, `system`, found the text "btfs"; did you mean `btrfs`?',
    ],
    [
      'a kind of later work',
      GOOD.replace('snapshot: btrfs', 'snapshot: gluster'),
      'r.yaml:12:56: groups.portal.sources[0].snapshot: the snapshot kind `gluster` arrives with later work; this version takes `btrfs`, `zfs`, `lvm`, `lvm-thin`, `none`, `system`',
    ],
    [
      'newer version',
      'version: 2\nfleet: {}\n',
      'r.yaml:1:10: version: this runbook is of version 2 and this Resurgo reads version 1: update Resurgo',
    ],
    ['empty file', '', 'r.yaml:1:1: expected a map of fields, found nothing'],
    [
      'target that is its own source',
      GOOD.replace('host: prod-app-1, path: /srv/data', 'host: prod-target, path: /backup/x'),
      'r.yaml:12:36: groups.portal.sources[0].path: is on the target host and overlaps its own store ("/backup"): a backup would copy itself',
    ],
    [
      'a whole machine that is a folder',
      GOOD.replace('snapshot: btrfs', 'snapshot: system'),
      'r.yaml:12:35: groups.portal.sources[0].path: a source of kind "system" is the whole machine: its path is "/". For this folder alone choose another kind',
    ],
    [
      'a whole machine twice',
      GOOD.replace(
        '- { host: prod-app-1, path: /srv/data, snapshot: btrfs }',
        '- { host: prod-app-1, path: /, snapshot: system }\n      - { host: prod-app-1, path: /, name: again, snapshot: system }',
      ),
      'r.yaml:13:35: groups.portal.sources[1].path: "/" is already sources[0] ("root")',
    ],
    [
      'a folder of a whole machine',
      GOOD.replace(
        '- { host: prod-app-1, path: /srv/data, snapshot: btrfs }',
        '- { host: prod-app-1, path: /, snapshot: system }\n      - { host: prod-app-1, path: /srv, snapshot: btrfs }',
      ),
      'r.yaml:13:35: groups.portal.sources[1].path: "/srv" and "/" (sources[0]) lie one inside the other (one is the whole machine): keep one of them',
    ],
    [
      'unknown store',
      GOOD.replace('target: main', 'target: mian'),
      'r.yaml:10:13: groups.portal.target: no store is called "mian"; did you mean `main`?',
    ],
    [
      'unknown jump host',
      GOOD.replace('prod-target: {}', 'prod-target: { via: bastion }'),
      'r.yaml:5:23: hosts.prod-target.via: no host is called "bastion" (prod-app-1, prod-target)',
    ],
    [
      'second document',
      GOOD + '---\nversion: 1\n',
      'r.yaml:13:1: a second YAML document begins here: a runbook is one document',
    ],
    ['tab', 'version: 1\nhosts:\n\ta: {}\n', 'r.yaml:3:1: not valid YAML: Tabs are not allowed as indentation'],
    [
      'merge key',
      'version: 1\nhosts:\n  a: &a { port: 22 }\n  b: { <<: *a }\n',
      'r.yaml:4:8: hosts.b["<<"]: merge keys are not read: write the fields, or an alias for the whole',
    ],
    ['YAML 1.1', '%YAML 1.1\n---\nversion: 1\nhosts: {}\n', 'r.yaml:1:1: YAML 1.1 is not read: remove the %YAML line'],
    [
      'name of every object',
      'version: 1\nhosts: { constructor: {} }\n',
      'r.yaml:2:10: hosts.constructor: expected a name that JavaScript does not keep for itself, found "constructor"',
    ],
    [
      'a host that would be passed over in silence',
      'version: 1\nhosts:\n  a: {}\n  __proto__: { port: nonsense }\n',
      'r.yaml:4:3: hosts.__proto__: can be no name: choose another',
    ],
    [
      'a field of that name, in JSON',
      '{ "version": 1,\n  "hosts": { "a": { "__proto__": { "port": 22 } } } }',
      'r.yaml:2:21: hosts.a.__proto__: can be no name: choose another',
    ],
    [
      'a store of that name',
      'version: 1\nhosts: { a: {} }\nstores: { __proto__: 1 }\n',
      'r.yaml:3:11: stores.__proto__: can be no name: choose another',
    ],
    [
      'a group called as what every object has',
      'version: 1\nhosts: { a: {} }\ngroups: { constructor: {} }\n',
      'r.yaml:3:11: groups.constructor: expected a name that JavaScript does not keep for itself, found "constructor"',
    ],
  ];
  it.each(cases)('%s', (_, text, line) => {
    expect(onlyLine(text)).toBe(line);
  });

  it('a host may be called `prototype`: no object has that by itself', () => {
    const { hosts } = parseRunbook({ text: 'version: 1\nhosts: { prototype: { port: 23 } }\n', file: 'r.yaml' });
    expect(Object.entries(hosts)).toMatchObject([['prototype', { port: 23 }]]);
  });

  it('tells all faults at once, in the order of the file, of the schema and of how the parts fit together', () => {
    const text = GOOD.replace('address: 10.0.0.11', 'prot: 22')
      .replace('kind: btrfs', 'kind: bfs')
      .replace('target: main', 'target: amin\n    rpo: 24');
    expect(issuesOf(text).issues.map(({ line, path }) => `${line} ${path}`)).toEqual([
      '4 hosts.prod-app-1.prot',
      '7 stores.main.kind',
      '10 groups.portal.target',
      '11 groups.portal.rpo',
    ]);
  });

  it('tells of names that point nowhere beside a fault that hides the part that names them', () => {
    const text = `version: 1
hosts:
  app: { via: apq, port: 0 }
  app-2: { labels: no list }
stores:
  main: { host: ap, place: relative }
groups:
  portal:
    sources:
      - { host: app-3, path: srv, snapshot: btrfs }
      - { host: 'not a name!', path: /srv, snapshot: btrfs }
      - { host: app-2, path: /srv, snapshot: btrfs }
    target: mian
    restore: { health: [{ host: app-4, name: up }] }
`;
    expect(issuesOf(text).issues.map(({ line, path, message }) => `${line} ${path}: ${message}`)).toEqual([
      '3 hosts.app.via: no host is called "apq"',
      expect.stringMatching(/^3 hosts\.app\.port: expected/),
      expect.stringMatching(/^4 hosts\.app-2\.labels: expected/),
      expect.stringMatching(/^6 stores\.main\.kind: is missing/),
      '6 stores.main.host: no host is called "ap"',
      '10 groups.portal.sources[0].host: no host is called "app-3"',
      expect.stringMatching(/^10 groups\.portal\.sources\[0\]\.path: expected/),
      expect.stringMatching(/^11 groups\.portal\.sources\[1\]\.host: expected/),
      '13 groups.portal.target: no store is called "mian"',
      expect.stringMatching(/^14 groups\.portal\.restore\.health\[0\]\.command: is missing/),
      '14 groups.portal.restore.health[0].host: no host is called "app-4"',
    ]);
  });

  it('does not say that a name is unknown where the names themselves can not be read', () => {
    const { issues } = issuesOf(GOOD.replace(/hosts:[^]*?(?=stores:)/, 'hosts: none\n'));
    expect(issues.map(({ path }) => path)).toEqual(['hosts']);
  });

  it.each<[string, string, RegExp]>([
    [
      'a circle of jumps',
      'version: 1\nhosts: { a: { via: b }, b: { via: c }, c: { via: a } }\n',
      /jumps in a circle: a → b → c → a/,
    ],
    [
      'S16 two stores at one place',
      GOOD.replace('stores:', 'stores:\n  more: { host: prod-target, kind: hardlink, place: /backup/more/ }'),
      /same place as store "more"/,
    ],
    [
      'a dataset for btrfs',
      GOOD.replace('place: /backup', 'place: tank/backup'),
      /expected an absolute folder .* for kind `btrfs`, found "tank\/backup"/,
    ],
    [
      'a compression of another kind',
      GOOD.replace('place: /backup', 'place: /backup, compression: gzip-7'),
      /kind `btrfs` takes zstd/,
    ],
    [
      'S16 a source twice',
      GOOD + '      - { host: prod-app-1, path: /srv/data/, name: again, snapshot: btrfs }\n',
      /"\/srv\/data" is already sources\[0\]/,
    ],
    [
      'a source in a source',
      GOOD + '      - { host: prod-app-1, path: /srv, snapshot: btrfs }\n',
      /lie one inside the other/,
    ],
    [
      'two sources of one name',
      GOOD + '      - { host: prod-app-1, path: /opt/data, snapshot: btrfs }\n',
      /source "data" of host "prod-app-1" is there twice.*give one of them a `name`/,
    ],
    ['a path that climbs', GOOD.replace('/srv/data', '/srv/../etc'), /expected an absolute path without/],
    ['a name longer than a folder may be', GOOD.replace('/srv/data', `/${'å'.repeat(50)}`), /more than 255 bytes/],
    [
      'a pattern with a rule sign',
      GOOD.replace('snapshot: btrfs', 'snapshot: btrfs, exclude: ["+ /keep"]'),
      /expected an rsync pattern/,
    ],
    [
      'our own means as a unit',
      GOOD + '    quiesce: { units: [{ host: prod-app-1, name: sshd.service, by: stop }] }\n',
      /must keep running/,
    ],
    ['units to stop, but none named', GOOD + '    restore: { stop: units }\n', /would write under running services/],
    [
      'a word of the order that nobody has',
      GOOD + '    restore: { order: [wroker] }\n',
      /no host or label is called "wroker"/,
    ],
    [
      'a host in the order that the group does not have',
      GOOD + '    restore: { order: [prod-app-1, prod-target] }\n',
      /^r\.yaml:13:36: groups\.portal\.restore\.order\[1\]: this host is not part of the group \(prod-app-1\)/,
    ],
    [
      'a label in the order that no host of the group has',
      GOOD.replace('prod-target: {}', 'prod-target: { labels: [far] }') + '    restore: { order: [far] }\n',
      /order\[0\]: no host with this label is part of the group/,
    ],
    ['a bad cron', GOOD + '    schedule: { cron: "30 25 * * *" }\n', /has "25" as hour/],
    [
      'a notify that is two',
      GOOD + '    notify: [{ ping: "https://a.example/x", webhook: "https://a.example/y" }]\n',
      /expected either `webhook` or `ping`/,
    ],
    [
      'a secret in a URL',
      GOOD + '    notify: [{ ping: "https://me:secret@a.example/x" }]\n',
      /without user and password/,
    ],
    [
      'a passphrase of a host that is none',
      GOOD + '    recover: { passphrases: [{ host: prod-app-2, volume: root, secret: { file: /k } }] }\n',
      /recover\.passphrases\[0\]\.host: no host is called/,
    ],
    [
      'a passphrase from nowhere',
      GOOD + '    recover: { passphrases: [{ host: prod-app-1, volume: root, secret: {} }] }\n',
      /passphrases\[0\]\.secret: expected one of/,
    ],
    [
      'two passphrases of one volume',
      GOOD +
        '    recover: { passphrases: [{ host: prod-app-1, volume: r, secret: { env: A } }, { host: prod-app-1, volume: r, secret: { env: B } }] }\n',
      /the passphrase of .* is there twice/,
    ],
    [
      'a passphrase itself',
      GOOD + '    recover: { passphrases: [{ host: prod-app-1, volume: root, secret: hunter2 }] }\n',
      /secret: expected a map of fields/,
    ],
    [
      'a secret in the file',
      GOOD + '    notify: [{ webhook: "https://a.example/x", secret: hunter2 }]\n',
      /secret: expected a map of fields/,
    ],
    ['a limit that rounds to none', GOOD + '    transfer: { bandwidth: 1B/s }\n', /at least 64 kB\/s/],
    [
      'a pause without a unit',
      GOOD + '    quiesce: { max_pause: 30 }\n',
      /expected a duration from 1s to 10m.*found the number 30/,
    ],
    ['keeping nothing', GOOD + '    keep: { last: 0 }\n', /expected a whole number from 1/],
    [
      'S23 restores into the system',
      GOOD.replace('labels: [app]', 'restore_to: [/etc/cron.d]'),
      /is part of the system/,
    ],
    [
      'a hook with arguments',
      GOOD + '    quiesce: { hooks: { before: [{ host: prod-app-1, name: x, command: /bin/rm -rf / }] } }\n',
      /without arguments/,
    ],
  ])('%s', (_, text, message) => {
    expect(issuesOf(text).message).toMatch(message);
  });

  it.each([
    ['a login in a URL', 'webhook: "https://eva:hunter2@hook.example/x"', 'https://[redacted]@hook.example/x'],
    ['a password that is no part of a URL', 'ping: "https://eva:hunter2/ @@hook.example"', 'https://[redacted]@hook'],
    [
      'a login that the end is cut off from',
      `webhook: "https://eva:hunter2${'x'.repeat(60)}@a.example"`,
      'https://[redacted]@a',
    ],
    ['a secret itself', 'webhook: "https://a.example/x", secret: hunter2', 'found a text'],
  ])('never shows %s', (_, notify, shown) => {
    const error = issuesOf(`${GOOD}    notify: [{ ${notify} }]\n`);
    expect(error.message).toContain(shown);
    expect(JSON.stringify([error.message, error.issues])).not.toContain('hunter2');
  });

  it('escapes what a terminal would act on', () => {
    const { message } = issuesOf('version: 1\nhosts: { "a\\e[31m\\u202e\\x9b": { "x\\a": 1 } }\n');
    expect(message).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
  });
});

describe('files that would cost too much', () => {
  const letters = Array.from('bcdefghij');
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${letters
    .map(
      (name, index) =>
        `${name}: &${name} [${Array(9)
          .fill(`*${letters[index - 1] ?? 'a'}`)
          .join(',')}]`,
    )
    .join('\n')}\n`;
  it.each<[string, string, RegExp]>([
    ['alias bomb', bomb, /too much once its aliases/],
    ['alias of itself', 'a: &a [*a]', /contains itself/],
    ['alias of nothing', 'a: *b', /no anchor `&b`/],
    ['a million brackets', '['.repeat(1_000_000), /more than 32 deep/],
    ['brackets on lines of their own', '[\n'.repeat(500_000), /more than 32 deep/],
    ['a long row of dashes', '- '.repeat(500_000), /more than 32 deep/],
    ['a long row of dashes in brackets', `[${'- '.repeat(500_000)}`, /more than 32 deep/],
    ['deep indentation', Array.from({ length: 1300 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'), /more than 32 deep/],
    ['half a million quotes', '"'.repeat(1_000_000), /more than any runbook needs/],
    ['60,000 names', Array.from({ length: 60_000 }, (_, i) => `k${i}: 1`).join('\n'), /more than 50000 values/],
    [
      '40,000 aliases',
      Array.from({ length: 40_000 }, (_, i) => `- &a${i} x\n- *a${i}`).join('\n'),
      /more than 50000 values/,
    ],
  ])('%s', (_, text, message) => {
    expect(onlyLine(text)).toMatch(message);
  });

  it('a place in lists is written as everywhere', () => {
    expect(onlyLine(bomb)).toMatch(/^r\.yaml:\d+:\d+: [a-j](?:\[\d\])+: too much/);
  });

  it('a long row of colons in brackets', () => {
    expect(issuesOf(`{${'a: '.repeat(300_000)}`).message).toMatch(/not valid YAML|more than any runbook needs/);
  });

  describe('on disk', () => {
    let folder = '';
    beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'runbook-'))));
    afterEach(() => {
      rmSync(folder, { recursive: true });
    });

    it('10 MB file is refused before it is read', () => {
      const file = join(folder, 'big.yaml');
      writeFileSync(file, GOOD);
      truncateSync(file, 10_000_000);
      expect(() => loadRunbook({ file })).toThrow(`${file}:1:1: is 10000000 bytes long`);
    });

    it('no file, a folder, not text', () => {
      expect(() => loadRunbook({ file: join(folder, 'none.yaml') })).toThrow(
        'no such file; name one with --runbook FILE, or `resurgo init` writes a first one',
      );
      expect(() => loadRunbook({ file: folder })).toThrow('is a folder');
      const file = join(folder, 'binary.yaml');
      writeFileSync(file, Buffer.from([0x76, 0xff, 0xfe]));
      expect(() => loadRunbook({ file })).toThrow('is not UTF-8 text');
    });
  });
});
