/**
 * A rescue Linux as hosters and live CDs have it: its root is this machine's own, read-only, with all that is written kept in memory; a real
 * sshd lets root in by an administrator's key. It is a mount namespace, and ends with all that was written.
 */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AdminLogin } from '../../../hosts/enroll/admin';
import { parsePublicKey, type PublicKey } from '../../../hosts/known-hosts';
import { endInside } from '../../hostkit/namespaces';
import type { Ran } from '../../hostkit/support';
import { makeKey, sshdConfig } from '../../hostkit/support-sshd';
import { freePort } from '../support/sshd';

const RAISE = `
mount --make-rprivate /
mount -t tmpfs -o mode=755 ram "$1/ram"
mkdir "$1/ram/up" "$1/ram/work" "$1/ram/new"
mount -t overlay -o "lowerdir=/,upperdir=$1/ram/up,workdir=$1/ram/work" overlay "$1/ram/new"
cp -R "$1/ssh" "$1/ram/new/etc/live-ssh"
cd "$1/ram/new"
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=1777 tmp tmp
for name in dev sys proc; do mount --rbind /$name $name; done
mkdir run/old run/sshd
pivot_root . run/old
umount -l /run/old
cd /
rm -rf /etc/resurgo /var/lib/resurgo /usr/local/lib/resurgo
rm -f /etc/ssh/ssh_host_*
cp /etc/live-ssh/host_key /etc/ssh/ssh_host_ed25519_key
cp /etc/live-ssh/host_key.pub /etc/ssh/ssh_host_ed25519_key.pub
sed -i '/^resurgo:/d; s|^\\(root:.*:\\).*$|\\1/bin/sh|' /etc/passwd
sed -i '/^resurgo:/d' /etc/shadow
touch /run/raised
exec /usr/sbin/sshd -D -E /run/sshd.log -f /etc/live-ssh/config
`;

export class LiveHost {
  private readonly dir = mkdtempSync(join(tmpdir(), 'resurgo-live-'));
  private keeper: ChildProcess | undefined;
  port = 0;
  hostKey: PublicKey = { type: '', base64: '' };
  /** Its line of the administrator's known_hosts. */
  known = '';

  async start(): Promise<void> {
    const { dir } = this;
    mkdirSync(join(dir, 'ram'));
    mkdirSync(join(dir, 'ssh'));
    this.port = await freePort();
    const key = makeKey(join(dir, 'ssh', 'host_key'));
    this.hostKey = parsePublicKey(key);
    this.known = `[127.0.0.1]:${this.port} ${key}\n`;
    const admin = makeKey(join(dir, 'ssh', 'admin'));
    const config = sshdConfig(this.port, ['Match User root', '  AuthorizedKeysFile /etc/live-ssh/authorized']);
    const files = { config, authorized: `${admin}\n` };
    for (const [name, text] of Object.entries(files)) spawnSync('tee', [join(dir, 'ssh', name)], { input: text });
    this.keeper = spawn('unshare', ['-m', 'sh', '-euc', RAISE, 'sh', dir], { stdio: ['ignore', 'ignore', 'inherit'] });
    const deadline = Date.now() + 10_000;
    while (spawnSync('ssh-keyscan', ['-p', String(this.port), '127.0.0.1']).stdout.length === 0) {
      if (Date.now() > deadline) throw new Error('no rescue Linux was raised within 10 s');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    }
  }

  admin(): AdminLogin {
    return { login: { privateKey: readFileSync(join(this.dir, 'ssh', 'admin'), 'utf8') } };
  }

  /** Runs a script as its root. */
  sh(script: string): Ran {
    const inside = ['-t', String(this.keeper?.pid), '-m', '-r', '--', 'sh', '-euc', script];
    const ran = spawnSync('nsenter', inside, { timeout: 30_000 });
    return { status: ran.status, stdout: ran.stdout.toString(), stderr: ran.stderr.toString() };
  }

  /** Ends what still runs inside too: sessions and jobs outlive the sshd. */
  close(): void {
    endInside(this.keeper?.pid);
    this.keeper?.kill('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }
}
