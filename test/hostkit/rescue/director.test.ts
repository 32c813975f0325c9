/** Whom a rescue system lets in, and the machine that is recovered by it: by its boot options, at its console, and in the new system. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ensureDirectorKeys } from '../../../hosts/director-keys';
import { Box, describeAsRoot, SHELLS, type Reply } from '../support';
import { useRescueShell } from './kit';

const key = (letter: string) => `AAAAC3NzaC1lZDI1NTE5AAAAI${letter.repeat(43)}`;
const [BUILT, HEIR] = [key('B'), key('H')];
const HOST_KEY = `ssh-ed25519 ${key('M')}`;

describe.each(SHELLS)('the boot options (%s)', (shell) => {
  test('name a director', () => {
    const line = `BOOT_IMAGE=/x resurgo.director=${HEIR} resurgo.ip=dhcp`;
    const script = `${readFileSync(resolve(__dirname, '../../../hostkit/rescue/options.sh'), 'utf8')}
      rescue_options && printf '%s %s' "$rescue_director" "$rescue_ip"`;
    const [command = '', ...args] = shell.split(' ');
    expect(spawnSync(command, [...args, '-euc', script], { input: `${line}\n`, encoding: 'utf8' }).stdout).toBe(
      `${HEIR} dhcp`,
    );
  });
});

describeAsRoot('a rescue system', () => {
  let box: Box;
  beforeAll(() => {
    box = new Box();
    writeFileSync(box.file('etc/resurgo/director.keys'), `ssh-ed25519 ${BUILT}\n`, { mode: 0o600 });
  });
  afterAll(() => {
    box.close();
  });
  const director = (...words: string[]) => box.runs('/usr/local/lib/resurgo/rescue/director', words);
  const letIn = () => readFileSync(box.state('home/.ssh/authorized_keys'), 'utf8');

  test.each([
    '',
    'yes',
    HEIR.slice(0, 60),
    `${HEIR}x`,
    HEIR.replace('HHH', 'H H'),
    HEIR.replace('HHH', 'H"H'),
    `ssh-rsa ${HEIR}`,
  ])('takes no word for a key that is none: %j', (word) => {
    expect(director(word)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^no ed25519 public key/) as string,
    });
    expect(readFileSync(box.file('etc/resurgo/director.keys'), 'utf8')).toBe(`ssh-ed25519 ${BUILT}\n`);
  });

  test('lets in the director that was typed, and the one of its build no more', () => {
    expect(director(HEIR)).toMatchObject({ status: 0, stdout: expect.stringMatching(/SHA256:/) as string });
    expect(letIn()).toContain(`restrict,command="exec sudo -n /usr/local/lib/resurgo/hostkit" ssh-ed25519 ${HEIR}`);
    expect(letIn()).not.toContain(BUILT);
    expect(director(`ssh-ed25519 ${BUILT}`).status).toBe(0);
    expect(letIn()).toContain(BUILT);
  });

  test('that was told of no key at its boot lets the director of its build in, and says so', () => {
    writeFileSync(box.file('etc/resurgo/director.keys'), `ssh-ed25519 ${BUILT}\n`, { mode: 0o600 });
    const script = `rm -f /var/lib/resurgo/home/.ssh/authorized_keys
      mkdir -p /etc/ssh && echo key >/etc/ssh/ssh_host_ed25519_key
      rescue_say() { echo "$1"; }
      rescue_director=${HEIR}x rescue_host=web-1 rescue_new_keys=no rescue_password=
      . /usr/local/lib/resurgo/rescue/keys.sh
      rescue_keys`;
    expect(box.runs('sh', ['-uc', script]).stdout).toMatch(
      /is no key: nobody but the director of this image is let in/,
    );
    expect(letIn()).toContain(BUILT);
  });

  test('takes what a director has for its key', async () => {
    const { director: pair } = await ensureDirectorKeys({ stateDir: box.file('state') });
    expect(director(pair.publicKey.split(' ')[1] ?? '').status).toBe(0);
  });
});

describeAsRoot('the new system', () => {
  describe.each(SHELLS)('%s', (shell) => {
    const rescue = useRescueShell(shell);

    /** A new system at `new/T`, beside what this rescue system has in `etc`. */
    function letDirectorIn(files: Record<string, string | null>): { result: Reply; read: (file: string) => string } {
      const below = Object.entries(files).map(([name, text]) => [`new/T/${name}`, text] as const);
      const keys = `ssh-ed25519 ${HEIR} resurgo-director\n`;
      const root = rescue.files({ 'new/T': null, 'etc/director.keys': keys, ...Object.fromEntries(below) });
      const out = rescue.run({
        parts: ['jobs/new-director.sh'],
        // Where the new system is mounted, and what it says, are the job's surroundings.
        script: `RESURGO_ETC=${root}/etc NEW_ROOT=${root}/new arg_tree=T
          mountpoint() { :; }
          job_result() { printf '{"ok":true,%s}' "$1"; }
          job_main`,
      });
      return { result: JSON.parse(out) as Reply, read: (file) => readFileSync(join(root, file), 'utf8') };
    }
    const keysOf = (director: string) => ({ 'etc/resurgo/director.keys': `ssh-ed25519 ${director}\n` });

    test('lets in the director of this rescue system, and tells its own host keys', () => {
      const { result, read } = letDirectorIn({
        ...keysOf(BUILT),
        'var/lib/resurgo/home/.ssh/authorized_keys': `restrict ssh-ed25519 ${BUILT}\n`,
        'etc/ssh/ssh_host_ed25519_key.pub': `${HOST_KEY} root@web-1\n`,
        'etc/ssh/ssh_host_dsa_key.pub': 'ssh-dss AAAA root@web-1\n',
        'etc/ssh/ssh_host_rsa_key.pub': 'ssh-rsa "; rm -rf\n',
      });
      expect(result).toEqual({ ok: true, hostKeys: [HOST_KEY] });
      expect(read('new/T/etc/resurgo/director.keys')).toBe(`ssh-ed25519 ${HEIR} resurgo-director\n`);
      expect(read('new/T/var/lib/resurgo/home/.ssh/authorized_keys')).toBe(
        `restrict,command="exec sudo -n /usr/local/lib/resurgo/hostkit" ssh-ed25519 ${HEIR} resurgo-director\n`,
      );
    });

    test('that lets it in already is left, and so is one that was never enrolled', () => {
      const same = { 'etc/resurgo/director.keys': `ssh-ed25519 ${HEIR} resurgo-director\n` };
      expect(letDirectorIn(same).result).toEqual({ ok: true, hostKeys: [], was: true });
      expect(letDirectorIn({}).result).toEqual({ ok: true, hostKeys: [] });
    });

    test('is let in also where an attempt before came to its end half-way', () => {
      const { result, read } = letDirectorIn({
        'etc/resurgo/director.keys': `ssh-ed25519 ${HEIR} resurgo-director\n`,
        'var/lib/resurgo/home/.ssh/authorized_keys': `restrict ssh-ed25519 ${BUILT}\n`,
      });
      expect(result).toEqual({ ok: true, hostKeys: [], was: true });
      expect(read('new/T/var/lib/resurgo/home/.ssh/authorized_keys')).toBe(
        `restrict,command="exec sudo -n /usr/local/lib/resurgo/hostkit" ssh-ed25519 ${HEIR} resurgo-director\n`,
      );
    });

    test('is not written to through a link', () => {
      const { result, read } = letDirectorIn({
        'etc/resurgo/director.keys': '-> ../../theirs',
        theirs: `ssh-ed25519 ${BUILT}\n`,
      });
      expect(result).toEqual({ ok: true, hostKeys: [] });
      expect(read('new/T/theirs')).toBe(`ssh-ed25519 ${BUILT}\n`);
    });
  });
});
