/** The director's whole state folder in a thief's hands: what he can't do with it on real, enrolled hosts. */
import { cpSync } from 'node:fs';
import * as path from 'node:path';
import { loadDirectorKeys } from '../../hosts/director-keys';
import { runJob } from '../../hosts/jobs';
import { hostRef } from '../../hosts/refs';
import { SshHosts } from '../../hosts/ssh-hosts';
import { addGrant, makeGrantKey } from '../../hosts/verbs/grants';
import { takeLease } from '../../hosts/verbs/lease';
import { describeLab } from './support/describe-lab';
import type { Fleet, Output } from './support/fleet';
import {
  type BackupEnd,
  type Director,
  hostLines,
  local,
  type Product,
  raiseProduct,
  takeDown,
} from './support/product';

const RUNBOOK = (fleet: Fleet) => `version: 1
${hostLines(fleet)}
stores:
  main: { host: target, kind: btrfs, place: /backup }
groups:
  portal:
    sources:
      - { host: app-1, path: /srv/data, name: data, snapshot: btrfs }
    target: main
`;
const TREE = 'app-1@+srv+data';
const RUN = 'r20991231t000000z-thief0';

describeLab('a thief with the whole state folder', () => {
  let product: Product;
  let thief: Director;
  let stolen: string;
  let backup: BackupEnd;
  let hosts: SshHosts;
  const at = (host: string) => ({ hosts, host: hostRef({ runbook: product.runbook, host }) });
  const fence = (step: string, term: number) => ({ group: 'portal', run: RUN, term, step, attempt: 1 });
  const on = async (host: string, command: string) => (await product.fleet.exec(host, command)).stdout.trim();

  beforeAll(async () => {
    product = await raiseProduct({
      name: 'thief',
      hosts: [
        { name: 'app-1', disk: 'btrfs', docker: false },
        { name: 'target', disk: 'ext4', docker: false, store: 'btrfs' },
      ],
      runbook: RUNBOOK,
      prepare: async (fleet) => {
        await fleet.exec('app-1', 'btrfs subvolume create /srv/data && echo a-secret >/srv/data/file');
      },
    });
    backup = await product.backup();
    await product.run(['engine', 'stop']);
    stolen = path.join(path.dirname(product.stateDir), 'stolen');
    cpSync(product.stateDir, stolen, { recursive: true });
    thief = product.other('stolen', stolen);
    hosts = await SshHosts.open({ stateDir: stolen });
  }, 400_000);
  afterAll(async () => {
    await (hosts as SshHosts | undefined)?.close();
    await takeDown(product);
  }, 120_000);

  test('S27 no key of it opens a shell, a file transfer or a forwarding on any host', async () => {
    const tries = [
      ['TO'],
      ['TO', 'id'],
      ['TO', 'touch /tmp/owned; id'],
      ['TO', "RESURGO_GRANT='send x' id"],
      ['-s', 'TO', 'sftp'],
      ['-W', '127.0.0.1:22', 'TO'],
    ];
    for (const host of ['app-1', 'target'])
      for (const key of ['director', 'jump'])
        for (const words of tries) {
          const said = ssh(product.fleet, path.join(stolen, 'keys', key), host, words);
          expect(said.stdout).not.toMatch(/uid=|SSH-2\.0/);
          expect(said.code).not.toBe(0);
        }
    for (const host of ['app-1', 'target'])
      expect(await on(host, 'ls /tmp/owned 2>/dev/null || echo none')).toBe('none');
  });

  test('S25 a grant is given only to keys that an enrolled host has made and signed', async () => {
    const { term } = await takeLease({
      ...at('target'),
      group: 'portal',
      store: 'main',
      run: RUN,
      owner: 'thief',
      term: 0,
      ttlS: 600,
    });
    await takeLease({ ...at('app-1'), group: 'portal', run: RUN, owner: 'thief', term, ttlS: 600 });
    const keys = await loadDirectorKeys({ stateDir: stolen });
    const own = keys.director.publicKey.split(' ').slice(0, 2).join(' ');
    const grant = 'thief.grant';
    const genuine = await makeGrantKey({ ...at('app-1'), fence: fence('key', term), grant, purpose: 'receive' });
    expect(JSON.stringify(genuine)).not.toMatch(/PRIVATE KEY/);
    const before = await on('target', 'cat /var/lib/resurgo/home/.ssh/authorized_keys');
    const scopes = [
      { purpose: 'receive', scope: { scope: 'store', store: 'main', tree: TREE } },
      { purpose: 'send', scope: { scope: 'backup', store: 'main', id: backup.id, tree: TREE } },
    ] as const;
    for (const { purpose, scope } of scopes) {
      const asked = { ...at('target'), fence: fence('add', term), grant, purpose, scope, peer: 'app-1', expiresS: 600 };
      // His own key under the host's signature, and under his own.
      await expect(addGrant({ ...asked, pubkey: own, signature: genuine.signature })).rejects.toMatchObject({
        code: 'not-allowed',
      });
      const forged = signed(path.join(stolen, 'keys', 'director'), `resurgo-grant ${RUN} ${grant} ${purpose} ${own}`);
      await expect(addGrant({ ...asked, pubkey: own, signature: forged })).rejects.toMatchObject({
        code: 'not-allowed',
      });
    }
    expect(await on('target', 'cat /var/lib/resurgo/home/.ssh/authorized_keys')).toBe(before);
  });

  test('S27 a backup is not sent to a machine of his', async () => {
    const held = { group: 'portal', store: 'main', run: RUN, owner: 'thief', term: 0, ttlS: 600 };
    const { term } = await takeLease({ ...at('target'), ...held });
    const grant = 'thief.line';
    const genuine = await makeGrantKey({ ...at('target'), fence: fence('key', term), grant, purpose: 'receive' });
    const keys = await loadDirectorKeys({ stateDir: stolen });
    const own = keys.director.publicKey.split(' ').slice(0, 2).join(' ');
    const forged = signed(path.join(stolen, 'keys', 'director'), `resurgo-host ${RUN} ${grant} ${own}\n`);
    for (const [index, signature] of [genuine.signature, forged].entries()) {
      const sending = runJob({
        ...at('target'),
        job: `${RUN}.line.${index}`,
        kind: 'restore-send',
        fence: fence('send', term),
        step: 'send',
        args: {
          store: 'main',
          id: backup.id,
          tree: TREE,
          grant,
          dryRun: false,
          delete: false,
          dial: 'out',
          peer: 'app-1',
          peerHost: product.fleet.host('app-1').address,
          peerPort: 22,
          peerUser: 'root',
          peerKey: own,
          signature,
        },
      });
      await expect(sending).rejects.toThrow(/is not signed by the identity/);
    }
  });

  test('S27 what is sealed can neither be removed above the floor nor altered', async () => {
    const { term } = await takeLease({
      ...at('target'),
      group: 'portal',
      store: 'main',
      run: RUN,
      owner: 'thief',
      term: 0,
      ttlS: 600,
    });
    const where = `/backup/portal/backups/${backup.id}`;
    const remove = {
      ...at('target'),
      job: `${RUN}.remove`,
      kind: 'store-remove' as const,
      step: 'remove',
      args: { store: 'main', id: backup.id },
    };
    await expect(runJob({ ...remove, fence: fence('remove', term) })).rejects.toThrow(
      /keeps backup .* whatever the director says/,
    );
    expect(await on('target', `cat ${where}/${TREE}/file; btrfs property get ${where} ro`)).toBe('a-secret\nro=true');
  });

  test('S23 nothing opens a way to write over system paths', async () => {
    const { term } = await takeLease({
      ...at('app-1'),
      group: 'portal',
      run: RUN,
      owner: 'thief',
      term: 1000,
      ttlS: 600,
    });
    await takeLease({ ...at('target'), group: 'portal', run: RUN, owner: 'thief', term, ttlS: 600 });
    for (const folder of [
      '/',
      '/etc',
      '/root/.ssh',
      '/usr/local/lib/resurgo',
      '/var/lib/resurgo/home',
      '/var/restore/../../etc',
    ]) {
      const grant = 'thief.system';
      const key = await makeGrantKey({ ...at('target'), fence: fence('key', term), grant, purpose: 'receive' });
      const scope = { scope: 'folder', path: folder, tree: TREE } as const;
      const asked = {
        ...at('app-1'),
        ...key,
        fence: fence('add', term),
        grant,
        purpose: 'receive',
        scope,
        peer: 'target',
        expiresS: 600,
      } as const;
      await expect(addGrant(asked)).rejects.toThrow(/\[(not-allowed|bad-request)\]/);
      const said = await thief.run(['restore', backup.id, '--to', `app-1:${folder}`, '--plan-only'], { allow: [1, 2] });
      expect(said.stderr).not.toBe('');
    }
    expect(await on('app-1', 'cat /var/lib/resurgo/home/.ssh/authorized_keys | grep -c RESURGO_GRANT || :')).toBe('0');
  }, 240_000);

  test('S28 a host whose key has changed is refused, and the error names the way on', async () => {
    await product.fleet.exec(
      'target',
      "rm /etc/ssh/ssh_host_*; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key; pkill -HUP -o sshd || :",
    );
    const { stderr } = await product.run(['list'], { allow: [1] });
    expect(stderr).toMatch(/target: .*\[host-key-changed\].*--accept-host-key/s);
  });
});

/** A connection by hand, as a thief would try it; TO is replaced by the user and address. */
function ssh(fleet: Fleet, key: string, host: string, words: readonly string[]): Output {
  const pinned = [
    '-i',
    key,
    '-o',
    `UserKnownHostsFile=${fleet.knownHosts}`,
    '-o',
    'BatchMode=yes',
    '-o',
    'IdentitiesOnly=yes',
    '-o',
    'ConnectTimeout=10',
  ];
  const args = [...pinned, ...words.map((word) => (word === 'TO' ? `resurgo@${fleet.host(host).address}` : word))];
  const shell = `timeout 20 ssh ${args.map((each) => `'${each.replaceAll("'", "'\\''")}'`).join(' ')} </dev/null; echo "code $?"`;
  const stdout = local('/bin/sh', ['-c', shell]);
  return { code: Number(/code (\d+)\s*$/.exec(stdout)?.[1]), stdout, stderr: '' };
}

/** An ssh signature in the grants' namespace, base64 as a host makes it. */
function signed(key: string, text: string): string {
  return Buffer.from(local('ssh-keygen', ['-q', '-Y', 'sign', '-f', key, '-n', 'resurgo-grant'], text)).toString(
    'base64',
  );
}
