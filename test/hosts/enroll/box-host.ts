/** A host to enrol for real: a box with an sshd that lets its root in by an administrator's key. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import type { AdminLogin } from '../../../hosts/enroll/admin';
import { Box } from '../../hostkit/support';
import type { Ran } from '../../hostkit/support';
import { makeKey, sshdConfig } from '../../hostkit/support-sshd';
import { freePort } from '../support/sshd';

export class BoxHost {
  readonly box = new Box();
  port = 0;
  /** Its line of the administrator's known_hosts. */
  known = '';

  /** Nothing of Resurgo stands there but its user. */
  async start(): Promise<void> {
    const { box } = this;
    for (const left of ['etc/resurgo', 'lib/resurgo', 'var/resurgo', 'etc/ssh']) fs.rmSync(box.file(left), OLD);
    for (const dir of ['etc/ssh', 'etc/sudoers.d', 'etc/cron.d', 'run/sshd']) fs.mkdirSync(box.file(dir));
    fs.writeFileSync(box.file('etc/sudoers'), '@includedir /etc/sudoers.d\n', { mode: 0o440 });
    // Root's own shell would read root's own files of this machine.
    const passwd = fs.readFileSync(box.file('etc/passwd'), 'utf8');
    fs.writeFileSync(box.file('etc/passwd'), passwd.replace(/^(root:.*:).*$/m, '$1/bin/sh'));
    // A box has the machine's processes before it: what unenrolment ends by its user must be nobody else's.
    const own = `SYS_UID_MIN ${OWN_UIDS}\nSYS_UID_MAX ${OWN_UIDS + 90}\n`;
    const rest = fs.readFileSync(box.file('etc/login.defs'), 'utf8').replace(/^SYS_UID_.*$/gm, '');
    fs.writeFileSync(box.file('etc/login.defs'), `${rest}${own}`);
    const hostKey = makeKey(box.file('etc/ssh/ssh_host_ed25519_key'));
    fs.writeFileSync(box.file('etc/ssh/admin'), `${makeKey(box.file('admin'))}\n`);
    this.port = await freePort();
    this.known = `[127.0.0.1]:${this.port} ${hostKey}\n`;
    fs.writeFileSync(
      box.file('etc/ssh/sshd_config'),
      sshdConfig(this.port, ['Match User root', '  AuthorizedKeysFile /etc/ssh/admin']),
    );
    // Into a file: a pipe that nobody reads fills after some hundred logins, and sshd waits for room.
    box.starts('/usr/sbin/sshd', ['-D', '-E', '/etc/ssh/log', '-f', '/etc/ssh/sshd_config']);
    box.waitFor('sshd', () => spawnSync('ssh-keyscan', ['-p', String(this.port), '127.0.0.1']).stdout.length > 0);
  }

  admin(): AdminLogin {
    return { login: { privateKey: fs.readFileSync(this.box.file('admin'), 'utf8') } };
  }

  /** Runs a script as the host's root. */
  sh(script: string): Ran {
    return this.box.runs('sh', ['-euc', script]);
  }

  read(file: string): string {
    return fs.readFileSync(this.box.file(file), 'utf8');
  }

  authorizedKeys(): string {
    return this.read('var/resurgo/home/.ssh/authorized_keys');
  }
}

const OWN_UIDS = 64_900;
const OLD = { recursive: true, force: true };
