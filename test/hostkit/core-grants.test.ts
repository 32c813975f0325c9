import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { HOSTKIT, describeAsRoot, fence, request } from './support';
import { GROUP, RUN, SshBox, TARGET, TREE, insiders, makeKey } from './support-sshd';

describeAsRoot('grants over a real sshd', () => {
  let at: SshBox;
  beforeAll(async () => {
    at = new SshBox();
    await at.start();
  });
  afterAll(() => {
    at.box.close();
  });

  it('S26 the director reaches the hostkit, and nothing else', () => {
    const asked = at.ssh(at.box.file('director'), ['cat /etc/shadow'], `resurgo 1 probe\n.\n`);
    expect(JSON.parse(asked.stdout)).toMatchObject({ ok: true, host: 'app-1' });
    expect(JSON.parse(at.ssh(at.box.file('director'), [], 'resurgo 1 receive\ngrant x\n.\n').stdout)).toMatchObject({
      ok: false,
      code: 'not-allowed',
    });
    expect(at.ssh(at.box.file('director'), ['-W', '127.0.0.1:1']).status).not.toBe(0);
    expect(at.ssh(at.box.file('director'), ['-o', 'SendEnv=RESURGO_GRANT', 'x'], 'resurgo 1 probe\n.\n').status).toBe(
      0,
    );
  });

  it('S25 pushes whole files with hard links, devices, xattrs and large ids', () => {
    const { key, added } = at.open();
    expect(added).toMatchObject({ ok: true, hostKeys: [at.hostKey.split(' ').slice(0, 2).join(' ')] });
    const from = at.box.file('from');
    fs.mkdirSync(from);
    fs.writeFileSync(path.join(from, 'a'), 'content');
    fs.linkSync(path.join(from, 'a'), path.join(from, 'b'));
    fs.symlinkSync('/etc/shadow', path.join(from, 'link'));
    fs.chownSync(path.join(from, 'a'), 3_000_000, 3_000_001);
    spawnSync('setfattr', ['-n', 'trusted.resurgo', '-v', '1', path.join(from, 'a')]);
    spawnSync('mknod', [path.join(from, 'null'), 'c', '1', '3']);
    const ran = at.rsync(key, [
      '-aHAXS',
      '--numeric-ids',
      '--delete-delay',
      '--info=progress2,stats2',
      `${from}/`,
      TARGET,
    ]);
    expect(ran).toMatchObject({ status: 0 });
    const stat = fs.lstatSync(at.received('a'));
    expect(stat).toMatchObject({ uid: 3_000_000, gid: 3_000_001, nlink: 2 });
    expect(fs.readlinkSync(at.received('link'))).toBe('/etc/shadow');
    expect(fs.lstatSync(at.received('null')).isCharacterDevice()).toBe(true);
  });

  it('S25 gives no reading, no list, no shell, no forwarding', () => {
    const { key } = at.open();
    fs.mkdirSync(path.dirname(at.received('x')), { recursive: true });
    fs.writeFileSync(at.received('x'), 'read me');
    expect(at.rsync(key, ['-a', `${TARGET}x`, at.box.file('stolen')]).status).not.toBe(0);
    expect(fs.existsSync(at.box.file('stolen'))).toBe(false);
    expect(at.rsync(key, ['127.0.0.1::']).stdout).toBe('');
    const shell = at.ssh(key, ['id'], 'id\n');
    expect(`${shell.stdout}${shell.stderr}`).not.toContain('uid=');
    const other = at.ssh(key, [], 'resurgo 1 probe\n.\n');
    expect(other.stdout).not.toContain('"ok":true');
    const forwarded = at.ssh(key, ['-W', `127.0.0.1:${at.port}`]);
    expect(forwarded.stdout).not.toContain('SSH-2.0');
  });

  it('S25 ends at its expiry, by the host and by sshd', () => {
    const { key } = at.open({ expires_s: 1 });
    fs.writeFileSync(at.box.file('one'), '1');
    const until = Date.now() + 2100;
    at.box.waitFor('the expiry', () => Date.now() > until);
    expect(at.rsync(key, [at.box.file('one'), TARGET]).stderr).toMatch(/Permission denied|expired/);
    // The host's own check, should sshd have let it in.
    const asked = at.box.raw('', { RESURGO_GRANT: `receive ${RUN}.grant.${at.number}` });
    expect(asked.stderr).toContain('has expired');
  });

  it('S25 a close ends whoever is inside and forgets the key', () => {
    const { key, grant } = at.open();
    const slow = path.join(at.box.root, 'slow');
    fs.writeFileSync(slow, Buffer.alloc(4_000_000));
    const client = at.startRsync(key, ['--bwlimit=100', slow, TARGET]);
    at.box.waitFor('the receiver', () => insiders(grant).length > 0);
    expect(at.box.ask('grant.close', { ...fence({ run: RUN }), grant })).toMatchObject({ ok: true });
    expect(insiders(grant)).toEqual([]);
    expect(at.authorizedKeys()).not.toContain(grant);
    expect(at.rsync(key, [at.box.file('one'), TARGET]).stderr).toContain('Permission denied');
    expect(at.box.ask('grant.close', { ...fence({ run: RUN }), grant })).toMatchObject({ ok: true });
    expect(fs.readdirSync(at.box.state('lock'))).not.toContain(`grant-${grant}`);
    client.kill();
  });

  it('S27 a key that no enrolled host has signed is refused, also with the director key in hand', () => {
    const pubkey = makeKey(at.box.file('thief'));
    expect(at.open({ pubkey }).added).toMatchObject({ ok: false, code: 'not-allowed' });
    expect(at.open({ signature: 'AAAA' }).added).toMatchObject({ ok: false, code: 'not-allowed' });
    expect(at.open({ peer: 'app-2' }).added).toMatchObject({ ok: false, code: 'not-allowed' });
    expect(at.open({ grant: 'another.name' }).added).toMatchObject({ ok: false, code: 'not-allowed' });
    expect(at.authorizedKeys()).not.toContain(pubkey);
  });

  it('S27 a rescue system gets the trees of its own machine alone', () => {
    const conf = at.box.file('etc/resurgo/host.conf');
    const before = fs.readFileSync(conf, 'utf8');
    const takes = [['web-1@+', 'prod-web-1'], ['web-2@+', 'prod-web-2'], ['web-3@+']];
    fs.appendFileSync(conf, takes.map((fields) => `accept main ${GROUP} ${fields.join(' ')}\n`).join(''));
    const peers = at.box.file('etc/resurgo/peers');
    const identity = fs.readFileSync(peers, 'utf8').replace(/^app-1 /, '');
    for (const peer of ['prod-web-1.rescue', 'prod-web-3.rescue', 'prod-web-2'])
      fs.appendFileSync(peers, `${peer} ${identity}`);
    const asks = (peer: string, tree: string): string => {
      const grant = `${RUN}.back.${++at.number}`;
      const { pubkey, signature } = at.box.ask('grant.key', { ...fence({ run: RUN }), grant, purpose: 'send' });
      const signed = { pubkey: String(pubkey), signature: String(signature), peer, expires_s: 60 };
      const scope = { purpose: 'send', scope: 'backup', store: 'main', id: '20261121_013000', tree };
      const { ok, code } = at.box.ask('grant.add', { ...fence({ run: RUN }), grant, ...signed, ...scope });
      return ok ? 'opened' : String(code);
    };
    expect(asks('prod-web-1.rescue', 'web-1@+')).toBe('opened');
    // One that has left the runbook, of the same machine.
    expect(asks('prod-web-1.rescue', 'web-1@srv')).toBe('opened');
    expect(asks('prod-web-1.rescue', 'web-2@+')).toBe('not-allowed');
    expect(asks('prod-web-1.rescue', 'web-1x@+')).toBe('not-allowed');
    // Whose it is nobody has said.
    expect(asks('prod-web-3.rescue', 'web-3@+')).toBe('not-allowed');
    expect(asks('prod-web-2', 'web-1@+')).toBe('opened');
    fs.writeFileSync(conf, before);
  });

  it.each([
    ['a folder that is not configured', { path: '/etc' }],
    ['a neighbour by its prefix', { path: '/var/lib/srv/restored2' }],
    ["a source of another group's", { scope: 'restore', source: 'other' }],
    ['a source that is a system path', { scope: 'restore', source: 'system' }],
    ['a configured folder that is a system path', { path: '/etc/opened' }],
    ['a store that is not here', { scope: 'store', store: 'vault', tree: TREE }],
  ])('S23 does not open %s', (_name, scope) => {
    expect(at.open(scope).added).toMatchObject({ ok: false, code: 'not-allowed' });
  });

  it('S23 a system path is written to while it is armed, and through no grant any more when it is not', () => {
    const { key, added } = at.open({ scope: 'restore', source: 'armed' });
    expect(added).toMatchObject({ ok: true });
    fs.writeFileSync(at.box.file('one'), '1');
    expect(at.rsync(key, [at.box.file('one'), TARGET])).toMatchObject({ status: 0 });
    at.disarm();
    fs.writeFileSync(at.box.file('other'), '2');
    expect(at.rsync(key, [at.box.file('other'), TARGET]).stderr).toContain('is a system path');
    expect(fs.readdirSync(at.box.file('etc/armed'))).toEqual(['one']);
  });

  it('a rescue system receives into what is mounted for the new system, never into its memory', () => {
    const mark = at.box.file('lib/resurgo/lib/new.sh');
    fs.writeFileSync(mark, '');
    fs.writeFileSync(at.box.file('one'), '1');
    const { key } = at.open();
    const place = path.posix.join('/var/lib/srv/restored', at.folder().tree ?? '');
    expect(at.rsync(key, [at.box.file('one'), TARGET]).stderr).toContain(`nothing is mounted at ${place}`);
    expect(fs.existsSync(at.received('one'))).toBe(false);
    at.box.runs('mkdir', [place]);
    at.box.runs('mount', ['-t', 'tmpfs', 'new', place]);
    expect(at.rsync(key, [at.box.file('one'), TARGET])).toMatchObject({ status: 0 });
    expect(at.box.runs('cat', [`${place}/one`]).stdout).toBe('1');
    at.box.runs('umount', [place]);
    fs.rmSync(mark);
  });

  it('S4 a higher term closes the grants of older runs', () => {
    const { grant } = at.open();
    expect(at.authorizedKeys()).toContain(grant);
    at.box.ask('lease.take', { group: GROUP, run: 'run-00000009', owner: 'o', term: 9, ttl: 60 });
    expect(at.authorizedKeys()).not.toContain(`${RUN}.`);
    expect(at.authorizedKeys()).toContain('resurgo-director');
  });

  it('S4 a grant of a run whose lease is taken between the look at its fence and the grant lets nobody in', () => {
    const scopes = at.box.file('lib/resurgo/lib/scopes.sh');
    const whole = fs.readFileSync(scopes, 'utf8');
    const taking = { group: 'portal', run: 'run-later', owner: 'director', term: 99, ttl: 60 };
    fs.writeFileSync(at.box.file('run/taking'), request('lease.take', taking));
    // The verb's parts are read once the fence has been checked.
    fs.appendFileSync(scopes, `[ "$hostkit_verb" != grant.add ] || ${HOSTKIT} </run/taking >/dev/null\n`);
    const grant = `${RUN}.late`;
    const own = { ...fence({ run: 'run-earlier', term: 50 }), grant, purpose: 'receive' };
    const { pubkey, signature } = at.box.ask('grant.key', own);
    const signed = { pubkey: String(pubkey), signature: String(signature), peer: 'app-1', expires_s: 60 };
    const added = at.box.ask('grant.add', { ...own, ...signed, ...at.folder() });
    fs.writeFileSync(scopes, whole);
    expect(added).toMatchObject({ ok: false, code: 'fenced' });
    expect(at.authorizedKeys()).not.toContain(grant);
  });

  it('S25 a grant that another request closes at this moment is closed', async () => {
    const grant = `${RUN}.gone`;
    const folder = at.box.state(`grants/${grant}`);
    fs.mkdirSync(folder, { recursive: true });
    // As it looks to who has just seen that it is there: what can be looked at, and not opened.
    const socket = net.createServer();
    await new Promise<void>((resolve) => socket.listen(path.join(folder, 'facts'), resolve));
    const closed = at.box.ask('grant.close', { ...fence({ run: 'run-later', term: 99 }), grant });
    socket.close();
    expect(closed).toMatchObject({ ok: true });
    expect(fs.existsSync(folder)).toBe(false);
  });
});
