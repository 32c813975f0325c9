/** A whole tree as one tar: both ends of the real thing, with a pipe for the line between them. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { awkwardScript, factsCommand } from '../lab/support/awkward';
import { describeAsRoot, fence, SHELLS } from './support';
import { RUN, SshBox } from './support-sshd';

jest.setTimeout(120_000);

const KIT = path.join(__dirname, '../../hostkit');

describeAsRoot('a tree as one tar', () => {
  describe.each(SHELLS)('by %s', (shell) => {
    let root = '';
    let from = '';
    let to = '';
    beforeEach(() => {
      root = mkdtempSync(path.join(tmpdir(), 'resurgo-tar-'));
      [from, to] = ['from', 'to'].map((name) => path.join(root, name)) as [string, string];
      for (const name of ['from', 'to', 'meta', 'job', 'var', 'outside']) mkdirSync(path.join(root, name));
      writeFileSync(path.join(root, 'job/listing.gz'), Buffer.alloc(200_000, 'listing\n'));
      script('receiver', 'cd "$1/to"; RESURGO_VAR=$1/var scope_meta=$1/meta; tar_receive');
      lineIs('exec "$0.receiver"');
    });
    afterEach(() => {
      rmSync(root, { recursive: true, force: true });
    });

    /** An executable file with the hostkit's functions; `$1` is the test's folder. */
    function script(name: string, body: string): string {
      const file = path.join(root, name);
      const parts = ['lib/base.sh', 'lib/tar-stream.sh'].map((part) => `. "$RESURGO_LIB/${part}"`);
      const say = 'fail() { printf "%s: %s\\n" "$1" "$2"; exit 1; }';
      writeFileSync(file, ['set -eu; LC_ALL=C RESURGO_LIB=' + KIT, `set -- '${root}'`, ...parts, say, body].join('\n'));
      return file;
    }

    /** What the sender's `./ssh` is. */
    function lineIs(body: string): void {
      const file = path.join(root, 'job/ssh');
      writeFileSync(file, `#!/bin/sh\n${body}\n`);
      writeFileSync(`${file}.receiver`, `#!/bin/sh\nexec ${shell} ${root}/receiver\n`);
      for (const each of [file, `${file}.receiver`]) chmodSync(each, 0o755);
    }

    function sh(command: string): string {
      const ran = spawnSync('sh', ['-c', command, 'sh', root], { encoding: 'utf8', timeout: 60_000 });
      if (ran.status !== 0) throw new Error(`exit ${ran.status}: ${ran.stderr}`);
      return ran.stdout;
    }

    /** Sends; what the job would end by, and say. */
    function send(options = ''): { code: string; said: string; bytes: number } {
      const file = script('sender', `cd "$1/job"; tar_send restore "$1/from" listing.gz ${options}`);
      const ran = spawnSync(shell.split(' ')[0] ?? '', [...shell.split(' ').slice(1), file], { timeout: 60_000 });
      if (ran.status !== 0) throw new Error(`exit ${ran.status}: ${ran.stderr.toString()}`);
      const text = (name: string) => readFileSync(path.join(root, 'job', name), 'utf8').trim();
      return {
        code: text('restore.rc'),
        said: text('restore.err'),
        bytes: parseInt(text('restore.out').split('\n').at(-1) ?? '', 10),
      };
    }

    /** What somebody else's bytes come to, at the receiver. */
    function receive(input: Buffer): { status: number | null; said: string } {
      const [program, ...args] = [...shell.split(' '), path.join(root, 'receiver')];
      const ran = spawnSync(program, args, { input, timeout: 60_000 });
      return { status: ran.status, said: ran.stdout.toString() };
    }

    /** A tar as the sender would put it on the line. */
    const framed = (tar: Buffer, end = 'end\n'): Buffer =>
      Buffer.concat([Buffer.from('listing 2\nxx'), tar, Buffer.from(end)]);
    const tarOf = (command: string): Buffer =>
      spawnSync('sh', ['-c', `cd "$1" && ${command}`, 'sh', root], { maxBuffer: 2 ** 27 }).stdout;

    it('brings all that a file system can hold, but for sockets, and the listing with it', () => {
      sh(awkwardScript({ dir: from, holds: 'full' }));
      // More than is told at once.
      sh(
        'head -c 20000000 /dev/urandom >"$1/from/large"; setfattr -n security.selinux -v x "$1/from/large" 2>/dev/null || :',
      );
      const { code, bytes } = send();
      expect([code, bytes % 2 ** 18]).toEqual(['0', 0]);
      expect(bytes).toBeGreaterThan(23_000_000);
      rmSync(path.join(from, 'sock'));
      sh('setfattr -x security.selinux "$1/from/large" 2>/dev/null || :');
      // Removing the socket has touched the folder itself.
      sh('touch -r "$1/to" "$1/from"');
      expect(sh(factsCommand(to))).toBe(sh(factsCommand(from)));
      expect(readFileSync(path.join(root, 'meta/listing.gz'))).toEqual(readFileSync(path.join(root, 'job/listing.gz')));
    });

    it('leaves out what it is told to, with the folder itself there', () => {
      sh('mkdir -p "$1/from/a/b" "$1/from/x/a/b"; touch "$1/from/a/b/one" "$1/from/x/a/b/two"');
      expect(send("'--exclude=./a/b/*'").code).toBe('0');
      expect(readdirSync(path.join(to, 'a/b'))).toEqual([]);
      expect(readdirSync(path.join(to, 'x/a/b'))).toEqual(['two']);
    });

    it('over folders that are there gives them what the backup says of them', () => {
      sh(
        'mkdir "$1/from/d" "$1/to/d"; chmod 2750 "$1/from/d"; chown 7:8 "$1/from/d"; setfattr -n user.a -v b "$1/from/d"',
      );
      sh('touch -d @1600000000.5 "$1/from/d" "$1/from"; chmod 700 "$1/from"');
      expect(send().code).toBe('0');
      expect(sh(factsCommand(to))).toBe(sh(factsCommand(from)));
    });

    it('a line that breaks anywhere makes no good end', () => {
      sh('head -c 40000000 /dev/zero | tr "\\0" x >"$1/from/large"');
      for (const bytes of [0, 5, 100_000, 200_014, 200_015, 250_000, 2 ** 24 + 200_015, 2 ** 25]) {
        lineIs(`head -c ${bytes} | "$0.receiver" | grep -v .`);
        expect([bytes, send().code]).toEqual([bytes, '12']);
      }
    });

    it('a line that ends right after the last byte of the tar, and before the word for it, is no good end', () => {
      const tar = tarOf('touch from/one; tar -b 512 -c -C from .');
      expect(receive(framed(tar))).toEqual({ status: 0, said: 'done\n' });
      for (const end of ['', 'en', 'more\n']) expect(receive(framed(tar, end)).status).toBe(1);
      // Tar itself takes what it has for all.
      expect(receive(framed(tar.subarray(0, 512), ''))).toMatchObject({ status: 1 });
    });

    it('tells what tar has to say at the receiver: a full disk', () => {
      sh('head -c 8000000 /dev/urandom >"$1/from/large"');
      script(
        'receiver',
        'mount -t tmpfs -o size=1m none "$1/to"; cd "$1/to"; RESURGO_VAR=$1/var scope_meta=$1/meta; tar_receive',
      );
      writeFileSync(path.join(root, 'job/ssh.receiver'), `#!/bin/sh\nexec unshare -m ${shell} ${root}/receiver\n`);
      const { code, said } = send();
      expect(code).toBe('23');
      expect(said).toMatch(/^failed .*\.\/large: (Wrote only|Cannot write)/);
    });

    it('a tree that can not be read to its end is no whole one', () => {
      sh('touch "$1/from/one"');
      const { code, said } = send('--no-such-option');
      expect(code).toBe('23');
      expect(said).toMatch(/no-such-option/);
    });

    it('a file that can not be read is told, also where the line breaks after it', () => {
      // What tar can not read of a file it fills up with zeros: by its size and time that is whole.
      sh('mkdir "$1/from/sys"; head -c 40000000 /dev/zero >"$1/from/z-large"');
      const within = (line: string): string => {
        lineIs(line);
        const file = script(
          'sender',
          `mount --bind /sys/kernel/mm "$1/from/sys"; cd "$1/job"; tar_send restore "$1/from" listing.gz --sort=name; cat restore.rc`,
        );
        return spawnSync('unshare', ['-m', ...shell.split(' '), file], {
          encoding: 'utf8',
          timeout: 60_000,
        }).stdout.trim();
      };
      expect(within('exec "$0.receiver"')).toBe('23');
      expect(readFileSync(path.join(root, 'job/tar.err'), 'utf8')).toMatch(
        /: (?:Cannot open|File shrank|file changed)/,
      );
      expect(within('head -c 20000000 | "$0.receiver" | grep -v .')).toBe('23');
    });

    it('a line on which nothing moves is ended', () => {
      sh('echo one >"$1/from/one"');
      // As the bridge: a child of its own holds the way back.
      lineIs('exec 5<&0; cat <&5 >/dev/null & sleep 600');
      const file = script(
        'sender',
        'cd "$1/job"; TAR_IDLE_S=2 TAR_LOOK_S=1; tar_send restore "$1/from" listing.gz; cat restore.rc',
      );
      const ran = spawnSync(shell.split(' ')[0] ?? '', [...shell.split(' ').slice(1), file], {
        encoding: 'utf8',
        timeout: 30_000,
      });
      expect(ran.stdout).toBe('12\n');
    });

    it('what tar would take for a hole is not sent so: short files without blocks, and file systems that are not known to count them', () => {
      const may = (folder: string): string => {
        const file = script('may', `if tar_may_read "${folder}"; then echo may; else echo not; fi`);
        return spawnSync(shell.split(' ')[0] ?? '', [...shell.split(' ').slice(1), file], { encoding: 'utf8' }).stdout;
      };
      sh('truncate -s 30M "$1/from/hole"; truncate -s 500 "$1/from/short"; echo text >"$1/from/text"');
      expect(may(from)).toBe('may\n');
      sh('truncate -s 600 "$1/from/doubtful"');
      expect(may(from)).toBe('not\n');
      expect(may('/proc/self')).toBe('not\n');
    });

    it('S22 writes nowhere but below its folder, whatever is in the tar', () => {
      const hostile = [
        'ln -s ../outside from/up; ln -s "$1/outside" from/way; tar -cf a.tar -C from up way; rm from/up from/way; mkdir from/up from/way; touch from/up/x from/way/x; tar -rf a.tar -C from up/x way/x; cat a.tar',
        'touch outside/x; tar -cPf - "$1/outside/x"; rm outside/x',
        'touch outside/x; tar -cPf - -C from ../outside/x; rm outside/x',
        // A hard link to what lies elsewhere, and then its content.
        'echo was >secret; ln secret from/s; tar -cPf b.tar --transform="s,secret,../secret," secret from/s; cat b.tar',
      ];
      for (const command of hostile) {
        receive(framed(tarOf(command)));
        expect([command, readdirSync(path.join(root, 'outside'))]).toEqual([command, []]);
      }
      expect(readFileSync(path.join(root, 'secret'), 'utf8')).toBe('was\n');
    });

    it('S22 can not write to the rest of the system at all: tar itself sees it read-only', () => {
      const said = path.join(root, 'said');
      script(
        'receiver',
        `cd "$1/to"; RESURGO_VAR=$1/var scope_meta=$1/meta
         mkdir "$1/bin"; printf '#!/bin/sh\\nhead -c 262144 >/mnt/was; { touch %s/outside/x; touch /mnt/x; } 2>/mnt/said || :\\n' "$1" >"$1/bin/tar"; chmod 755 "$1/bin/tar"
         fake=$1/bin/tar; tar_here() { tar_program=$fake; }; tar_receive`,
      );
      expect(receive(framed(Buffer.alloc(2 ** 18)))).toEqual({ status: 0, said: 'done\n' });
      expect(existsSync(said)).toBe(false);
      expect(readFileSync(path.join(to, 'said'), 'utf8')).toMatch(/outside\/x.*Read-only file system/);
      expect(existsSync(path.join(to, 'x'))).toBe(true);
      expect(existsSync(path.join(root, 'outside/x'))).toBe(false);
    });

    it.each([
      '',
      'more\n',
      'listing\n',
      'listing -1\n',
      'listing 1x\n',
      'listing 99999999999999\n',
      'listing 5\nab',
      '@RSYNCD: 31.0\n',
    ])('nothing is done with %j', (text) => {
      expect(receive(Buffer.from(text))).toMatchObject({
        status: 1,
        said: expect.not.stringMatching(/done/) as string,
      });
      expect(readdirSync(to)).toEqual([]);
    });

    it('is taken by a rescue system alone, into a folder', () => {
      const asked = (lib: string, scope: string): string => {
        const file = script('asked', `RESURGO_LIB=${lib}; tar_may ${scope}; echo may`);
        return spawnSync(shell.split(' ')[0] ?? '', [...shell.split(' ').slice(1), file], { encoding: 'utf8' }).stdout;
      };
      const rescue = path.join(KIT, 'rescue');
      expect(asked(rescue, 'folder')).toBe('may\n');
      expect(asked(rescue, 'store')).toMatch(/^not-allowed: /);
      expect(asked(KIT, 'folder')).toMatch(/^not-allowed: /);
    });
  });
});

describeAsRoot('a tree as one tar over a real sshd', () => {
  let at: SshBox;
  let root = '';
  beforeAll(async () => {
    at = new SshBox();
    await at.start();
    root = mkdtempSync(path.join(tmpdir(), 'resurgo-tar-'));
    mkdirSync(path.join(root, 'from'));
    writeFileSync(path.join(root, 'from/large'), Buffer.alloc(3_000_000, 'resurgo'));
    writeFileSync(path.join(root, 'listing.gz'), 'listing');
  });
  afterAll(() => {
    at.box.close();
    rmSync(root, { recursive: true, force: true });
  });

  /** The box becomes a rescue system that has mounted a new one, of another name each time. */
  function mounted(): string {
    writeFileSync(at.box.file('lib/resurgo/lib/new.sh'), '');
    const place = `/var/lib/srv/restored/app-1@+t${at.number + 1}`;
    at.box.runs('mkdir', ['-p', place]);
    expect(at.box.runs('mount', ['-t', 'tmpfs', 'none', place]).status).toBe(0);
    return place;
  }
  /** As the sender's job does it, by that `./ssh`. */
  function send(line: string): string {
    writeFileSync(path.join(root, 'ssh'), `#!/bin/sh\nexec ${line}\n`);
    chmodSync(path.join(root, 'ssh'), 0o755);
    const parts = ['base.sh', 'tar-stream.sh'].map((part) => `. ${KIT}/lib/${part}`);
    const text = [
      'set -eu; LC_ALL=C',
      `cd ${root}`,
      ...parts,
      `tar_send restore ${root}/from listing.gz; cat restore.rc restore.err`,
    ];
    writeFileSync(path.join(root, 'sender'), text.join('\n'));
    const ran = at.box.runs('dash', [path.join(root, 'sender')]);
    return ran.stdout + ran.stderr;
  }
  const arrived = (place: string) =>
    at.box.runs('sha256sum', [`${place}/large`, path.join(root, 'from/large')]).stdout.split('\n');

  it('a grant for it takes one, and no rsync; what was granted for rsync takes none', () => {
    const place = mounted();
    const { key, added } = at.open({ stream: 1 });
    expect(added).toMatchObject({ ok: true });
    expect(send(`${at.shell(key)} 127.0.0.1 x`)).toBe('0\n');
    const [there = '', here = ''] = arrived(place);
    expect(there.split(' ')[0]).toBe(here.split(' ')[0]);
    expect(at.rsync(key, ['-r', at.box.file('one'), '127.0.0.1::data/']).status).not.toBe(0);
    const plain = at.open();
    expect(send(`timeout 20 ${at.shell(plain.key)} 127.0.0.1 x`)).toMatch(/^(12|23)\n/);
  });

  it('where the receiver dials, its job takes it', () => {
    const place = mounted();
    const grant = `${RUN}.dial.${(at.number += 1)}`;
    const made = at.box.ask('grant.key', { ...fence({ run: RUN }), grant, purpose: 'send' });
    const signed = { pubkey: String(made.pubkey), signature: String(made.signature), peer: 'app-1', expires_s: 60 };
    const scope = { scope: 'snapshot', source: 'data' };
    const added = at.box.ask('grant.add', { ...fence({ run: RUN }), grant, purpose: 'send', ...signed, ...scope });
    const peer = { peer: 'app-1', peer_host: '127.0.0.1', peer_port: at.port, peer_user: 'resurgo' };
    const keys = { peer_key: at.hostKey.split(' ').slice(0, 2).join(' '), signature: String(added.signature) };
    const job = { job: `${grant}.job`, kind: 'dial', grant, stream: 1, ...peer, ...keys, ...at.folder() };
    expect(at.box.ask('job.start', { ...fence({ run: RUN }), ...job })).toMatchObject({ ok: true });
    expect(send(`/bin/sh /usr/local/lib/resurgo/bridge ${RUN} ${grant}`)).toBe('0\n');
    const [there = '', here = ''] = arrived(place);
    expect(there.split(' ')[0]).toBe(here.split(' ')[0]);
    expect(at.box.ask('job.stop', { ...fence({ run: RUN }), job: job.job })).toMatchObject({ ok: true });
  });

  it('a host that is no rescue system grants none', () => {
    rmSync(at.box.file('lib/resurgo/lib/new.sh'), { force: true });
    expect(at.open({ stream: 1 }).added).toMatchObject({ ok: false, code: 'not-allowed' });
  });
});
