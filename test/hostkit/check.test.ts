import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { configDrift, exemptUnknown, hostConfig } from '../../hosts/enroll/config';
import { check, status } from '../../hosts/replies/reading';
import { parseRunbook } from '../../runbooks/load';
import type { Group } from '../../runbooks/types';
import { Box, SHELLS, describeAsRoot } from './support';
import type { Shell } from './support';

describeAsRoot('what a backup would meet', () => {
  describe.each(SHELLS)('under %s', (shell: Shell) => {
    let box: Box;
    beforeEach(() => {
      box = new Box({ shell });
    });
    afterEach(() => {
      box.close();
    });
    const stopped = (record: string, run: string) => {
      fs.mkdirSync(box.state(`workloads/${record}`), { recursive: true });
      fs.writeFileSync(box.state(`workloads/${record}/run`), `${run}\n`);
    };

    it('a host that is backed up as a whole machine tells what it lacks for rescue media, and no other does', () => {
      box.conf(['host app-1', 'source portal data none /var/lib/data app-1@data']);
      expect(check.parse(box.ask('check', { group: 'portal' })).rescue).toBeUndefined();
      box.conf(['host app-1', 'source portal root system / app-1@+ 10']);
      // Seen as missing: a program is an executable file.
      box.runs('sh', [
        '-c',
        'for at in /usr/bin /usr/sbin /bin /sbin; do [ ! -e $at/cpio ] || mount --bind /dev/null $at/cpio; done',
      ]);
      const told = check.parse(box.ask('check', { group: 'portal' })).rescue ?? {};
      expect(Object.keys(told)).toEqual(['any', 'iso', 'usb', 'pxe']);
      expect(told['any']).toContain('cpio cpio');
      expect(told['pxe']).toEqual([]);
    });

    it('S21 a group that a restore has stopped and not started again is a problem, with the way out', () => {
      stopped('portal', 'run-0000000a');
      const { problems } = box.ask('check', { group: 'portal' });
      expect(problems).toEqual([
        expect.stringMatching(/run run-0000000a .*a restore that is not finished.*`resurgo start portal --as-it-is`/),
      ]);
      expect(status.parse(box.ask('status', { group: 'portal' })).restore).toBe('run-0000000a');
      expect(status.parse(box.ask('status', { group: 'ledger' })).restore).toBeUndefined();
    });

    it.each(['btrfs', 'zfs'])(
      'a %s source that is not mounted is taken for that first, not for another kind',
      (kind) => {
        fs.mkdirSync(box.file('var/data'));
        box.conf(['host app-1', `source portal data ${kind} /var/lib/data app-1@data`]);
        const [source] = check.parse(box.ask('check', { group: 'portal' })).sources;
        expect(source?.problems).toEqual([
          expect.stringMatching(/not on \w+: is its disk mounted\? If it is, correct the kind of this source$/),
        ]);
      },
    );

    it('S13 mounts below a source that would be missing are named', () => {
      box.conf(['host app-1', 'source portal data none /var/lib/data app-1@data']);
      for (const name of ['one', 'a b']) {
        fs.mkdirSync(box.file(`var/data/${name}`), { recursive: true });
        expect(box.runs('mount', ['-t', 'tmpfs', 'none', `/var/lib/data/${name}`])).toMatchObject({ status: 0 });
      }
      const [source] = check.parse(box.ask('check', { group: 'portal' })).sources;
      expect(source?.problems).toEqual([
        expect.stringContaining('missing from its snapshot: one a b: make each a source'),
      ]);
    });

    it('S14 what its configuration has of the group is compared with the runbook, word by word', () => {
      const before = groupOf({ exclude: '"/cache/**", "*.tmp x"' });
      box.conf(before.config.trim().split('\n'));
      const sums = check.parse(box.ask('check', { group: 'portal' })).config ?? {};
      expect(configDrift({ group: before.group, host: 'prod-app-1', sums })).toEqual([]);
      const drift = (now: Parameters<typeof groupOf>[0]) =>
        configDrift({ group: groupOf(now).group, host: 'prod-app-1', sums }).map(({ word }) => word);
      expect(drift({ exclude: '"/cache/**"' })).toEqual(['exclude']);
      expect(drift({ exclude: '"/cache/**", "*.tmp x"', containers: 'none' })).toEqual(['containers']);
      expect(drift({ exclude: '', path: '/srv/other', pause: '21s' })).toEqual(['source', 'exclude', 'max-pause']);
    });

    it('each label whose containers are never paused is told by its sum', () => {
      const source = 'source portal data none /var/lib/data app-1@data';
      fs.mkdirSync(box.file('var/data'));
      box.conf(['host app-1', source, 'exempt-label never=yes', 'max-pause portal 20', 'exempt-label a%20b']);
      const told = check.parse(box.ask('check', { group: 'portal' })).exempt ?? [];
      const group = (exempt: string[]) => ({ quiesce: { exempt } }) as never as Group;
      expect(told).toHaveLength(2);
      expect(exemptUnknown({ group: group(['never=yes', 'a b']), sums: told })).toEqual([]);
      expect(exemptUnknown({ group: group(['never=no', 'a b']), sums: told })).toEqual(['never=no']);
      box.conf(['host app-1', source]);
      expect(check.parse(box.ask('check', { group: 'portal' })).exempt).toEqual([]);
    });

    it('one that was stopped by hand, and another group, are none', () => {
      stopped('portal.hand', 'run-0000000a');
      stopped('other', 'run-0000000b');
      expect(box.ask('check', { group: 'portal' }).problems).toEqual([]);
    });
  });
});

/** A runbook's group, and what enrolment would write for its host. */
function groupOf(now: { exclude: string; path?: string; containers?: string; pause?: string }) {
  const { exclude, path: at = '/srv/my data', containers = '{ label: "app=portal" }', pause = '20s' } = now;
  const text = `version: 1
hosts: { prod-app-1: { address: 10.0.0.1 }, prod-target: { address: 10.0.0.3 } }
stores: { main: { host: prod-target, kind: hardlink, place: /backup } }
groups:
  portal:
    sources: [{ host: prod-app-1, path: ${at}, name: data, snapshot: none, exclude: [${exclude}] }]
    quiesce:
      max_pause: ${pause}
      containers: ${containers}
      hooks: { before: [{ host: prod-app-1, name: dump, command: /usr/local/bin/dump+it, timeout: 30s }] }
    target: main
`;
  const runbook = parseRunbook({ file: 'r.yaml', text });
  const group = runbook.groups['portal'];
  if (group === undefined) throw new Error('no group');
  return { group, config: hostConfig({ runbook, host: 'prod-app-1', signerHex: 'ab'.repeat(32) }) };
}

/** Of docker what the check asks it, from files: `test/lab/freeze-workloads.test.ts` has the real one. */
const DOCKER = `#!/bin/sh
case $* in
  'ps -q '*) cat /etc/docker-says/running ;;
  'ps -aq '*) cat /etc/docker-says/stopped ;;
  inspect*) for id in "$@"; do [ ! -f "/etc/docker-says/$id" ] || cat "/etc/docker-says/$id"; done ;;
  *) exit 1 ;;
esac
`;

interface Container {
  id: string;
  image?: string;
  label?: string;
  mounts?: string[];
}

describeAsRoot('what is told to be in no source', () => {
  describe.each(SHELLS)('under %s', (shell: Shell) => {
    let box: Box;
    beforeEach(() => {
      box = new Box({ shell });
      fs.mkdirSync(box.file('etc/docker-says'));
      box.runs('sh', ['-euc', 'mount -t tmpfs none /usr/local/sbin; cat >/usr/local/sbin/docker', 'sh'], DOCKER);
      box.runs('chmod', ['0755', '/usr/local/sbin/docker']);
      docker({});
    });
    afterEach(() => {
      box.close();
    });

    function docker({ running = [], stopped = [] }: { running?: Container[]; stopped?: Container[] }): void {
      const says = (name: string, lines: string[]) => {
        fs.writeFileSync(box.file(`etc/docker-says/${name}`), lines.map((line) => `${line}\n`).join(''));
      };
      const ids = (containers: Container[]) => containers.map(({ id }) => id);
      says('running', ids(running));
      says('stopped', ids(stopped));
      for (const { id, image = 'web:1', label = '', mounts = [] } of [...running, ...stopped]) {
        const labels = label === '' ? '' : `"${label.replace('=', '"="')}" `;
        says(id, [
          [id, `/${id}`, image, 'any', labels].join('\t'),
          ...mounts.map((from) => ['', 'bind', '/in', from].join('\t')),
        ]);
      }
    }
    const asked = () => check.parse(box.ask('check', { group: 'portal' }));
    /** Without the file systems of this machine. */
    const told = () => asked().unprotected.filter((line) => !line.startsWith('file system at '));

    it.each([['all'], ['none'], ['label:app=portal']])(
      'of every container, whether it runs and whatever the group pauses (%s)',
      (pauses) => {
        fs.mkdirSync(box.file('var/data'));
        box.conf([
          'host app-1',
          'source portal data none /var/lib/data app-1@data',
          `containers portal ${pauses}`,
          'exempt-label resurgo.engine=true',
          'exempt-label keep=running',
        ]);
        docker({
          running: [
            { id: 'web', mounts: ['/var/lib/data', '/srv/web'], label: 'app=portal' },
            { id: 'other', mounts: ['/srv/other'] },
            { id: 'spared', mounts: ['/srv/spared'], label: 'keep=running' },
            { id: 'engine', mounts: ['/srv/engine'], label: 'resurgo.engine=true' },
            { id: 'temporal', mounts: ['/srv/temporal'], image: 'temporalio/server:1' },
          ],
          stopped: [
            { id: 'old', mounts: ['/srv/web', '/srv/old'], label: 'app=portal' },
            { id: 'older', mounts: ['/srv/old'] },
            { id: 'db', image: 'postgres:16' },
          ],
        });
        expect(told()).toEqual([
          'container web: bind /srv/web (at /in) lies in no source',
          'container other: bind /srv/other (at /in) lies in no source',
          'container spared: bind /srv/spared (at /in) lies in no source',
          'container old (stopped): bind /srv/old (at /in) lies in no source',
          'container db (stopped): database postgres:16 keeps its data in the container itself',
        ]);
        // What the reply counts is what a freeze would pause, as ever.
        const paused = { all: ['web', 'other'], none: [] }[pauses] ?? ['web'];
        expect(asked().containers.map(({ name }) => name)).toEqual(paused);
      },
    );

    it('of hundreds that were left lying the newest, and that there are more', () => {
      const stopped = Array.from({ length: 203 }, (_, nth) => ({ id: `c${nth}`, mounts: [`/srv/${nth}`] }));
      docker({ stopped });
      const lines = told();
      expect(lines).toHaveLength(201);
      expect(lines[0]).toMatch(/^of 203 stopped containers the oldest 3 were not looked at/);
      expect(lines.at(-1)).toMatch(/^container c199 /);
    });

    it('of databases of the host’s own, where files of theirs lie', () => {
      for (const at of ['mysql', 'postgresql/15/main', 'redis', 'mongodb/db'])
        fs.mkdirSync(box.file(`var/${at}`), { recursive: true });
      for (const at of ['mysql/ibdata1', 'postgresql/15/main/base', 'redis/dump.rdb'])
        fs.writeFileSync(box.file(`var/${at}`), 'x');
      box.conf([
        'host app-1',
        'source portal pg none /var/lib/postgresql/15/main app-1@pg',
        'source other redis none /var/lib/redis app-1@redis',
      ]);
      expect(told()).toEqual(['database files in /var/lib/mysql lie in no source']);
      docker({ running: [{ id: 'db', image: 'mysql:8', mounts: ['/var/lib/mysql'] }] });
      expect(told()).toEqual(['container db: database bind /var/lib/mysql (at /in) lies in no source']);
    });
  });
});

describeAsRoot('how much a source holds at least', () => {
  let root: string;
  let box: Box;
  const MIB = 2 ** 20;
  const mounted = { own: 'ext4', top: 'btrfs', parted: 'btrfs' };
  beforeAll(() => {
    root = fs.mkdtempSync(path.join(os.tmpdir(), 'resurgo-check-'));
    const sh = (code: string) => execFileSync('sh', ['-ec', code], { cwd: root, stdio: 'pipe' });
    for (const [name, type] of Object.entries(mounted)) {
      sh(`truncate -s 200M ${name}.img; mkfs.${type} -q ${name}.img; mkdir ${name}; mount -o loop ${name}.img ${name}`);
    }
    sh('btrfs -q subvolume create parted/other; mkdir own/part');
    for (const file of ['own/f', 'own/part/f', 'top/f', 'parted/other/f'])
      sh(`dd if=/dev/urandom of=${file} bs=1M count=10 status=none; sync ${file}`);
    sh('sync -f own; sync -f top; sync -f parted');
    const source = (name: string, kind: string, place: string) =>
      `source portal ${name} ${kind} ${path.join(root, place)} app-1@${name}`;
    box = new Box({
      conf: [
        source('own', 'none', 'own'),
        source('part', 'none', 'own/part'),
        source('top', 'btrfs', 'top'),
        source('parted', 'btrfs', 'parted'),
      ],
    });
  });
  afterAll(() => {
    box.close();
    for (const name of Object.keys(mounted)) spawnSync('umount', [path.join(root, name)]);
    fs.rmSync(root, { recursive: true, force: true });
  });

  it('only what is all of its file system says so', () => {
    const { sources } = check.parse(box.ask('check', { group: 'portal' }));
    const least = Object.fromEntries(sources.map((each) => [each.name, each.leastBytes]));
    expect(least).toMatchObject({ part: 0, parted: 0 });
    for (const name of ['own', 'top']) {
      expect(least[name]).toBe(sources.find((each) => each.name === name)?.usedBytes);
      expect(least[name]).toBeGreaterThan(9 * MIB);
    }
  });
});
