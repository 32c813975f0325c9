import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { canonicalJson } from '../../planning/canonical';
import { describeAsRoot, fence } from './support';
import type { Reply } from './support';
import { RUN, SshBox } from './support-sshd';

jest.setTimeout(120_000);

const SERIES = 'portal.rescue';
const ISO = Buffer.from('an image that boots');

describeAsRoot('rescue media in a store, over a real sshd', () => {
  let at: SshBox;
  beforeAll(async () => {
    at = new SshBox();
    await at.start();
  });
  afterAll(() => {
    at.box.close();
  });

  const fenced = (over: Record<string, string | number> = {}) => fence({ group: SERIES, run: RUN, ...over });
  const kept = (name: string) => at.box.file(`var/srv/store/portal/rescue/app-1/${name}`);
  const ids = () => fs.readdirSync(kept('')).sort();
  const open = (id: string) => at.box.ask('rescue.open', { ...fenced(), store: 'main', host: 'app-1', id });

  /** What job rescue-build leaves. */
  function build(files: Record<string, Buffer> = { 'rescue.iso': ISO, vmlinuz: Buffer.from('kernel') }) {
    const folder = at.box.state(`runs/${RUN}/rescue`);
    fs.rmSync(folder, { recursive: true, force: true });
    fs.mkdirSync(folder, { recursive: true });
    for (const [name, content] of Object.entries(files)) fs.writeFileSync(`${folder}/${name}`, content);
    return Object.entries(files).map(([name, content]) => ({
      name,
      bytes: content.length,
      sha256: sumOf(content),
      pinned: name.endsWith('.iso'),
    }));
  }

  const words = (id: string, files: ReturnType<typeof build>, verdict = 'made') => ({
    build: Buffer.from(canonicalJson({ resurgoRescue: 1, id, host: 'app-1', files, verdict })).toString('base64'),
    build_sig: 'c2ln',
    files: files.map(({ sha256, bytes, name }) => `${sha256} ${bytes} ${name}`).join('\n'),
  });

  function ran(job: string, args: Record<string, string | number>): Reply {
    const started = at.box.ask('job.start', { ...fenced({ step: job }), job, ...args });
    if (!started.ok) return started;
    let polled = at.box.ask('job.poll', { job, wait_ms: 10_000 });
    at.box.waitFor(`the end of ${job}`, () => {
      polled = at.box.ask('job.poll', { job, wait_ms: 1_000 });
      return polled.state !== 'running';
    });
    return polled;
  }

  function granted(id: string, over: Record<string, string | number> = {}) {
    const grant = `${RUN}.rescue.${++at.number}`;
    const made = at.box.ask('grant.key', { ...fenced(), grant, purpose: 'receive' });
    const signed = { pubkey: String(made.pubkey), signature: String(made.signature), peer: 'app-1', expires_s: 60 };
    const scope = { scope: 'rescue', store: 'main', host: 'app-1', id };
    const added = at.box.ask('grant.add', { ...fenced(), grant, purpose: 'receive', ...signed, ...scope, ...over });
    return { grant, added };
  }

  function send(id: string): Reply {
    const { grant, added } = granted(id);
    expect(added).toMatchObject({ ok: true });
    const peer = { peer: 'app-1', peer_host: '127.0.0.1', peer_port: at.port, peer_user: 'resurgo' };
    const key = { peer_key: at.hostKey, signature: String(added.signature) };
    return ran(`${RUN}.send.${at.number}`, { kind: 'rescue-send', grant, ...peer, ...key });
  }

  let keeps = 0;
  const keep = (id: string, files: ReturnType<typeof build>, over: Record<string, string | number> = {}) =>
    ran(`${RUN}.keep.${++keeps}`, {
      kind: 'rescue-keep',
      store: 'main',
      host: 'app-1',
      id,
      ...words(id, files),
      ...over,
    });

  function whole(id: string, over: Record<string, string | number> = {}): Reply {
    const files = build();
    expect(open(id)).toMatchObject({ ok: true });
    expect(send(id)).toMatchObject({ exit: 0 });
    return keep(id, files, over);
  }

  /** As if they had come on that day by the target's clock. */
  const cameOn = (id: string, day: string) => {
    fs.writeFileSync(kept(`${id}/received`), `${day}_120000\n`);
  };

  it('go from the host that made them into the list, the newest three stay, and one file is read back', () => {
    expect(at.box.ask('rescue.list', { store: 'main', group: 'portal' })).toMatchObject({ ok: true, builds: [] });
    const before = utc();
    for (const id of ['20251231_010000', '20260101_010000', '20260102_010000', '20260103_010000'])
      expect(whole(id)).toMatchObject({ exit: 0, result: { id, removed: [] } });
    const came = fs.readFileSync(kept('20260103_010000/received'), 'utf8').trim();
    expect(came >= before && came <= utc()).toBe(true);
    expect(whole('20260104_010000')).toMatchObject({ exit: 0, result: { removed: ['20260101_010000'] } });
    // The first that came today stays.
    expect(ids()).toEqual(['20251231_010000', '20260102_010000', '20260103_010000', '20260104_010000']);
    expect(fs.readFileSync(kept('20260104_010000/rescue.iso')).equals(ISO)).toBe(true);
    expect(fs.statSync(kept('20260104_010000/rescue.iso')).mode & 0o777).toBe(0o600);
    const { builds } = at.box.ask('rescue.list', { store: 'main', group: 'portal', host: 'app-1' });
    expect(builds).toMatchObject([
      { id: '20251231_010000' },
      { id: '20260102_010000' },
      { id: '20260103_010000' },
      { host: 'app-1', sig: 'c2ln' },
    ]);
    const file = at.box.raw(
      'resurgo 1 rescue.file\nstore main\ngroup portal\nhost app-1\nid 20260104_010000\nname rescue.iso\n.\n',
    );
    expect(file.stdout).toBe(`{"ok":true,"bytes":${ISO.length}}\n${ISO.toString()}`);
  });

  it('a build that is known to boot outlives newer ones that are not', () => {
    const files = build();
    const booted = keep('20260102_010000', files, words('20260102_010000', files, 'booted'));
    expect(booted).toMatchObject({ exit: 0, result: { removed: [] } });
    for (const [id, removed] of [
      ['20260105_010000', []],
      ['20260105_020000', ['20260103_010000']],
      ['20260105_030000', ['20260104_010000']],
    ] as const)
      expect(whole(id)).toMatchObject({ result: { removed } });
    expect(ids()).toEqual([
      '20251231_010000',
      '20260102_010000',
      '20260105_010000',
      '20260105_020000',
      '20260105_030000',
    ]);
  });

  it('what a build.json does not name, or names otherwise, is not taken', () => {
    const id = '20260106_010000';
    expect(open(id)).toMatchObject({ ok: true });
    const files = build();
    expect(send(id)).toMatchObject({ exit: 0 });
    const other = files.map((each) => ({ ...each, sha256: sumOf(Buffer.from('other')) }));
    expect(keep(id, other)).toMatchObject({ exit: 1, result: { code: 'failed' } });
    expect(keep(id, files.slice(1))).toMatchObject({ exit: 1, result: { code: 'failed' } });
    expect(keep(id, files, { files: words(id, other).files })).toMatchObject({ result: { code: 'bad-request' } });
    expect(keep(id, files, words('20260107_010000', files))).toMatchObject({ result: { code: 'bad-request' } });
    expect(
      keep(id, [...files, { name: 'more', bytes: 1, sha256: sumOf(Buffer.from('m')), pinned: false }]),
    ).toMatchObject({
      exit: 1,
      result: { code: 'not-found' },
    });
    fs.symlinkSync('/etc/passwd', kept(`${id}.part/more`));
    expect(
      keep(id, [...files, { name: 'more', bytes: 1, sha256: sumOf(Buffer.from('m')), pinned: false }]),
    ).toMatchObject({
      exit: 1,
    });
    expect(ids()).not.toContain(id);
    // Sent again, what lies there besides goes.
    expect(send(id)).toMatchObject({ exit: 0 });
    expect(keep(id, files)).toMatchObject({ exit: 0 });
  });

  it('an older id, one from the future, and one that is there already are refused', () => {
    const old = '20250101_010000';
    open(old);
    expect(keep(old, build())).toMatchObject({ exit: 1, result: { code: 'failed' } });
    const future = '29990101_010000';
    open(future);
    expect(keep(future, build())).toMatchObject({ exit: 1, result: { code: 'failed' } });
    expect(open('20260106_010000')).toMatchObject({ ok: false, code: 'exists' });
  });

  it('what an earlier build left half received goes with the next, and its own stays', () => {
    fs.mkdirSync(kept('.removing-20250102_010000'));
    expect(open('20260108_010000')).toMatchObject({ ok: true });
    fs.writeFileSync(kept('20260108_010000.part/rescue.iso'), 'half');
    expect(open('20260108_010000')).toMatchObject({ ok: true });
    expect(fs.existsSync(kept('20260108_010000.part/rescue.iso'))).toBe(true);
    expect(ids().filter((name) => !/^\d{8}_\d{6}$/.test(name))).toEqual(['20260108_010000.part']);
  });

  it('what was given up goes, and what is in the list stays', () => {
    const drop = (id: string) => at.box.ask('rescue.drop', { ...fenced(), store: 'main', host: 'app-1', id });
    expect(open('20260109_010000')).toMatchObject({ ok: true });
    const kept = ids().filter((name) => !name.endsWith('.part'));
    expect(drop('20260109_010000')).toMatchObject({ ok: true });
    expect(drop(kept.at(-1) ?? '')).toMatchObject({ ok: true });
    expect(ids()).toEqual(kept);
    open('20260108_010000');
  });

  it('S29 a grant opens that one folder, for that host alone, and only while it is open', () => {
    const refused = { ok: false, code: 'not-allowed' };
    expect(granted('20260108_010000', { host: 'app-2' }).added).toMatchObject(refused);
    expect(granted('20260108_010000', { store: 'small', host: 'app-9' }).added).toMatchObject(refused);
    expect(
      at.box.ask('rescue.open', { ...fenced(), store: 'main', host: 'app-2', id: '20260109_010000' }),
    ).toMatchObject(refused);
    const { grant } = granted('20260110_010000');
    const ranInto = at.rsync(at.keyOf(grant), [at.box.file('one'), '127.0.0.1::data/']);
    expect(ranInto.stderr).toContain('no rescue medium 20260110_010000 of app-1 open');
    expect(fs.existsSync(kept('20260110_010000.part'))).toBe(false);
  });

  it('S27 under its lease no backup is opened, and none of it is reached', () => {
    expect(ran(`${RUN}.open.1`, { kind: 'store-open', store: 'main' })).toMatchObject({
      exit: 1,
      result: { code: 'not-allowed' },
    });
    const tree = { scope: 'store', store: 'main', tree: 'app-1@+srv+data' };
    expect(granted('20260108_010000', tree).added).toMatchObject({ ok: false, code: 'not-allowed' });
  });

  it('S27 whoever has the keys of the director pushes out nothing in a day, whatever he asks for', () => {
    const listed = () => ids().filter((name) => !name.endsWith('.part'));
    const booted = '20260102_010000';
    const days = (month: string) => {
      for (const [index, id] of listed().entries()) cameOn(id, `${month}${String(index + 1).padStart(2, '0')}`);
    };
    days('202602');
    const good = listed().slice(-6);
    // Many in one day: the first of that day stays, the newest three, and all that came on the days before.
    const many = ['20260301_010000', '20260301_020000', '20260301_030000', '20260301_040000', '20260301_050000'];
    for (const id of many) expect(whole(id, { keep: 1 })).toMatchObject({ exit: 0 });
    expect(listed()).toEqual([...new Set([booted, ...good, ...many.filter((id) => id !== '20260301_020000')])].sort());
    // Seven more days push out the days before, and not what is known to boot.
    days('202603');
    const before = listed();
    expect(whole('20260302_010000', { keep: 1 })).toMatchObject({ exit: 0 });
    expect(listed()).toEqual([...new Set([booted, ...before.slice(-6), '20260302_010000'])].sort());
    // What is sent under the name of the target's own word is none of it.
    const files = build({ 'rescue.iso': ISO, received: Buffer.from('20250101_010000\n') });
    expect(open('20260303_010000')).toMatchObject({ ok: true });
    expect(send('20260303_010000')).toMatchObject({ exit: 0 });
    expect(keep('20260303_010000', files)).toMatchObject({ result: { code: 'bad-request' } });
    expect(keep('20260303_010000', files.slice(0, 1))).toMatchObject({ exit: 0 });
    expect(fs.readFileSync(kept('20260303_010000/received'), 'utf8').slice(0, 8)).toBe(utc().slice(0, 8));
    // Nor is a folder of that name.
    const media = build();
    const folder = at.box.state(`runs/${RUN}/rescue/received`);
    fs.mkdirSync(folder);
    fs.writeFileSync(`${folder}/x`, '');
    expect(open('20260304_010000')).toMatchObject({ ok: true });
    expect(send('20260304_010000')).toMatchObject({ exit: 0 });
    expect(keep('20260304_010000', media)).toMatchObject({ exit: 0 });
    expect(fs.readFileSync(kept('20260304_010000/received'), 'utf8').slice(0, 8)).toBe(utc().slice(0, 8));
  });

  it('the lease of the media is not that of the group', () => {
    const lease = { owner: 'director', term: 0, ttl: 60, store: 'main' };
    expect(at.box.ask('lease.take', { group: 'portal', run: 'run-backup', ...lease })).toMatchObject({ ok: true });
    expect(at.box.ask('lease.take', { group: SERIES, run: RUN, ...lease })).toMatchObject({ ok: true });
    expect(at.box.ask('lease.take', { group: SERIES, run: 'run-other', ...lease })).toMatchObject({
      code: 'lease-held',
      holder: { run: RUN },
    });
    expect(at.box.ask('lease.take', { group: 'nobody.rescue', run: RUN, ...lease })).toMatchObject({
      code: 'not-allowed',
    });
    expect(at.box.ask('status', { group: SERIES })).toMatchObject({ leases: [{ run: RUN, live: true }] });
    expect(at.box.ask('store.list', { store: 'main', group: SERIES })).toMatchObject({ code: 'bad-request' });
  });
});

/** The time now as the target writes it down. */
function utc(): string {
  return new Date().toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '_');
}

function sumOf(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
