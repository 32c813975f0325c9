import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describeAsRoot, fence } from './support';
import { RUN, SshBox, TARGET, TREE, insiders, jobProcesses, killJob } from './support-sshd';

describeAsRoot('the jail over a real sshd', () => {
  let at: SshBox;
  beforeAll(async () => {
    at = new SshBox();
    await at.start();
  });
  afterAll(() => {
    at.box.close();
  });

  it('S22 does not follow a link below the allowed root', () => {
    const { key } = at.open({ scope: 'restore', source: 'data', subpath: 'inner/way' });
    fs.rmSync(at.box.file('var/srv/data/inner'), { recursive: true });
    fs.symlinkSync('/etc', at.box.file('var/srv/data/inner'));
    const ran = at.rsync(key, [at.box.file('one'), TARGET]);
    expect(ran.stderr).toContain('symbolic link');
    expect(fs.existsSync(at.box.file('etc/way'))).toBe(false);
    fs.unlinkSync(at.box.file('var/srv/data/inner'));
  });

  it('S29 a hostile client gets nothing out of any of these', async () => {
    const { key } = at.open();
    const before = at.outside();
    const shell = at.shell(key);
    const said = await Promise.all(
      HOSTILE.map(([, args]) => output('rsync', ['-e', shell, '-rt', ...args], at.box.root)),
    );
    expect(at.outside()).toEqual(before);
    said.forEach((text, at) => {
      expect([HOSTILE[at]?.[0], text]).toEqual([HOSTILE[at]?.[0], expect.not.stringContaining('root:')]);
    });
  }, 30_000);

  it('S29 the receiver stands in a root of its own while data comes', () => {
    const { key, grant } = at.open();
    fs.writeFileSync(at.box.file('slow'), Buffer.alloc(4_000_000));
    const client = at.startRsync(key, ['--bwlimit=100', at.box.file('slow'), TARGET]);
    const tree = path.basename(path.dirname(at.received('x')));
    const roots = () => insiders(grant).map(rootOf);
    at.box.waitFor('a chrooted receiver', () => roots().some((root) => root.endsWith(`/${tree}`)));
    client.kill();
    expect(at.box.ask('grant.close', { ...fence({ run: RUN }), grant })).toMatchObject({ ok: true });
  });

  it('S29 a link in the module that leads out is not walked through', () => {
    const { key } = at.open();
    fs.mkdirSync(at.box.file('hostile'), { recursive: true });
    fs.symlinkSync('/var/lib/srv', at.box.file('hostile/way'));
    fs.symlinkSync('../../../srv', at.box.file('hostile/up'));
    expect(at.rsync(key, ['-rl', `${at.box.file('hostile')}/`, TARGET]).status).toBe(0);
    const before = at.outside();
    for (const way of ['way/', 'up/']) {
      at.rsync(key, ['-rt', at.box.file('one'), `127.0.0.1::data/${way}`]);
      at.rsync(key, ['-rtK', at.box.file('one'), `127.0.0.1::data/${way}`]);
    }
    expect(at.outside()).toEqual(before);
  });

  /** The receiver dials: its job keeps connections open, and the sender's rsync takes one. */
  const dial = (signed: (signature: string) => string, place?: Record<string, string>, peerPort = at.port) => {
    const { grant, job, start } = dialling(signed, place, peerPort);
    start();
    return { grant, job };
  };
  const dialling = (
    signed: (signature: string) => string,
    place: Record<string, string> | undefined,
    peerPort: number,
  ) => {
    const grant = `${RUN}.dial.${++at.number}`;
    const made = at.box.ask('grant.key', { ...fence({ run: RUN }), grant, purpose: 'send' });
    const keys = {
      grant,
      purpose: 'send',
      pubkey: String(made.pubkey),
      signature: String(made.signature),
      peer: 'app-1',
      expires_s: 60,
    };
    const added = at.box.ask('grant.add', { ...fence({ run: RUN }), ...keys, scope: 'snapshot', source: 'data' });
    const peer = {
      peer: 'app-1',
      peer_host: '127.0.0.1',
      peer_port: peerPort,
      peer_user: 'resurgo',
      signature: signed(String(added.signature)),
    };
    const scope = place ?? { scope: 'folder', path: '/var/lib/srv/restored', tree: `app-1@+t${at.number}` };
    const peerKey = at.hostKey.split(' ').slice(0, 2).join(' ');
    const job = `${grant}.job`;
    const start = () =>
      at.box.ask('job.start', {
        ...fence({ run: RUN }),
        job,
        kind: 'dial',
        grant,
        ...peer,
        peer_key: peerKey,
        ...scope,
      });
    return { grant, job, start };
  };

  it('a source that can not reach the target is dialled by it, through the same jail', () => {
    const { grant, job } = dial((signature) => signature);
    const send = (from: string, to: string) =>
      at.box.runs('rsync', ['-aH', '--timeout=20', '-e', `/usr/local/lib/resurgo/bridge ${RUN} ${grant}`, from, to]);
    fs.writeFileSync(at.box.file('var/srv/data/big'), Buffer.alloc(3_000_000, 'resurgo'));
    for (let round = 0; round < 4; round++)
      expect(send('/var/lib/srv/data/', 'peer::data/')).toMatchObject({ status: 0 });
    expect(fs.readFileSync(at.received('big')).equals(fs.readFileSync(at.box.file('var/srv/data/big')))).toBe(true);
    expect(send('/var/lib/srv/data/old', 'peer::etc/').status).not.toBe(0);
    expect(send('peer::data/big', '/var/lib/srv/read').status).not.toBe(0);
    expect(fs.existsSync(at.box.file('var/srv/read'))).toBe(false);
    expect(at.box.ask('job.stop', { ...fence({ run: RUN }), job })).toMatchObject({ ok: true });
    expect(at.box.ask('grant.close', { ...fence({ run: RUN }), grant })).toMatchObject({ ok: true });
  });

  it('one that was killed, as by a reboot, is begun again in the same place', () => {
    const { grant, job, start } = dialling((signature) => signature, undefined, at.port);
    start();
    const state = () => at.box.ask('job.poll', { job }).state;
    at.box.waitFor('the lanes', () => jobProcesses(job).length >= 4);
    killJob(job);
    at.box.waitFor('its end', () => state() === 'died');
    expect(start()).toMatchObject({ ok: true });
    const bridge = `/usr/local/lib/resurgo/bridge ${RUN} ${grant}`;
    const sent = at.box.runs('rsync', ['-a', '--timeout=20', '-e', bridge, '/var/lib/srv/data/', 'peer::data/']);
    expect(sent).toMatchObject({ status: 0 });
    expect(state()).toBe('running');
    expect(at.box.ask('job.stop', { ...fence({ run: RUN }), job })).toMatchObject({ ok: true });
  }, 60_000);

  describe('a store that is down to its reserve', () => {
    const scope = { scope: 'store', store: 'small', tree: TREE };
    const words = /no-space: No space left on device above the reserve: store 'small'/;
    beforeEach(() => {
      // 32 MiB, of which 16 stay free.
      fs.mkdirSync(at.box.file('var/srv/small'), { recursive: true });
      const mount = 'mount -t tmpfs -o size=32m none /var/lib/srv/small && mkdir -p /var/lib/srv/small/portal/current';
      expect(
        at.box.runs('sh', ['-c', `${mount} && echo run ${RUN} >/var/lib/srv/small/portal/INCOMPLETE`]).status,
      ).toBe(0);
    });
    afterEach(() => {
      at.box.runs('umount', ['/var/lib/srv/small']);
    });
    const freeMib = () =>
      Number(at.box.runs('df', ['-m', '--output=avail', '/var/lib/srv/small']).stdout.split('\n')[1]);
    const fill = (mib: number) => at.box.runs('sh', ['-c', `head -c ${mib}M /dev/zero >/var/lib/srv/small/other`]);

    it('S29 ends its receivers in the words of a full disk, and lets in no other', async () => {
      const { key, grant } = at.open(scope);
      fs.writeFileSync(at.box.file('huge'), Buffer.alloc(28 * 2 ** 20, 'resurgo'));
      const said = await output(
        'rsync',
        ['-e', at.shell(key), '--bwlimit=6000', at.box.file('huge'), TARGET],
        at.box.root,
      );
      expect(said).toMatch(words);
      expect(freeMib()).toBeGreaterThan(5);
      expect(insiders(grant)).toEqual([]);
      fill(17);
      const again = at.rsync(key, [at.box.file('one'), TARGET]);
      expect([again.status === 0, again.stderr]).toEqual([false, expect.stringMatching(words)]);
    }, 30_000);

    it('the look at the room ends with its receiver', () => {
      const { key, grant } = at.open(scope);
      const began = Date.now();
      expect(at.rsync(key, [at.box.file('one'), TARGET])).toMatchObject({ status: 0, stderr: '' });
      expect(Date.now() - began).toBeLessThan(900);
      expect(insiders(grant)).toEqual([]);
      const client = at.startRsync(key, ['--bwlimit=100', at.box.file('slow'), TARGET]);
      at.box.waitFor('a receiver', () => insiders(grant).length >= 4);
      client.kill();
      at.box.waitFor('its end', () => insiders(grant).length === 0, 5_000);
    });

    it('S29 ends a job that dials with that word', () => {
      const { job } = dial((signature) => signature, scope);
      at.box.waitFor('the lanes', () => jobProcesses(job).length >= 4);
      fill(17);
      at.box.waitFor('its end', () => at.box.ask('job.poll', { job }).state === 'exited', 20_000);
      expect(at.box.ask('job.poll', { job })).toMatchObject({ exit: 1, result: { code: 'no-space' } });
      at.box.waitFor('its processes', () => jobProcesses(job).length === 0, 5_000);
    }, 30_000);
  });

  /** A local user's trick: the folder is renamed and a link to another one laid in its place. Returns how to undo it. */
  const swap = () => {
    const inner = at.box.file('var/srv/data/inner');
    const elsewhere = at.box.file('var/srv/elsewhere');
    fs.mkdirSync(elsewhere, { recursive: true });
    fs.renameSync(inner, `${inner}.moved`);
    fs.symlinkSync('/var/lib/srv/elsewhere', inner);
    return () => {
      const strayed = fs.readdirSync(elsewhere);
      fs.unlinkSync(inner);
      fs.renameSync(`${inner}.moved`, inner);
      return strayed;
    };
  };
  const INNER = { scope: 'restore', source: 'data', subpath: 'inner' };

  it('S22 a folder that is swapped for a link after it was entered is still the one that is written to', async () => {
    const { key, grant } = at.open(INNER);
    // The client says its first word only when the swap is done.
    const go = at.box.file('go');
    const line = at.box.file('line');
    const words = `(until [ -e ${go} ]; do sleep 0.05; done; exec cat <&5) >${line} &`;
    const late = `#!/bin/sh\nmkfifo ${line}\nexec 5<&0\n${words}\nexec ${at.shell(key)} "$@" <${line}\n`;
    fs.writeFileSync(at.box.file('late'), late, { mode: 0o755 });
    fs.writeFileSync(at.box.file('one'), '1');
    const client = at.box.starts('rsync', ['-e', at.box.file('late'), at.box.file('one'), TARGET]);
    const ended = new Promise((resolve) => client.on('close', resolve));
    at.box.waitFor('the daemon', () => insiders(grant).some((pid) => receives(pid, '/data/inner')));
    const undo = swap();
    fs.writeFileSync(go, '');
    expect([await ended, undo()]).toEqual([0, []]);
    expect(fs.readFileSync(at.box.file('var/srv/data/inner/one'), 'utf8')).toBe('1');
  }, 60_000);

  it('S22 the same where this side dials, and no further connection is made into what was swapped', () => {
    const { grant, job } = dial((signature) => signature, INNER);
    const rsync = () => jobProcesses(job).filter((pid) => receives(pid, '/data/inner')).length;
    at.box.waitFor('the lanes', () => rsync() >= 2, 30_000);
    const undo = swap();
    fs.writeFileSync(at.box.file('two'), '2');
    const bridge = `/usr/local/lib/resurgo/bridge ${RUN} ${grant}`;
    const sent = at.box.runs('rsync', ['--timeout=20', '-e', bridge, at.box.file('two'), 'peer::data/']);
    expect(sent).toMatchObject({ status: 0 });
    const told = () => fs.existsSync(at.box.state(`jobs/${job}/result`));
    at.box.waitFor('the refusal', told, 30_000);
    expect(fs.readFileSync(at.box.state(`jobs/${job}/result`), 'utf8')).toContain('symbolic link');
    expect(undo()).toEqual([]);
    expect(fs.readFileSync(at.box.file('var/srv/data/inner/two'), 'utf8')).toBe('2');
    expect(at.box.ask('job.stop', { ...fence({ run: RUN }), job })).toMatchObject({ ok: true });
  }, 90_000);

  it('S17 a seal ends the receivers that this side has dialled for', () => {
    const { job } = dial((signature) => signature);
    const seal = `${RUN}.seal`;
    const manifest = Buffer.from('{"id":"20261121_013000"}').toString('base64');
    const keys = { store: 'main', id: '20261121_013000', manifest, manifest_sig: 'c2ln' };
    expect(at.box.ask('job.poll', { job })).toMatchObject({ state: 'running' });
    at.box.ask('job.start', { ...fence({ run: RUN }), job: seal, kind: 'store-seal', ...keys });
    let now = at.box.ask('job.poll', { job: seal });
    at.box.waitFor('its end', () => (now = at.box.ask('job.poll', { job: seal })).state !== 'running', 60_000);
    // Nothing is open here to be sealed; the receivers are gone before that is looked at.
    expect(now).toMatchObject({ exit: 1, result: { code: 'fenced' } });
    expect(at.box.ask('job.poll', { job })).toMatchObject({ state: 'exited', exit: 143 });
    expect(jobProcesses(job)).toEqual([]);
  }, 90_000);

  it('a connection that can not be made is tried on, and ssh is quoted meanwhile', () => {
    // Nobody listens there: it is nobody's to give.
    const { job } = dial((signature) => signature, undefined, 1);
    let now = at.box.ask('job.poll', { job });
    at.box.waitFor('its word', () => (now = at.box.ask('job.poll', { job })).result !== undefined);
    expect(now).toMatchObject({
      state: 'running',
      result: { code: 'interrupted', message: expect.stringContaining('Connection refused') as string },
    });
    expect(at.box.ask('job.stop', { ...fence({ run: RUN }), job })).toMatchObject({ ok: true });
  }, 60_000);

  it('S28 a host that shows another key than the signed one is not dialled twice', () => {
    at.another();
    const { job } = dial((signature) => signature, undefined, at.otherPort);
    let now = at.box.ask('job.poll', { job });
    at.box.waitFor('its end', () => (now = at.box.ask('job.poll', { job })).state !== 'running');
    expect(now).toMatchObject({
      exit: 1,
      result: {
        code: 'identity-changed',
        message: expect.stringContaining('127.0.0.1 shows another ssh host key') as string,
      },
    });
    at.box.waitFor('its lanes to end', () => jobProcesses(job).length === 0);
  }, 60_000);

  it("S27 a host is not dialled whose key its enrolled identity hasn't signed", () => {
    const { job } = dial(() => 'AAAA');
    let now = at.box.ask('job.poll', { job });
    at.box.waitFor('its end', () => (now = at.box.ask('job.poll', { job })).state !== 'running');
    expect(now).toMatchObject({ exit: 1, result: { code: 'not-allowed' } });
  });
});

/** Whether this is the daemon in that folder. The shell before it stands there too, and may still be looking whether it is the right one. */
function receives(pid: string, folder: string): boolean {
  try {
    const program = fs.readFileSync(`/proc/${pid}/comm`, 'utf8');
    return program === 'rsync\n' && fs.readlinkSync(`/proc/${pid}/cwd`).endsWith(folder);
  } catch {
    return false;
  }
}

/** Where a process sees `/`; the box's /var/lib is a folder of the test. */
function rootOf(pid: string): string {
  try {
    return fs.readlinkSync(`/proc/${pid}/root`);
  } catch {
    return '';
  }
}

/** What a client of our own would never ask for. */
const HOSTILE: [string, string[]][] = [
  ['a path that climbs', ['one', '127.0.0.1::data/../../../escaped']],
  ['a path that climbs in the module', ['one', '127.0.0.1::data/a/../../escaped']],
  ['another module', ['one', '127.0.0.1::etc/']],
  ['a device written to', ['--write-devices', 'one', '127.0.0.1::data/null']],
  ['a backup folder outside', ['--backup', '--backup-dir=/escaped', 'one', '127.0.0.1::data/']],
  ['a temporary folder outside', ['--temp-dir=/escaped', 'one', '127.0.0.1::data/']],
  ['a partial folder outside', ['--partial-dir=/escaped', 'one', '127.0.0.1::data/']],
  ['a link to another tree as a base', ['--link-dest=/secret', 'one', '127.0.0.1::data/']],
  ['its sources taken away', ['--remote-option=--remove-source-files', 'one', '127.0.0.1::data/']],
  ['a log elsewhere', ['--remote-option=--log-file=/escaped', 'one', '127.0.0.1::data/']],
  ['another configuration', ['--remote-option=--config=/etc/passwd', 'one', '127.0.0.1::data/']],
  ['a daemon parameter', ['--remote-option=--dparam=use chroot=no', 'one', '127.0.0.1::data/']],
  ['a file list from the host', ['--files-from=:/etc/passwd', '.', '127.0.0.1::data/']],
];

/** All that a program says, both ways. */
function output(command: string, args: string[], cwd: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(command, args, { cwd, timeout: 20_000 }, (_error, stdout, stderr) => {
      resolve(stdout + stderr);
    });
  });
}
