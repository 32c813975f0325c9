/** A target that is told of a rescue system's identity, on a real host: for whom it then opens a backup, and until when. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { armRescue, type ArmOptions } from '../../../hosts/enroll/arm-rescue';
import { enrollHosts } from '../../../hosts/enroll/enroll';
import { hostRef } from '../../../hosts/refs';
import { SshHosts } from '../../../hosts/ssh-hosts';
import { probe } from '../../../hosts/verbs/reading';
import { parseRunbook } from '../../../runbooks/load';
import type { Runbook } from '../../../runbooks/types';
import { describeAsRoot } from '../../hostkit/support';
import { BoxHost } from './box-host';

const NAME = 'app-1.rescue';
const RUN = 'r20261129t090000z-abcdef';
const DAY = 86_400_000;

describeAsRoot('a target that is armed for a rescue system', () => {
  const target = new BoxHost();
  let dir: string;
  let runbook: Runbook;

  /** A rescue system's identity, as it makes one at each boot. */
  function identity(name: string): string {
    const file = join(dir, name);
    spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'rescue-app-1', '-f', file]);
    return readFileSync(`${file}.pub`, 'utf8').split(' ').slice(0, 2).join(' ');
  }

  function sign(name: string, statement: string): string {
    const file = join(dir, 'statement');
    writeFileSync(file, `${statement}\n`);
    rmSync(`${file}.sig`, { force: true });
    spawnSync('ssh-keygen', ['-Y', 'sign', '-q', '-n', 'resurgo-grant', '-f', join(dir, name), file]);
    return readFileSync(`${file}.sig`, 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('-'))
      .join('');
  }

  const arm = (more: Partial<ArmOptions>): Promise<void> =>
    armRescue({
      ...{ stateDir: join(dir, 'state'), runbook, target: 'target', name: NAME, identity: '' },
      ...{ until: new Date(Date.now() + 7 * DAY), admin: target.admin(), adminKnownHosts: target.known },
      ...more,
    });

  async function withHosts<T>(body: (hosts: SshHosts) => Promise<T>): Promise<T> {
    const hosts = await SshHosts.open({ stateDir: join(dir, 'state') });
    try {
      return await body(hosts);
    } finally {
      await hosts.close();
    }
  }

  /** Asks for a backup, with a key that this identity has signed. */
  function asks(name: string, attempt: number): Promise<unknown> {
    const key = identity(`key-${attempt}`);
    const grant = `${RUN}.way-${attempt}`;
    const args = {
      ...{ group: 'portal', run: RUN, term: 1, step: 'way', attempt, grant, purpose: 'send' as const, scope: 'backup' },
      ...{ store: 'main', id: '20261121_013000', tree: 'app-1@+', pubkey: key, peer: NAME, expiresS: 60 },
      signature: sign(name, `resurgo-grant ${RUN} ${grant} send ${key}`),
    };
    const host = hostRef({ runbook, host: 'target' });
    return withHosts((hosts) => hosts.call({ host, verb: 'grant.add', args }));
  }

  /** Puts this line of shell before the target's ssh-keygen. @returns what takes it away */
  function keygen(line: string): () => void {
    const file = '/usr/local/bin/ssh-keygen';
    target.sh(`cat >${file} <<'X'\n#!/bin/sh\n${line}\nexec /usr/bin/ssh-keygen "$@"\nX\nchmod 755 ${file}`);
    return () => {
      target.sh(`rm ${file}`);
    };
  }

  const enroll = () =>
    enrollHosts({
      ...{ stateDir: join(dir, 'state'), runbook, hosts: ['target'] },
      ...{ admin: () => target.admin(), adminKnownHosts: target.known },
    });

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'resurgo-arm-'));
    await target.start();
    runbook = parseRunbook({
      text: `version: 1
hosts:
  app-1: { address: 127.0.0.9 }
  target: { address: 127.0.0.1, port: ${target.port} }
stores: { main: { host: target, kind: hardlink, place: /var/lib/store } }
groups: { portal: { sources: [{ host: app-1, path: /, name: system, snapshot: none }], target: main } }
`,
      file: 'arm.yaml',
    });
    for (const { error } of (await enroll()).failed) throw error;
  }, 60_000);
  afterAll(() => {
    target.box.close();
    rmSync(dir, { recursive: true });
  });

  test('S27 opens a backup for the identity that its root was told of, and for no other', async () => {
    identity('thief');
    await expect(asks('thief', 1)).rejects.toMatchObject({ code: 'not-allowed' });
    await arm({ identity: identity('rescue') });
    await expect(asks('thief', 2)).rejects.toMatchObject({ code: 'not-allowed' });
    await expect(asks('rescue', 3)).resolves.toMatchObject({ hostKeys: [expect.stringMatching(/^ssh-ed25519 /)] });
  });

  test('tells it by its fingerprint; another boot of it takes the place of the one before', async () => {
    await arm({ identity: identity('first') });
    await arm({ identity: identity('second') });
    const print = spawnSync('ssh-keygen', ['-lf', join(dir, 'second.pub')], { encoding: 'utf8' }).stdout.split(' ')[1];
    const host = hostRef({ runbook, host: 'target' });
    expect((await withHosts((hosts) => probe({ hosts, host }))).peers).toMatchObject({ [NAME]: print });
    expect(target.read('etc/resurgo/peers').match(new RegExp(`^${NAME} `, 'gm'))).toHaveLength(1);
    await expect(asks('first', 4)).rejects.toMatchObject({ code: 'not-allowed' });
    expect(target.sh('stat -c "%u:%g %a" /etc/resurgo/peers').stdout).toBe('0:0 600\n');
  });

  test('the line of a host whose name differs where it has a dot stays', async () => {
    const other = `app-1-rescue namespaces="resurgo-grant" ${identity('neighbour')}`;
    target.sh(`echo '${other}' >>/etc/resurgo/peers`);
    await arm({ identity: identity('dotted') });
    expect(target.read('etc/resurgo/peers').split('\n')).toContain(other);
    target.sh(`sed -i '/^app-1-rescue /d' /etc/resurgo/peers`);
  });

  test('only until then', async () => {
    await arm({ identity: identity('late') });
    const peers = target.read('etc/resurgo/peers');
    target.sh(`sed -i 's/valid-before="[0-9]*Z"/valid-before="20260101000000Z"/' /etc/resurgo/peers`);
    expect(target.read('etc/resurgo/peers')).not.toBe(peers);
    await expect(asks('late', 5)).rejects.toMatchObject({ code: 'not-allowed' });
  });

  test('in local time, where its ssh-keygen reads no other', async () => {
    // As one before OpenSSH 9.1: it takes no Z.
    const restore = keygen(`case "$*" in *'-Y verify'*) ! grep -q 'Z"' "$5" || exit 255 ;; esac`);
    try {
      await arm({ identity: identity('local') });
      expect(target.read('etc/resurgo/peers')).toMatch(new RegExp(`^${NAME} .*valid-before="[0-9]{14}" `, 'm'));
      await expect(asks('local', 6)).resolves.toBeDefined();
    } finally {
      restore();
    }
  });

  test('not where its ssh-keygen keeps no limit', async () => {
    const before = target.read('etc/resurgo/peers');
    // As one before OpenSSH 8.7 does with a word that it does not know.
    const restore = keygen(`case "$*" in *'-Y verify'*) exit 255 ;; esac`);
    try {
      await expect(arm({ identity: identity('old') })).rejects.toThrow(/valid-before.*OpenSSH 8\.7/);
    } finally {
      restore();
    }
    expect(target.read('etc/resurgo/peers')).toBe(before);
  });

  test('an enrolment takes the line away again', async () => {
    await arm({ identity: identity('again') });
    const { enrolled } = await enroll();
    expect(enrolled[0]?.changes).toContain('/etc/resurgo/peers');
    expect(target.read('etc/resurgo/peers')).not.toContain(NAME);
  });

  test('not a host that is not enrolled', async () => {
    target.sh('mv /etc/resurgo/peers /etc/resurgo/peers.away');
    try {
      await expect(arm({ identity: identity('none') })).rejects.toThrow(/not enrolled/);
    } finally {
      target.sh('mv /etc/resurgo/peers.away /etc/resurgo/peers');
    }
  });
});
