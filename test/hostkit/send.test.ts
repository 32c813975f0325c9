import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { awkwardTree } from './listing-tree';
import { sh, storeKit, tree, type Answer, type StoreKit } from './stores-kit';
import { describeAsRoot } from './support';

jest.setTimeout(120_000);

/** Which passes a send has made, by the output that each leaves. */
const passes = (kit: StoreKit, run: string): string[] =>
  readdirSync(join(kit.root, 'jobs', `send.${run}`))
    .filter((file) => file.endsWith('.out'))
    .map((file) => file.replace(/(\.\d+)?\.out$/, ''))
    .filter((file) => file !== 'meta')
    .sort();

describeAsRoot('a name that our snapshots have elsewhere', () => {
  let kit: StoreKit;
  beforeAll(async () => {
    kit = await storeKit({ kind: 'hardlink', fs: 'ext4', sizeMiB: 64 });
  });
  afterAll(() => {
    kit.close();
  });

  it('S20 a folder .resurgo that is none of ours is backed up, restored and verified as any other', async () => {
    sh('echo plain >"$1/plain"', kit.source);
    expect(await kit.copy('run-0001')).toMatchObject({ send: { ok: true }, compare: { equal: true } });
    expect(kit.seal('run-0001', '20261121_013000')).toMatchObject({ ok: true });
    sh('mkdir "$1/.resurgo"; echo data >"$1/.resurgo/data"', kit.source);
    const { send, compare } = await kit.copy('run-0002');
    expect(send).toMatchObject({ ok: true });
    expect(compare).toMatchObject({ ok: true, equal: true });
    expect(kit.seal('run-0002', '20261121_013500')).toMatchObject({ ok: true });
    const at = join(kit.root, 'back');
    const destination = join(at, 'x@restored');
    await kit.serve(destination, join(kit.root, 'var/runs/rest-0002/incoming/x@restored'));
    sh('mkdir "$1/.resurgo"; echo extra >"$1/.resurgo/extra"', destination);
    const args = { store: 'main', id: '20261121_013500', tree, delete: '1', ...kit.peer() };
    const restored = kit.job('restore-send', args, 'rest-0002');
    expect(restored).toMatchObject({ ok: true, deletions: 1 });
    expect(readdirSync(join(destination, '.resurgo'))).toEqual(['data']);
    const conf = join(kit.root, 'etc/host.conf');
    writeFileSync(conf, `${readFileSync(conf, 'utf8')}restore-to ${at}\n`);
    const { sha256 } = restored['listing'] as { sha256: string };
    const verify = (job: string) =>
      kit.job('restore-verify', { path: at, tree: 'x@restored', sha256, job }, 'rest-0002');
    expect(verify('whole')).toMatchObject({ ok: true, equal: true });
    writeFileSync(join(destination, '.resurgo/data'), 'else');
    expect(verify('changed')).toMatchObject({ ok: true, equal: false });
    // A backup without one takes none away: an older hostkit does not say that its snapshots lie there.
    const before = { ...args, id: '20261121_013000', job: 'before' };
    expect(kit.job('restore-send', before, 'rest-0002')).toMatchObject({ ok: true, deletions: 0 });
    expect(readdirSync(join(destination, '.resurgo'))).toEqual(['data']);
  });
});

describeAsRoot('a large file whose copy is cut off', () => {
  let kit: StoreKit;
  const MIB = 2 ** 20;
  const SIZE = 24 * MIB;
  beforeEach(async () => {
    kit = await storeKit({ kind: 'hardlink', fs: 'ext4', sizeMiB: 128 });
  });
  afterEach(() => {
    kit.close();
  });

  it.each(['frozen', 'live'])('is gone on with, from a %s source: what has come is not sent again', async (how) => {
    if (how === 'live') writeFileSync(join(kit.root, 'var/live'), '');
    sh('head -c "$2" /dev/urandom >"$1/big"; ln "$1/big" "$1/name"; echo small >"$1/small"', kit.source, String(SIZE));
    expect(kit.job('store-open', { store: 'main' })).toMatchObject({ ok: true });
    await kit.serve(kit.received, join(kit.root, 'var/runs/run-0001/incoming', tree));
    const slow = { source: 'data', streams: '1', io: 'normal', ...kit.peer(), bandwidth_kib: '4096' };
    const cut = kit.start('send', slow);
    const ended = new Promise((done) => cut.once('exit', done));
    const came = () => Number(sh('du -sb "$1" | cut -f1', kit.received));
    for (let tries = 0; came() < SIZE / 2; tries++) {
      expect(tries).toBeLessThan(600);
      await new Promise((done) => setTimeout(done, 50));
    }
    process.kill(-(cut.pid ?? NaN), 'SIGKILL');
    await ended;
    const { sentBytes, ok } = kit.job('send', { ...slow, bandwidth_kib: '0' });
    expect(ok).toBe(true);
    expect(sentBytes).toBeLessThan(SIZE * 0.6);
    expect(sh('stat -c %h "$1/big"', kit.received)).toBe('2\n');
    sh('cmp "$1/big" "$2/name"', kit.source, kit.received);
  });
});

describeAsRoot('S9 what is sent when it is known what lies at the target', () => {
  let kit: StoreKit;
  let run = 0;
  let base = '';
  beforeAll(async () => {
    // With a pattern, so that the listing asks rsync for the names.
    kit = await storeKit({ kind: 'btrfs', fs: 'btrfs', conf: 'exclude web data /cache/' });
    sh(
      'cd "$1" && mkdir cache && echo junk >cache/junk && mkdir 1 2 9 10 gone gone/deep plain && for d in 1 2 9 10 gone/deep plain; do for i in 8 9 10 11; do echo $d $i >$d/$i; done; done; head -c 17000000 /dev/urandom >large',
      kit.source,
    );
  });
  afterAll(() => {
    kit.close();
  });

  /** Changes the source, copies with what is known, and seals. */
  const round = async (change: string, extra: Record<string, string> = { base }): Promise<string[]> => {
    sh(`cd "$1" && ${change}`, kit.source);
    run += 1;
    const name = `run-${String(run).padStart(4, '0')}`;
    const { send, compare } = await kit.copy(name, { streams: '2', ...extra });
    expect(send).toMatchObject({ ok: true });
    expect(compare).toMatchObject({ ok: true, equal: true, differences: [] });
    expect(kit.seal(name, `20261121_01${String(run).padStart(2, '0')}00`)).toMatchObject({ ok: true });
    base = String(send['sha256']);
    return passes(kit, name);
  };

  it('an empty target gets everything without a pass over the whole tree', async () => {
    expect(await round(':', { fresh: '1' })).toEqual(['place', 'rest']);
  });

  it('whatever a file system can hold arrives', async () => {
    awkwardTree(kit.source);
    expect(await round(':')).toContain('whole');
  });

  it('few changes go in one pass: new and changed files, folders, links, attributes, modes', async () => {
    const changes = [
      'echo new >9/new; mkdir -p more/deep/er; echo x >more/deep/er/x; ln -s x more/link; mkfifo more/fifo',
      'echo changed >10/9; ln -sfn elsewhere 1/link',
      'setfattr -n user.only -v attribute 1/9; chmod 700 2; touch -d 2001-01-01 plain',
    ];
    expect(await round(changes.join('; '))).toEqual(['rest']);
    expect(readFileSync(join(kit.received, '10/9'), 'utf8')).toBe('changed\n');
  });

  it('what is gone goes at the target: the whole tree is visited, as old daemons take no list of what to delete', async () => {
    expect(await round('rm 2/8; rm -r gone')).toEqual(['whole']);
    expect(existsSync(join(kit.received, '2/8'))).toBe(false);
    expect(existsSync(join(kit.received, 'gone'))).toBe(false);
  });

  it('a large file that changed is written in place, and nothing else is visited', async () => {
    expect(await round('printf changed | dd of=large conv=notrunc bs=1 seek=5000000 2>/dev/null')).toEqual(['place']);
    sh('cmp "$1/large" "$2/large"', kit.source, kit.received);
  });

  it('where the root changed too, the rest waits: with the root rsync takes all that lies in it, and would send the large file a second time', async () => {
    const change = 'printf again | dd of=large conv=notrunc bs=1 seek=6000000 2>/dev/null; touch -d 2002-02-02 .';
    expect(await round(change)).toEqual(['place', 'rest']);
    const job = join(kit.root, 'jobs', `send.run-${String(run).padStart(4, '0')}`);
    expect(statSync(join(job, 'rest.out')).birthtimeMs).toBeGreaterThanOrEqual(
      statSync(join(job, 'place.1.rc')).mtimeMs,
    );
    sh('cmp "$1/large" "$2/large"', kit.source, kit.received);
  });

  it.each([
    ['a folder becomes a file', 'rm -r plain; echo file >plain'],
    ['a file becomes a folder', 'rm plain; mkdir plain; echo x >plain/x'],
    ['a name with a newline', 'echo x >"1/a\nb"'],
    ['hard links are made', 'ln 1/8 1/twin; ln 1/8 2/twin; ln 9/8 9/twin; ln 9/8 9/third; ln 9/8 9/fourth'],
    ['a hard link is cut and nothing else changes', 'cp -a 1/8 1/new; mv 1/new 1/8'],
    ['hard links are paired anew', 'cp -a 9/third 9/new; mv 9/new 9/third; ln -f 9/third 9/fourth'],
    ['a file of several names gets one more', 'mkdir names; ln 9/third names/one'],
  ])('%s: the whole tree is visited', async (_what, change) => {
    expect(await round(change)).toContain('whole');
  });

  it('a pattern that was added is no reason to send, and what it names goes at the target', async () => {
    const conf = join(kit.root, 'etc/host.conf');
    writeFileSync(conf, `${readFileSync(conf, 'utf8')}exclude web data /more/\n`);
    expect(existsSync(join(kit.received, 'more'))).toBe(true);
    expect(await round('echo x >>9/9')).toContain('whole');
    expect(existsSync(join(kit.received, 'more'))).toBe(false);
  });

  it('what is believed of the target and not so is found out by the comparison, and a pass over all mends it', async () => {
    sh('echo more >>"$1/9/10"', kit.source);
    const name = 'run-0090';
    expect(kit.job('store-open', { store: 'main' }, name)).toMatchObject({ ok: true });
    await kit.serve(kit.received, join(kit.root, 'var/runs', name, 'incoming', tree));
    sh('echo other >"$1/2/9"; rm "$1/2/10"', kit.received);
    const compare = (sent: Answer, job: string): Answer =>
      kit.job('store-compare', { store: 'main', tree, sha256: String(sent['sha256']), job }, name);
    const partly = kit.job('send', { source: 'data', ...kit.peer(), base }, name);
    expect(compare(partly, 'compare')).toMatchObject({ ok: true, equal: false });
    const all = kit.job('send', { source: 'data', ...kit.peer(), job: 'send-all' }, name);
    expect(compare(all, 'compare-all')).toMatchObject({ ok: true, equal: true });
    expect(kit.seal(name, '20261121_020000')).toMatchObject({ ok: true });
    base = String(all['sha256']);
  });

  it('where nothing changed nothing is sent: the sealed listing stands for the one that did not come', () => {
    const name = 'run-0091';
    expect(kit.job('store-open', { store: 'main' }, name)).toMatchObject({ ok: true });
    const compare = { store: 'main', tree, sha256: base };
    expect(kit.job('store-compare', compare, name)).toMatchObject({ ok: true, equal: true });
    expect(kit.seal(name, '20261121_020100')).toMatchObject({ ok: true });
    const other = kit.job('store-compare', { ...compare, sha256: '0'.repeat(64), job: 'other' }, name);
    expect(other).toMatchObject({ ok: false });
  });

  it('S9 names that are numbers are listed although they do not sort as numbers', () => {
    const listing = kit.job('listing', { source: 'data' }, 'run-0092');
    expect(listing).toMatchObject({ ok: true });
    const file = join(kit.root, 'var/runs/run-0092', `${tree}.listing`);
    expect(sh('cut -f10 "$1" | grep -cx -e 1 -e 10 -e 2 -e 9', file).trim()).toBe('4');
  });
});

describeAsRoot('S9 ACLs where the file system keeps them as attributes (XFS)', () => {
  let kit: StoreKit;
  beforeAll(async () => {
    kit = await storeKit({ kind: 'hardlink', fs: 'xfs', sizeMiB: 400 });
  });
  afterAll(() => {
    kit.close();
  });

  it('are taken, stay when the next pass comes by, and are restored without deleting anything', async () => {
    sh('mkdir "$1/d"; echo x >"$1/d/f"; setfacl -d -m u:4001:rwx "$1/d"; setfacl -m u:4000:rw "$1/d/f"', kit.source);
    for (const [run, id] of [
      ['run-0001', '20261121_013000'],
      ['run-0002', '20261121_013500'],
    ] as const) {
      const { compare } = await kit.copy(run);
      expect(compare).toMatchObject({ equal: true, differences: [] });
      expect(kit.seal(run, id)).toMatchObject({ ok: true });
      sh('echo more >>"$1/d/f"; echo new >"$1/d/$2"', kit.source, run);
    }
    const at = join(kit.place, 'restored');
    const destination = join(at, 'x@restored');
    await kit.serve(destination, join(kit.root, 'var/runs/rest-0003/incoming/x@restored'));
    const conf = join(kit.root, 'etc/host.conf');
    writeFileSync(conf, `${readFileSync(conf, 'utf8')}restore-to ${at}\n`);
    for (const job of ['one', 'two']) {
      const args = { store: 'main', id: '20261121_013500', tree, delete: '0', job, ...kit.peer() };
      const { sha256 } = kit.job('restore-send', args, 'rest-0003')['listing'] as { sha256: string };
      const place = { path: at, tree: 'x@restored', sha256, extra: '1', job: `verify-${job}` };
      expect(kit.job('restore-verify', place, 'rest-0003')).toMatchObject({ equal: true, differences: [] });
    }
  });
});

describeAsRoot('S9 a first copy, in which new folders stand for what lies in them', () => {
  let kit: StoreKit;
  beforeEach(async () => {
    kit = await storeKit({ kind: 'btrfs', fs: 'btrfs' });
    const plain =
      'for d in $(seq 30); do mkdir -p "a b/$d"; for i in $(seq 80); do echo $i >"a b/$d/$i"; done; done; cd "a b"';
    const others = [
      'ln -s 1 2/link; mkfifo 2/fifo; mknod 3/null c 1 3; mkdir 4/empty empty',
      'ln 5/1 5/other; ln 6/1 7/other; head -c 17000000 /dev/urandom >8/large',
      'chmod 700 9; chown 12:34 9 9/7; touch -d 2001-01-01 9/8 9 . ..',
    ];
    sh(`cd "$1"; ${plain}; ${others.join('; ')}`, kit.source);
  });
  afterEach(() => {
    kit.close();
  });
  /** How many of a kind the streams took, of which none is ever told by its own name. */
  const took = (kind: string): number => {
    const outputs = sh('cat "$1"/place.?.out', join(kit.root, 'jobs/send.run-0001'));
    return [...outputs.matchAll(new RegExp(`^Number of files: .*${kind}: (\\d+)`, 'gm'))].reduce(
      (sum, [, n]) => sum + Number(n),
      0,
    );
  };

  it('all arrives as it was', async () => {
    const { send, compare } = await kit.copy('run-0001', { streams: '2', fresh: '1' });
    expect(send).toMatchObject({ ok: true });
    expect(compare).toMatchObject({ ok: true, equal: true, differences: [] });
    expect(passes(kit, 'run-0001')).toEqual(['place', 'place', 'rest']);
    expect([took('link'), took('special'), took('dev')]).toEqual([1, 1, 1]);
  });

  it('an attribute that the target makes by itself is found, and goes with the pass that asks for attributes', async () => {
    expect(kit.job('store-open', { store: 'main' })).toMatchObject({ ok: true });
    await kit.serve(kit.received, join(kit.root, 'var/runs/run-0001/incoming', tree));
    sh('setfacl -d -m u:12:r "$1"', kit.received);
    const send = { source: 'data', ...kit.peer() };
    const { sha256 } = kit.job('send', { ...send, fresh: '1' }) as { sha256?: string };
    const compare = () => kit.job('store-compare', { store: 'main', tree, sha256: String(sha256) });
    expect(compare()).toMatchObject({ ok: true, equal: false });
    expect(kit.job('send', { ...send, checksum: '1', job: 'again' })).toMatchObject({ ok: true });
    expect(compare()).toMatchObject({ ok: true, equal: true });
  });
});
