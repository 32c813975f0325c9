/** Enrolment and the rotation of keys on real hosts: a store and a source, each in a box of its own. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureNextKey, loadDirectorKeys } from '../../../hosts/director-keys';
import { enrollHosts, type EnrollOptions } from '../../../hosts/enroll/enroll';
import { rotateKeys, type RotateResult } from '../../../hosts/enroll/rotate';
import { unenrollHost } from '../../../hosts/enroll/unenroll';
import { KnownHosts } from '../../../hosts/known-hosts';
import { hostRef } from '../../../hosts/refs';
import { SshHosts } from '../../../hosts/ssh-hosts';
import { probe } from '../../../hosts/verbs/reading';
import { parseRunbook } from '../../../runbooks/load';
import type { Runbook } from '../../../runbooks/types';
import { describeAsRoot } from '../../hostkit/support';
import { BoxHost } from './box-host';

const DISCLOSED = "/etc/resurgo/host.key (a new identity: the old key was not root's alone)";

describeAsRoot('enrolment on hosts', () => {
  const app = new BoxHost();
  const target = new BoxHost();
  const boxes = new Map([
    ['app-1', app],
    ['target', target],
  ]);
  let stateDir: string;
  let runbook: Runbook;
  const made: string[] = [];
  const lines: string[] = [];
  const newState = (): string => {
    made.push(mkdtempSync(join(tmpdir(), 'resurgo-on-hosts-')));
    return made.at(-1) ?? '';
  };
  const access = () => ({
    runbook,
    admin: (host: string) => boxes.get(host)?.admin() ?? { login: { password: '' } },
    adminKnownHosts: app.known + target.known,
    log: ({ host, text }: { host: string; text: string }) => lines.push(`${host}: ${text}`),
  });
  const enroll = (more: Partial<EnrollOptions> = {}) =>
    enrollHosts({ stateDir, hosts: ['app-1', 'target'], ...access(), ...more });
  const rotate = (): Promise<RotateResult> => rotateKeys({ stateDir, ...access() });
  const loginKey = async (): Promise<string> => (await loadDirectorKeys({ stateDir })).director.publicKey;
  const key = (name: string) => join(stateDir, 'keys', name);

  beforeAll(async () => {
    await app.start();
    await target.start();
    runbook = parseRunbook({
      text: `version: 1
hosts:
  app-1: { address: 127.0.0.1, port: ${app.port}, restore_to: [] }
  target: { address: 127.0.0.1, port: ${target.port}, restore_to: [] }
stores: { main: { host: target, kind: hardlink, place: /var/lib/store } }
groups:
  portal: { sources: [{ host: app-1, path: /var/lib/data, name: data, snapshot: none }], target: main }
`,
      file: 'on-hosts.yaml',
    });
  });
  const begin = async (): Promise<void> => {
    stateDir = newState();
    for (const { error } of (await enroll({ takeOver: true })).failed) throw error;
  };
  beforeEach(() => {
    lines.length = 0;
  });
  afterAll(() => {
    for (const host of [app, target]) host.box.close();
    for (const dir of made) rmSync(dir, { recursive: true });
  });

  describe('keys rotate', () => {
    beforeEach(begin, 30_000);

    /** The state of a rotation that was killed after the new key had reached the hosts, before it was made the director's own. */
    async function cutBeforePromotion(): Promise<void> {
      const keep = readFileSync(key('director'));
      await rotate();
      const next = await loginKey();
      writeFileSync(key('director.next'), readFileSync(key('director')));
      writeFileSync(key('director'), keep);
      const old = await loginKey();
      writeFileSync(key('rotation'), [`next ${bare(next)}`, `old ${bare(old)}`, ''].join('\n'));
      for (const host of [app, target]) host.sh(`printf '%s\\n' '${old}' '${next}' >/etc/resurgo/director.keys`);
      lines.length = 0;
    }

    test('one that was cut off goes on with the key that it has spread', async () => {
      await cutBeforePromotion();
      const { publicKey: next } = await ensureNextKey({ stateDir });
      const takenUp = statSync(key('director.next')).mtime;
      expect(await rotate()).toEqual({ rotated: ['app-1', 'target'], failed: [], leftOut: [], takenUp });
      expect(await loginKey()).toBe(next);
      expect(lines.filter((line) => line.includes('added the new key'))).toEqual([]);
      expect(app.authorizedKeys()).toContain(next);
    }, 30_000);

    test.each([
      ['one that has lost the key that it has spread', (): void => undefined],
      [
        'one whose mark names no key',
        (): void => {
          writeFileSync(key('rotation'), 'remove the old key\n');
        },
      ],
    ])(
      '%s begins anew: the old key goes',
      async (_, change) => {
        await cutBeforePromotion();
        rmSync(key('director.next'));
        change();
        const before = await loginKey();
        expect(await rotate()).toMatchObject({ rotated: ['app-1', 'target'], failed: [] });
        expect(await loginKey()).not.toBe(before);
        for (const host of [app, target]) {
          expect(host.authorizedKeys()).not.toContain(bare(before));
          expect(host.authorizedKeys()).toContain(await loginKey());
        }
        expect(existsSync(key('rotation'))).toBe(false);
      },
      30_000,
    );

    test('a host that it did not reach is no other director’s: the next rotation takes it up, and so does an enrolment', async () => {
      const old = target.read('etc/resurgo/director.keys');
      const back = () => target.sh(`printf %s '${old}' >/etc/resurgo/director.keys`);
      const known = await KnownHosts.open({ stateDir });
      const host = hostRef({ runbook, host: 'target' });
      const pinned = [...known.keysOf(host)];
      // Another machine stands there for the time of a rotation.
      await known.pin({ host, keys: pinned.map(({ type }) => ({ type, base64: 'AAAA' })) });
      expect(await rotate()).toMatchObject({ rotated: ['app-1'], failed: [{ host: 'target' }] });
      await known.pin({ host, keys: pinned });
      expect(target.read('etc/resurgo/director.keys')).toBe(old);
      const hosts = await SshHosts.open({ stateDir });
      await expect(probe({ hosts, host })).rejects.toThrow(
        /\[auth-refused\] Next: .*`resurgo enroll target --update`; after a `resurgo keys rotate` that did not reach this host, run that again/,
      );
      await hosts.close();
      expect((await enroll({ hosts: ['target'] })).failed).toEqual([]);
      expect(target.read('etc/resurgo/director.keys')).toBe(`${await loginKey()}\n`);
      back();
      expect(await rotate()).toMatchObject({ rotated: ['app-1', 'target'], failed: [] });
      expect(target.read('etc/resurgo/director.keys')).toBe(`${await loginKey()}\n`);
      // The rotation has come to its end: from now on that key is nobody's.
      back();
      expect((await enroll({ hosts: ['target'] })).failed).toMatchObject([{ error: { code: 'exists' } }]);
    }, 60_000);

    describe('after one that did not reach a host', () => {
      let first: string;
      let second: string;
      let mark: string;
      let there: () => Promise<void>;

      const only = async (host: BoxHost): Promise<void> => {
        expect(host.read('etc/resurgo/director.keys')).toBe(`${await loginKey()}\n`);
      };

      // Another machine stands in the target's place for the time of a rotation.
      beforeEach(async () => {
        first = await loginKey();
        const known = await KnownHosts.open({ stateDir });
        const host = hostRef({ runbook, host: 'target' });
        const pinned = [...known.keysOf(host)];
        await known.pin({ host, keys: pinned.map(({ type }) => ({ type, base64: 'AAAA' })) });
        there = () => known.pin({ host, keys: pinned });
        expect(await rotate()).toMatchObject({ rotated: ['app-1'], failed: [{ host: 'target' }] });
        second = await loginKey();
        mark = readFileSync(key('rotation'), 'utf8');
      }, 30_000);

      test('the next makes a fresh key all the same, so that one which has leaked since goes', async () => {
        expect(await rotate()).toMatchObject({ rotated: ['app-1'], failed: [{ host: 'target' }], takenUp: undefined });
        expect([first, second]).not.toContain(await loginKey());
        await only(app);
        expect(target.read('etc/resurgo/director.keys')).toBe(`${first}\n`);
        await there();
        const third = await loginKey();
        expect(await rotate()).toMatchObject({ rotated: ['app-1', 'target'], failed: [] });
        expect(await loginKey()).not.toBe(third);
        for (const host of [app, target]) await only(host);
        expect(existsSync(key('rotation'))).toBe(false);
      }, 60_000);

      const put = (name: string, content: string | Buffer): void => {
        writeFileSync(key(name), content);
      };
      interface Cut {
        /** The former key's file, the fresh one's, and the mark that tells of the latter. */
        former: Buffer;
        fresh: Buffer;
        marked: string;
      }
      test.each<[string, (cut: Cut) => void, takenUp: boolean]>([
        [
          'before its key was on every host',
          ({ former, fresh }) => {
            put('director', former);
            put('director.next', fresh);
            put('rotation', mark);
          },
          true,
        ],
        [
          'before its key was the director’s own',
          ({ former, fresh, marked }) => {
            put('director', former);
            put('director.next', fresh);
            put('rotation', marked);
          },
          true,
        ],
        [
          'there, and has lost its key',
          ({ former, marked }) => {
            put('director', former);
            put('rotation', marked);
          },
          false,
        ],
        [
          'before the former key was gone',
          ({ marked }) => {
            put('rotation', marked);
          },
          false,
        ],
      ])(
        'the next that is cut off %s is taken up, and the host that comes back is this director’s',
        async (_, cut, taken) => {
          const former = readFileSync(key('director'));
          await rotate();
          const third = await loginKey();
          cut({ former, fresh: readFileSync(key('director')), marked: readFileSync(key('rotation'), 'utf8') });
          app.sh(`printf '%s\\n' '${second}' '${third}' >/etc/resurgo/director.keys`);
          await there();
          const old = target.read('etc/resurgo/director.keys');
          expect(old).toBe(`${first}\n`);
          expect((await enroll({ hosts: ['target'] })).failed).toEqual([]);
          target.sh(`printf %s '${old}' >/etc/resurgo/director.keys`);
          const { takenUp, ...result } = await rotate();
          expect(result).toEqual({ rotated: ['app-1', 'target'], failed: [], leftOut: [] });
          expect([first, second, ...(taken ? [] : [third])]).not.toContain(await loginKey());
          expect(takenUp === undefined).toBe(!taken);
          for (const host of [app, target]) await only(host);
          expect(existsSync(key('rotation'))).toBe(false);
        },
        60_000,
      );
    });

    test('a host that another director has taken over stays that one’s, and the others get the new key', async () => {
      const other = newState();
      expect((await enroll({ stateDir: other, hosts: ['app-1'], takeOver: true })).failed).toEqual([]);
      const theirs = app.authorizedKeys();
      const before = await loginKey();
      const { rotated, failed } = await rotate();
      expect(rotated).toEqual(['target']);
      expect(failed).toMatchObject([{ host: 'app-1', error: { code: 'exists' } }]);
      expect(failed[0]?.error.message).toMatch(/another director is enrolled here.*resurgo enroll app-1 --take-over/);
      expect(app.authorizedKeys()).toBe(theirs);
      expect(await loginKey()).not.toBe(before);
      expect(target.authorizedKeys()).toContain(await loginKey());
      expect((await enroll({ hosts: ['app-1'], takeOver: true })).failed).toEqual([]);
      expect(await rotate()).toMatchObject({ rotated: ['app-1', 'target'], failed: [] });
    }, 60_000);

    test('a host whose enrolment was cut off holds up no rotation, and is named', async () => {
      const known = await KnownHosts.open({ stateDir });
      const host = hostRef({ runbook, host: 'app-1' });
      const keys = [...known.keysOf(host)];
      await known.unpin({ host });
      app.sh('mv /usr/local/lib/resurgo /usr/local/lib/aside');
      expect(await rotate()).toEqual({ rotated: ['target'], failed: [], leftOut: ['app-1'], takenUp: undefined });
      expect(lines.join('\n')).toMatch(/app-1: left out: .*may let the old key in.*resurgo enroll app-1/);
      // Pinned too, as by the enrolment of a host behind it.
      await known.pin({ host, keys });
      const { rotated, failed } = await rotate();
      app.sh('mv /usr/local/lib/aside /usr/local/lib/resurgo');
      expect(rotated).toEqual(['target']);
      expect(failed).toMatchObject([{ host: 'app-1', error: { code: 'not-enrolled' } }]);
    }, 60_000);
  });

  test('the user is the one that the runbook names, and one of another name is not left beside it', async () => {
    const named = (user: string): Runbook => {
      const { hosts, ...rest } = runbook;
      const host = hosts['app-1'];
      if (host === undefined) throw new Error('no app-1');
      return { ...rest, hosts: { ...hosts, 'app-1': { ...host, user } } };
    };
    const users = () => app.sh('awk -F: \'$6 == "/var/lib/resurgo/home" { print $1 }\' /etc/passwd').stdout;
    const login = { admin: app.admin(), adminKnownHosts: app.known };
    await begin();
    for (const dryRun of [true, false]) {
      const { failed } = await enroll({ hosts: ['app-1'], runbook: named('rescuer'), dryRun });
      expect(failed).toMatchObject([{ error: { code: 'enrolment', step: 'survey' } }]);
      expect(failed[0]?.error.message).toMatch(
        /enrolled with the user resurgo.*nothing was changed.*resurgo unenroll app-1/,
      );
    }
    // Undone by the runbook that names the other already.
    await unenrollHost({ stateDir, runbook: named('rescuer'), host: 'app-1', ...login });
    expect(users()).toBe('');
    const { enrolled, failed } = await enroll({ hosts: ['app-1'], runbook: named('rescuer') });
    expect(failed).toEqual([]);
    expect(enrolled[0]?.changes).toContain('user rescuer');
    expect(users()).toBe('rescuer\n');
    const uid = Number(app.sh('id -u rescuer').stdout);
    expect(uid).toBeGreaterThanOrEqual(64_900);
    expect((await enroll({ hosts: ['app-1'], runbook: named('rescuer'), dryRun: true })).enrolled).toMatchObject([
      { changes: [] },
    ]);
    app.box.starts('setpriv', [`--reuid=${uid}`, '--clear-groups', 'sleep', '100']);
    const outside = spawn('sleep', ['100'], { uid });
    const alive = () =>
      app.sh(`ps -o stat=,pid= -u ${uid} | awk '!/^Z/ { print $2 }'`).stdout.split('\n').filter(Boolean);
    app.box.waitFor('both processes', () => alive().length === 2);
    await unenrollHost({ stateDir, runbook: named('rescuer'), host: 'app-1', ...login });
    // The same number outside, as in a container, is another user.
    app.box.waitFor('the end of its own', () => alive().length < 2);
    expect(alive()).toEqual([String(outside.pid)]);
    outside.kill();
    const { failed: kept } = await enroll({ hosts: ['app-1'], runbook: named('nobody') });
    expect(kept[0]?.error.message).toMatch(/a user nobody that is not ours exists \(home/);
    expect(app.sh('id -u nobody').stdout).not.toBe('');
  }, 60_000);

  describe('a dry run', () => {
    beforeAll(begin, 30_000);

    const JUMP = '/var/lib/resurgo/home/.ssh/authorized_keys2';
    const varied = (name: string, more: Partial<Runbook['hosts'][string]>): Runbook => {
      const host = runbook.hosts['app-1'];
      if (host === undefined) throw new Error('no app-1');
      return { ...runbook, hosts: { ...runbook.hosts, [name]: { ...host, ...more } } };
    };
    const behind = () => varied('inner', { name: 'inner', short: 'inner', via: 'app-1' });
    const nothing = (): undefined => undefined;

    test.each<[string, () => unknown, () => Runbook, string[]]>([
      ['the sweep at boot', () => app.sh('echo >/etc/cron.d/resurgo'), () => runbook, ['/etc/cron.d/resurgo']],
      ['a host behind this one', nothing, behind, [JUMP]],
      ['no host behind it any more', nothing, () => runbook, [`${JUMP} (removed)`]],
      [
        'a folder for restores',
        nothing,
        () => varied('app-1', { restoreTo: ['/var/lib/back/here'] }),
        ['/var/lib/back/here', '/etc/resurgo/host.conf'],
      ],
    ])(
      'says of %s what the real one then does',
      async (_, change, wanted, changes) => {
        change();
        const said = async (dryRun: boolean): Promise<string[]> => {
          const { enrolled, failed } = await enroll({ hosts: ['app-1'], runbook: wanted(), dryRun });
          expect(failed).toEqual([]);
          return [...(enrolled[0]?.changes ?? [])].sort();
        };
        expect(await said(true)).toEqual([...changes].sort());
        expect(await said(false)).toEqual([...changes].sort());
        expect(await said(true)).toEqual([]);
      },
      30_000,
    );

    test('makes no keys for a director that has none', async () => {
      const fresh = newState();
      const { enrolled, failed } = await enroll({ stateDir: fresh, hosts: ['app-1'], takeOver: true, dryRun: true });
      expect(failed).toEqual([]);
      expect(enrolled[0]?.changes).toContain('/etc/resurgo/director.keys');
      expect(readdirSync(fresh)).toEqual([]);
    }, 30_000);
  });

  describe('what was on the host before', () => {
    const login = () => ({ admin: app.admin(), adminKnownHosts: app.known });
    const unenroll = (): Promise<void> => unenrollHost({ stateDir, runbook, host: 'app-1', ...login() });
    /** Its mode and content; '' where there is none. */
    const rcLocal = (): string =>
      app.sh('[ ! -e /etc/rc.local ] || { stat -c %a /etc/rc.local; cat /etc/rc.local; }').stdout;
    const again = async (): Promise<void> => {
      const { enrolled, failed } = await enroll({ hosts: ['app-1'] });
      expect(failed).toEqual([]);
      expect(enrolled).toMatchObject([{ changes: [], bootSweep: 'rc.local' }]);
    };
    /** What a boot would run, with the sweep itself told and not done. */
    const boot = (): string =>
      app.sh("sed 's|^/bin/sh .*/sweep-boot|echo swept|' /etc/rc.local >/run/rc; [ ! -x /etc/rc.local ] || sh /run/rc")
        .stdout;

    beforeAll(async () => {
      await begin();
      await unenroll();
      // Neither systemd nor OpenRC nor cron: the sweep at boot is rc.local's.
      app.sh('mv /etc/cron.d /etc/cron.aside');
    }, 30_000);
    afterAll(() => {
      app.sh('mv /etc/cron.aside /etc/cron.d');
    });

    test.each([
      ['runs', '0750', '#!/bin/sh -e\necho theirs\n', 'swept\ntheirs\n'],
      ['runs, without a first line', '0755', 'echo theirs\n', 'swept\ntheirs\n'],
      ['its administrator has switched off', '0640', '#!/bin/sh\necho theirs\n', 'swept\n'],
    ])(
      'an rc.local that %s goes on as it was, and is as before after the end',
      async (_, mode, text, ran) => {
        app.sh(`printf '${text.replaceAll('\n', '\\n')}' >/etc/rc.local; chmod ${mode} /etc/rc.local`);
        const before = rcLocal();
        expect((await enroll({ hosts: ['app-1'] })).failed).toEqual([]);
        expect(boot()).toBe(ran);
        await again();
        await unenroll();
        expect(rcLocal()).toBe(before);
        app.sh('rm /etc/rc.local');
      },
      60_000,
    );

    test('an rc.local that was not there goes again, unless somebody has added to it', async () => {
      for (const added of ['', 'echo theirs\n']) {
        expect((await enroll({ hosts: ['app-1'] })).failed).toEqual([]);
        app.sh(`printf '${added.replaceAll('\n', '\\n')}' >>/etc/rc.local`);
        expect(boot()).toBe(`swept\n${added === '' ? '' : 'theirs\n'}`);
        await again();
        await unenroll();
        expect(rcLocal()).toBe(added === '' ? '' : `755\n#!/bin/sh\n${added}`);
      }
      app.sh('rm /etc/rc.local');
    }, 60_000);

    test('of the folders for restores those that enrolment made go with it, if they are empty', async () => {
      const folders = ['made/deep', 'made/full', 'theirs'];
      const host = runbook.hosts['app-1'];
      if (host === undefined) throw new Error('no app-1');
      const wide = { ...runbook.hosts, 'app-1': { ...host, restoreTo: folders.map((each) => `/var/lib/${each}`) } };
      app.sh('mkdir /var/lib/theirs');
      expect((await enroll({ hosts: ['app-1'], runbook: { ...runbook, hosts: wide } })).failed).toEqual([]);
      app.sh('cd /var/lib; [ -d made/deep ]; echo x >made/full/restored');
      // A later enrolment has not forgotten which it made.
      expect((await enroll({ hosts: ['app-1'] })).failed).toEqual([]);
      await unenroll();
      expect(app.sh('cd /var/lib; find made theirs | sort').stdout).toBe(
        'made\nmade/full\nmade/full/restored\ntheirs\n',
      );
      app.sh('rm -r /var/lib/made /var/lib/theirs /etc/rc.local 2>/dev/null || :');
    }, 60_000);
  });

  describe('what has come to stand on a host', () => {
    beforeAll(begin, 30_000);

    const identity = () => app.read('etc/resurgo/host.key.pub').split(' ')[1] ?? '';

    test.each([
      ['that its group may read', 'chmod 0640 /etc/resurgo/host.key'],
      ['that is another’s', 'chown nobody /etc/resurgo/host.key'],
      ['that lies elsewhere', 'mv /etc/resurgo/host.key /var/lib/kept; ln -s /var/lib/kept /etc/resurgo/host.key'],
    ])(
      'S28 an identity %s is replaced, and that is said before and after',
      async (_, spoil) => {
        const before = identity();
        app.sh(spoil);
        const dry = await enroll({ hosts: ['app-1'], dryRun: true });
        expect(dry).toMatchObject({ enrolled: [{ changes: [DISCLOSED] }], toUpdate: ['target'] });
        expect(identity()).toBe(before);
        const { enrolled, failed, toUpdate } = await enroll({ hosts: ['app-1'] });
        expect(failed).toEqual([]);
        expect(enrolled[0]?.changes).toEqual([DISCLOSED]);
        expect(toUpdate).toEqual(['target']);
        expect(lines).toContain(`app-1: ${DISCLOSED}`);
        expect(identity()).not.toBe(before);
        expect(app.sh("stat -c '%F %u:%g %a' /etc/resurgo/host.key").stdout).toBe('regular file 0:0 600\n');
        const again = await enroll();
        expect(again).toMatchObject({ toUpdate: [], failed: [] });
        expect(again.enrolled.map(({ changes }) => changes)).toEqual([[], ['/etc/resurgo/peers']]);
        expect(target.read('etc/resurgo/peers')).toContain(identity());
      },
      60_000,
    );

    test('whom a new identity makes out of date is said by the call that made it, though the rest of it failed', async () => {
      app.sh('chmod 0640 /etc/resurgo/host.key; : >/etc/sudoers');
      const { failed, toUpdate } = await enroll({ hosts: ['app-1'] });
      app.sh("echo '@includedir /etc/sudoers.d' >/etc/sudoers");
      expect(failed).toMatchObject([{ host: 'app-1', error: { step: 'install' } }]);
      expect(toUpdate).toEqual(['target']);
      expect(await enroll()).toMatchObject({ toUpdate: [], failed: [] });
      expect(target.read('etc/resurgo/peers')).toContain(identity());
    }, 60_000);

    test.each([
      ['a private half that root alone can read', 'host.key', 'chmod 0400'],
      ['a public half that is another’s', 'host.key.pub', 'echo ssh-ed25519 AAAAother >>$1 && chown nobody'],
    ])(
      '%s is mended, and the identity stays',
      async (_, file, spoil) => {
        const before = identity();
        const path = `/etc/resurgo/${file}`;
        app.sh(`set -- ${path}; ${spoil} $1`);
        const change = `${path} (owner or mode)`;
        expect((await enroll({ hosts: ['app-1'], dryRun: true })).enrolled[0]?.changes).toEqual([change]);
        const { enrolled, toUpdate } = await enroll({ hosts: ['app-1'] });
        expect(enrolled[0]?.changes).toEqual([change]);
        expect(toUpdate).toEqual([]);
        expect(identity()).toBe(before);
        expect((await enroll({ hosts: ['app-1'], dryRun: true })).enrolled[0]?.changes).toEqual([]);
      },
      30_000,
    );

    test('where a link to a folder stands, the file takes its place, and the folder gets nothing', async () => {
      app.sh('mkdir -p /var/lib/foreign; cd /etc/resurgo; rm peers; ln -s /var/lib/foreign peers');
      const { enrolled, failed } = await enroll({ hosts: ['app-1'] });
      expect(failed).toEqual([]);
      expect(enrolled[0]?.changes).toEqual(['/etc/resurgo/peers']);
      const found = app.sh("ls -A /var/lib/foreign; stat -c '%F %u:%g %a' /etc/resurgo/peers");
      expect(found.stdout).toBe('regular file 0:0 600\n');
    }, 30_000);

    test.each(['/etc/resurgo', '/usr/local/lib/resurgo'])(
      '%s that is a link is refused, and nothing is changed',
      async (at) => {
        app.sh(`mv ${at} /var/lib/elsewhere && chmod 0750 /var/lib/elsewhere && ln -s /var/lib/elsewhere ${at}`);
        const before = app.sh('cd /var/lib/elsewhere && find . -type f -exec sha256sum {} + && stat -c %a .').stdout;
        for (const dryRun of [true, false]) {
          const { failed } = await enroll({ hosts: ['app-1'], dryRun });
          expect(failed[0]?.error.message).toContain(`${at} → /var/lib/elsewhere: a symbolic link`);
          expect(failed[0]?.error.message).toContain('nothing was changed');
        }
        expect(app.sh(`readlink ${at}`).stdout).toBe('/var/lib/elsewhere\n');
        expect(app.sh('cd /var/lib/elsewhere && find . -type f -exec sha256sum {} + && stat -c %a .').stdout).toBe(
          before,
        );
        app.sh(`rm ${at} && mv /var/lib/elsewhere ${at}`);
      },
      30_000,
    );
  });
});

function bare(publicKey: string): string {
  return publicKey.split(' ').slice(0, 2).join(' ');
}
