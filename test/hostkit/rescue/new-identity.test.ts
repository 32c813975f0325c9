/** What job new-identity changes in a new system that is a copy, and what it leaves and tells. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeAsRoot, SHELLS } from '../support';
import { useRescueShell } from './kit';

const ID = 'a'.repeat(32);

describeAsRoot('an identity of its own', () => {
  describe.each(SHELLS)('%s', (name) => {
    const shell = useRescueShell(name);
    function copied(files: Record<string, string | null>): {
      told: unknown;
      read: (path: string) => string;
      root: string;
    } {
      const root = shell.files({ 'web-1@+/etc': null, ...files });
      const told = shell.run({
        parts: ['jobs/new-identity.sh'],
        script: `NEW_ROOT='${root}' arg_tree=web-1@+
new_enter() { new=$NEW_ROOT/$arg_tree; }
new_run() { cp -a "$new$3" "$new$4"; }
job_result() { printf '{%s}\\n' "$1"; }
job_main`,
      });
      return { told: JSON.parse(told), read: (path) => readFileSync(join(root, 'web-1@+', path), 'utf8'), root };
    }

    test('machine id, ssh host keys and the key of the fleet are others, each with its public half', () => {
      const of = (path: string) => `web-1@+/${path}`;
      const { told, read, root } = copied({
        [of('etc/machine-id')]: `${ID}\n`,
        [of('var/lib/dbus/machine-id')]: `${ID}\n`,
        [of('var/lib/systemd/random-seed')]: 'x',
        [of('etc/ssh/ssh_host_ed25519_key')]: 'old',
        [of('etc/ssh/ssh_host_ed25519_key.pub')]: 'old',
        [of('etc/ssh/ssh_host_ecdsa_key')]: 'old',
        [of('etc/resurgo/host.key')]: 'old',
        [of('etc/resurgo/host.key.pub')]: 'old',
        [of('etc/resurgo/rescue.key')]: 'old',
      });
      expect(told).toEqual({
        changed: [
          '/etc/machine-id',
          '/var/lib/dbus/machine-id',
          '/etc/ssh/ssh_host_ecdsa_key.pub',
          '/etc/ssh/ssh_host_ecdsa_key',
          '/etc/ssh/ssh_host_ed25519_key.pub',
          '/etc/ssh/ssh_host_ed25519_key',
          '/etc/resurgo/host.key.pub',
          '/etc/resurgo/host.key',
        ],
        left: [],
        whole: true,
      });
      expect(read('etc/machine-id')).toMatch(/^[0-9a-f]{32}\n$/);
      expect(read('etc/machine-id')).not.toBe(`${ID}\n`);
      expect(read('var/lib/dbus/machine-id')).toBe(read('etc/machine-id'));
      for (const key of ['etc/ssh/ssh_host_ed25519_key', 'etc/resurgo/host.key']) {
        const { stdout } = spawnSync('sh', [
          '-c',
          `umask 077; cp "$1" "$1.t"; ssh-keygen -y -f "$1.t"`,
          'sh',
          join(root, 'web-1@+', key),
        ]);
        expect(stdout.toString().split(' ')[1]).toBe(read(`${key}.pub`).split(' ')[1]);
      }
      for (const gone of ['var/lib/systemd/random-seed', 'etc/resurgo/rescue.key'])
        expect(existsSync(join(root, of(gone)))).toBe(false);
    });

    test('what it can’t make, and names that two must not share, are told; nothing is written through a link', () => {
      const of = (path: string) => `web-1@+/${path}`;
      const { told, read, root } = copied({
        elsewhere: 'theirs',
        [of('etc/machine-id')]: '-> ../../elsewhere',
        [of('var/lib/dbus/machine-id')]: '-> /etc/machine-id',
        [of('etc/ssh/ssh_host_dsa_key')]: 'old',
        [of('etc/ssh/ssh_host_rsa_key-cert.pub')]: 'old',
        [of('etc/ssh/ssh_host_rsa_key')]: 'old',
        [of('etc/ssh/ssh_host_rsa_key.resurgo-new')]: '-> ../../../elsewhere',
        [of('etc/ssh/sshd_config')]: '#HostKey /a\nHostKey /etc/ssh/ssh_host_rsa_key\nhostkey "/etc/keys/mine"\n',
        [of('etc/iscsi/initiatorname.iscsi')]: 'InitiatorName=x\n',
        [of('etc/dropbear/initramfs/dropbear_rsa_host_key')]: 'old',
      });
      expect(told).toEqual({
        changed: ['/etc/ssh/ssh_host_rsa_key.pub', '/etc/ssh/ssh_host_rsa_key'],
        left: [
          '/etc/machine-id',
          '/etc/ssh/ssh_host_dsa_key',
          '/etc/ssh/ssh_host_rsa_key-cert.pub',
          '/etc/keys/mine',
          '/etc/iscsi/initiatorname.iscsi',
          '/etc/dropbear/initramfs/dropbear_rsa_host_key',
        ],
        // One that lies elsewhere is shown as before.
        whole: false,
      });
      expect(read('etc/ssh/ssh_host_dsa_key')).toBe('old');
      expect(read('etc/ssh/ssh_host_rsa_key')).toMatch(/^-----BEGIN RSA PRIVATE KEY-----/);
      expect(readFileSync(join(root, 'elsewhere'), 'utf8')).toBe('theirs');
    });
  });
});
