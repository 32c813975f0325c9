/** A restore between the real jobs: what is protected stays, also in a part of a tree, and makes nothing differ. */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sh, storeKit, tree, type Answer, type StoreKit } from './stores-kit';
import { describeAsRoot } from './support';

jest.setTimeout(120_000);

const ID = '20261121_013000';
const b64 = (lines: readonly string[]): string => Buffer.from(lines.join('\n')).toString('base64');

describeAsRoot('what a restore leaves alone', () => {
  let kit: StoreKit;
  let base: string;
  let run = 0;
  beforeAll(async () => {
    kit = await storeKit({ kind: 'hardlink', fs: 'ext4' });
    const conf = join(kit.root, 'etc/host.conf');
    writeFileSync(conf, `${readFileSync(conf, 'utf8')}restore-to ${kit.root}/to\n`);
    sh(
      `cd "$1" && mkdir part part/deep && echo a >one && echo b >part/two && echo c >part/deep/three
       truncate -s 3M part/deep/holes && echo end >>part/deep/holes && ln part/deep/holes linked && truncate -s 2M '#holes'`,
      kit.source,
    );
    await kit.copy('run-0001');
    expect(kit.seal('run-0001', ID)).toMatchObject({ ok: true });
  });
  beforeEach(() => {
    base = join(kit.root, 'to', tree);
    rmSync(join(kit.root, 'to'), { recursive: true, force: true });
    mkdirSync(base, { recursive: true });
    run += 1;
  });
  afterAll(() => {
    kit.close();
  });

  /** Sends and verifies as an in-place restore does. */
  const restored = async (excludes: readonly string[], subpath?: string): Promise<{ send: Answer; verify: Answer }> => {
    const name = `rest-${String(run).padStart(4, '0')}`;
    const part: Record<string, string> = subpath === undefined ? {} : { subpath };
    const incoming = join(kit.root, 'var/runs', name, 'incoming', tree);
    await kit.serve(subpath === undefined ? base : join(base, subpath), incoming);
    const kept: Record<string, string> = excludes.length === 0 ? {} : { excludes: b64(excludes) };
    const args = { store: 'main', id: ID, tree, delete: '1', ...kept, ...part, ...kit.peer() };
    const send = kit.job('restore-send', args, name);
    if (!send.ok) throw new Error(`not sent: ${JSON.stringify(send)}`);
    const listing = send['listing'] as { sha256: string };
    const place = { path: join(kit.root, 'to'), tree, sha256: listing.sha256, ...kept, ...part };
    return { send, verify: kit.job('restore-verify', place, name) };
  };

  it('S27 a rescue system is sent the trees of its own machine alone', async () => {
    const conf = join(kit.root, 'etc/host.conf');
    const before = readFileSync(conf, 'utf8');
    sh(
      `sed 's/^peer-1 /peer-1.rescue /' "$1" >"$1.new" && cat "$1.new" >>"$1" && rm "$1.new"`,
      join(kit.root, 'etc/peers'),
    );
    await kit.serve(base, join(kit.root, 'var/runs/rest-0100/incoming', tree));
    const args = { store: 'main', id: ID, tree, ...kit.peer(), peer: 'peer-1.rescue' };
    expect(kit.job('restore-send', args, 'rest-0100')).toMatchObject({ ok: false, code: 'not-allowed' });
    expect(readdirSync(base)).toEqual([]);
    writeFileSync(conf, before.replace(/^(accept .*)$/m, '$1 peer-1'));
    expect(kit.job('restore-send', { ...args, job: 'again' }, 'rest-0100')).toMatchObject({ ok: true });
    writeFileSync(conf, before);
  });

  it('files with holes come back with them, and further names of a file are that file', async () => {
    const { send, verify } = await restored([]);
    expect(send).toMatchObject({ ok: true, files: 5 });
    expect(verify).toMatchObject({ equal: true });
    const holes = statSync(join(base, 'part/deep/holes'));
    expect(holes).toMatchObject({ size: 3 * 2 ** 20 + 4, ino: statSync(join(base, 'linked')).ino });
    expect(holes.blocks * 512).toBeLessThan(2 ** 16);
    expect(statSync(join(base, '#holes'))).toMatchObject({ size: 2 * 2 ** 20, blocks: 0 });
  });

  it('S20 a new folder that holds something excluded stays, is told, and is no difference', async () => {
    sh(
      `cd "$1" && mkdir -p "new dir/deep/er" plain gone && echo x >"new dir/deep/er/x.tmp" && echo x >"new dir/y" && echo x >plain/x.tmp
       echo x >gone/z && setfattr -n user.a -v b plain && mkdir xattrs && echo x >xattrs/x.tmp`,
      base,
    );
    const { send, verify } = await restored(['*.tmp']);
    expect(send).toMatchObject({ ok: true });
    expect(verify).toMatchObject({
      ok: true,
      equal: true,
      differences: [],
      kept: ['new%20dir', 'plain', 'xattrs'],
    });
    expect(existsSync(join(base, 'new dir/deep/er/x.tmp'))).toBe(true);
    expect(existsSync(join(base, 'new dir/y'))).toBe(false);
    expect(existsSync(join(base, 'gone'))).toBe(false);
  });

  it('a new folder or file that holds nothing of the kind is a difference, in a kept folder too', async () => {
    const { send } = await restored(['*.tmp']);
    expect(send).toMatchObject({ ok: true });
    sh('cd "$1" && mkdir empty kept && echo x >kept/x.tmp && echo x >kept/file', base);
    const name = `rest-${String(run).padStart(4, '0')}`;
    const { sha256 } = send['listing'] as { sha256: string };
    const place = { path: join(kit.root, 'to'), tree, sha256, excludes: b64(['*.tmp']), job: 'later' };
    const verify = kit.job('restore-verify', place, name);
    expect(verify).toMatchObject({ equal: false, kept: ['kept'] });
    const differing = (verify['differences'] as string[]).map((line) => line.split('\t').at(-1));
    expect(differing.filter((each) => each !== '.')).toEqual(['empty', 'kept/file']);
  });

  it('S20 in a part of a tree an anchored pattern is read from that part, as the plan has moved it', async () => {
    sh('cd "$1" && mkdir -p part/cache part/new/mount && echo x >part/cache/junk && echo x >part/new/mount/x', base);
    const { send, verify } = await restored(['/cache/', '/new/mount'], 'part');
    expect(send).toMatchObject({ ok: true });
    expect(readFileSync(join(base, 'part/cache/junk'), 'utf8')).toBe('x\n');
    expect(readFileSync(join(base, 'part/new/mount/x'), 'utf8')).toBe('x\n');
    expect(verify).toMatchObject({ equal: true, kept: ['new'] });
  });
});

describeAsRoot('headers of encrypted volumes, which lie in the tree of a whole machine', () => {
  const FOLDER = 'var/lib/resurgo/luks';
  let kit: StoreKit;
  let base: string;
  beforeAll(async () => {
    kit = await storeKit({ kind: 'hardlink', fs: 'ext4' });
    const conf = join(kit.root, 'etc/host.conf');
    writeFileSync(conf, `${readFileSync(conf, 'utf8')}restore-to ${kit.root}/to\n`);
    sh(
      `cd "$1" && echo a >one && mkdir -p ${FOLDER} var/lib/resurgo/luks2 && echo secret >${FOLDER}/u.header && setfattr -n user.a -v b ${FOLDER}/u.header && echo b >var/lib/resurgo/luks2/other`,
      kit.source,
    );
    const { open, send, compare } = await kit.copy('run-0001');
    // Else a match would not print what it was refused with.
    if (!open.ok || !send.ok || !compare.ok) throw new Error(`not copied: ${JSON.stringify({ open, send, compare })}`);
    expect(kit.seal('run-0001', ID)).toMatchObject({ ok: true });
    base = join(kit.root, 'to', tree);
  });
  beforeEach(() => {
    rmSync(join(kit.root, 'to'), { recursive: true, force: true });
    mkdirSync(base, { recursive: true });
  });
  afterAll(() => {
    kit.close();
  });

  const restored = async (name: string, more: { headers?: string; subpath?: string }, at: string) => {
    await kit.serve(at, join(kit.root, 'var/runs', name, 'incoming', tree));
    const send = kit.job('restore-send', { store: 'main', id: ID, tree, ...more, ...kit.peer() }, name);
    // Else a match would not print what it was refused with.
    if (!send.ok) throw new Error(`not sent: ${JSON.stringify(send)}`);
    const { sha256 } = send['listing'] as { sha256: string };
    const part: Record<string, string> = more.subpath === undefined ? {} : { subpath: more.subpath };
    const place = { path: join(kit.root, 'to'), tree, sha256, extra: '1', ...part };
    return { send, verify: kit.job('restore-verify', place, name) };
  };

  it('S27 are no files of the machine that is made again, and nothing is missing there', async () => {
    const { send, verify } = await restored('rest-0001', { headers: '0' }, base);
    expect(send).toMatchObject({ ok: true });
    expect(readdirSync(join(base, FOLDER))).toEqual([]);
    expect(readdirSync(join(base, 'var/lib/resurgo/luks2'))).toEqual(['other']);
    expect(verify).toMatchObject({ ok: true, equal: true, differences: [] });
    rmSync(join(base, 'one'));
    const { sha256 } = send['listing'] as { sha256: string };
    const again = { path: join(kit.root, 'to'), tree, sha256, extra: '1', job: 'again' };
    expect(kit.job('restore-verify', again, 'rest-0001')).toMatchObject({ equal: false });
  });

  it('come by themselves for the volumes that they are of, and for whoever asks for them by name', async () => {
    const { verify } = await restored('rest-0002', { subpath: FOLDER }, join(base, FOLDER));
    expect(readFileSync(join(base, FOLDER, 'u.header'), 'utf8')).toBe('secret\n');
    expect(verify).toMatchObject({ ok: true, equal: true });
  });
});
