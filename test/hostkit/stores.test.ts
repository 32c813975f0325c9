import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { awkwardTree } from './listing-tree';
import { sh, storeKit, tree, type StoreKit } from './stores-kit';
import { describeAsRoot } from './support';

jest.setTimeout(60_000);
const kinds = [
  { kind: 'btrfs', fs: 'btrfs' },
  { kind: 'hardlink', fs: 'ext4' },
] as const;

for (const options of kinds)
  describeAsRoot(`${options.kind} store on ${options.fs}`, () => {
    let kit: StoreKit;
    const sealed = (id: string, path: string): string => join(kit.place, 'web/backups', id, tree, path);
    beforeAll(async () => {
      kit = await storeKit(options);
      awkwardTree(kit.source);
    });
    afterAll(() => {
      kit.close();
    });

    it('S9 what was read of a snapshot that is lost by then is never taken for its content', async () => {
      writeFileSync(join(kit.root, 'var/lost'), '');
      const { send } = await kit.copy('run-0001');
      rmSync(join(kit.root, 'var/lost'));
      expect(send).toMatchObject({ ok: false, code: 'snapshot-lost' });
      expect(send['message']).toContain('overflowed');
    });

    it('S9 the awkward tree arrives whole, is sealed, listed and restored whole', async () => {
      const { open, send, compare } = await kit.copy('run-0001', { streams: '2' });
      expect(open).toMatchObject({ ok: true, last: '' });
      expect(send).toMatchObject({ ok: true });
      expect(compare).toMatchObject({ ok: true, equal: true, differences: [] });
      expect(existsSync(join(kit.place, 'web/INCOMPLETE'))).toBe(true);
      expect(kit.verb('store.list')).toMatchObject({ backups: [], incomplete: 'run-0001' });
      expect(kit.seal('run-0001', '20261121_013000')).toMatchObject({ ok: true, id: '20261121_013000' });
      expect(readFileSync(join(kit.root, 'var/closed'), 'utf8')).toBe('run-0001\n');
      expect(existsSync(join(kit.place, 'web/INCOMPLETE'))).toBe(false);
      expect(kit.verb('store.list')).toMatchObject({
        backups: [{ id: '20261121_013000', state: 'sealed' }],
        incomplete: null,
      });
      expect(statSync(sealed('20261121_013000', 'hole')).blocks).toBe(0);

      const destination = join(kit.root, 'restored');
      await kit.serve(destination, join(kit.root, 'var/runs/rest-0001/incoming', tree));
      writeFileSync(join(destination, 'extra'), '');
      const args = { store: 'main', id: '20261121_013000', tree, delete: '1', ...kit.peer() };
      expect(kit.job('restore-send', { ...args, dry_run: '1', job: 'dry' }, 'rest-0001')).toMatchObject({
        ok: true,
        deletions: 1,
        deleting: ['extra'],
      });
      writeFileSync(join(destination, 'extra, too'), '');
      expect(kit.job('restore-send', { ...args, max_delete: '1', job: 'bounded' }, 'rest-0001')).toMatchObject({
        ok: false,
        code: 'too-many-deletions',
      });
      expect(readdirSync(destination).filter((each) => each.startsWith('extra'))).toHaveLength(1);
      const restored = kit.job('restore-send', args, 'rest-0001');
      expect(restored).toMatchObject({ ok: true, deletions: 1 });
      const verify = {
        path: kit.root,
        tree: 'x@restored',
        sha256: (restored['listing'] as { sha256: string }).sha256,
      };
      sh(
        'mkdir -p "$1/var/runs/rest-0001/incoming" && ln -sfn "$2" "$1/var/runs/rest-0001/incoming/x@restored" && mv "$1/restored" "$1/x@restored"',
        kit.root,
        tree,
      );
      writeFileSync(
        join(kit.root, 'etc/host.conf'),
        `${readFileSync(join(kit.root, 'etc/host.conf'), 'utf8')}restore-to ${kit.root}\n`,
      );
      expect(kit.job('restore-verify', verify, 'rest-0001')).toMatchObject({ ok: true, equal: true });
    });

    it("S27 nothing is sent to a host whose key its enrolled identity hasn't signed for this run", () => {
      const thief = readFileSync(join(kit.root, 'ssh/key.pub'), 'utf8').split(' ').slice(0, 2).join(' ');
      const asked = {
        send: { source: 'data' },
        'restore-send': { store: 'main', id: '20261121_013000', tree, dry_run: '1' },
      };
      const genuine = kit.signed(kit.peer(), 'rest-0001')['signature'] ?? '';
      const told: Record<string, string>[] = [
        { signature: 'AAAA' },
        { peer_key: thief, signature: genuine },
        { peer: 'peer-2' },
        // That of another run.
        { signature: kit.signed(kit.peer(), 'run-0002')['signature'] ?? '' },
      ];
      for (const [kind, args] of Object.entries(asked))
        for (const [at, over] of told.entries()) {
          const said = kit.job(kind, { ...args, ...kit.peer(), ...over, job: `${kind}.thief.${at}` }, 'rest-0001');
          expect(said).toMatchObject({ ok: false, code: 'not-allowed' });
          expect(said.message).toContain('is not signed by');
        }
    });

    it('S10 a change of the same size within the same second is copied', async () => {
      utimesSync(join(kit.source, '#c'), 1000, 1000.25);
      await kit.copy('run-0002');
      expect(kit.seal('run-0002', '20261121_013100')).toMatchObject({ ok: true });
      writeFileSync(join(kit.source, '#c'), 'y');
      utimesSync(join(kit.source, '#c'), 1000, 1000.75);
      const { compare } = await kit.copy('run-0003');
      expect(compare).toMatchObject({ equal: true });
      expect(readFileSync(join(kit.received, '#c'), 'utf8')).toBe('y');
      expect(kit.seal('run-0003', '20261121_013200')).toMatchObject({ ok: true });
      expect(readFileSync(sealed('20261121_013100', '#c'), 'utf8')).toBe('x');
    });

    it('takes a peer whose key has two slashes side by side, as one in forty has', () => {
      const { peer_key: key = '', ...peer } = kit.peer();
      const odd = { ...peer, peer_key: `${key.slice(0, -6)}//${key.slice(-4, -1)}/` };
      const answer = kit.job('send', { source: 'data', ...odd, job: 'odd' }, 'run-0003');
      expect(answer).toMatchObject({ ok: false, code: 'identity-changed' });
    });

    it('S10 a run by content finds what keeps size and times', async () => {
      const { mtime, atime } = statSync(join(kit.source, ';c'));
      writeFileSync(join(kit.source, ';c'), 'Z');
      sh('touch -d "2020-09-13 12:26:40.123456789" "$1"', join(kit.source, ';c'));
      expect([mtime, atime]).toHaveLength(2);
      await kit.copy('run-0004');
      expect(readFileSync(join(kit.received, ';c'), 'utf8')).toBe('x');
      kit.job('send', { source: 'data', ...kit.peer(), checksum: '1', job: 'again' }, 'run-0004');
      expect(readFileSync(join(kit.received, ';c'), 'utf8')).toBe('Z');
    });

    it('S28 a target that shows another host key than the pinned one gets nothing', async () => {
      kit.job('store-open', { store: 'main', job: 'open-s28' }, 'run-0028');
      await kit.serve(kit.received, join(kit.root, 'var/runs/run-0028/incoming', tree));
      sh('rm -rf "$1"; mkdir "$1"; ssh-keygen -q -t ed25519 -N "" -f "$2/other"', kit.received, kit.root);
      const peer_key = readFileSync(join(kit.root, 'other.pub'), 'utf8').split(' ').slice(0, 2).join(' ');
      const args = { source: 'data', ...kit.peer(), peer_key };
      expect(kit.job('send', args, 'run-0028')).toMatchObject({ ok: false, code: 'identity-changed' });
      expect(readdirSync(kit.received)).toEqual([]);
      expect(existsSync(join(kit.root, 'var/runs/run-0028/incoming', tree, 'listing.gz'))).toBe(false);
      expect(kit.job('send', { ...args, ...kit.peer(), job: 'send-s28' }, 'run-0028')).toMatchObject({ ok: true });
    });

    it('S11 a large file whose link was cut at the source is cut at the target, and its twin keeps its bytes', async () => {
      sh('head -c 17000000 /dev/zero | tr "\\0" a >"$1/big"; ln "$1/big" "$1/twin"', kit.source);
      // What a source puts under a name that we might use ourselves leads nowhere and stays as it is.
      const outside = join(kit.root, 'outside');
      sh('mkdir "$2"; ln -s "$2" "$1/big.resurgo-cut"; echo mine >"$1/twin.resurgo-cut"', kit.source, outside);
      await kit.copy('run-0005');
      expect(kit.seal('run-0005', '20261121_013400')).toMatchObject({ ok: true });
      expect(statSync(join(kit.received, 'big')).ino).toBe(statSync(join(kit.received, 'twin')).ino);
      // Of one size and one time, so that no later pass finds by itself what was written through the other name.
      sh(
        'cp "$1/big" "$1/new"; mv "$1/new" "$1/big"; printf changed | dd of="$1/big" conv=notrunc bs=1 seek=5000000 2>/dev/null; touch -d @1600000000 "$1/big" "$1/twin"',
        kit.source,
      );
      const { compare } = await kit.copy('run-0006', { streams: '2' });
      expect(compare).toMatchObject({ equal: true });
      execFileSync('cmp', [join(kit.source, 'big'), join(kit.received, 'big')]);
      execFileSync('cmp', [join(kit.source, 'twin'), join(kit.received, 'twin')]);
      expect(readdirSync(outside)).toEqual([]);
      expect(readFileSync(join(kit.received, 'twin.resurgo-cut'), 'utf8')).toBe('mine\n');
      expect(readdirSync(join(kit.place, 'web/current'))).not.toContain('.resurgo-cut');
    });

    it('S11 a link that can not be cut fails the opening', () => {
      const dir = join(kit.root, 'uncut');
      sh('mkdir "$1"; truncate -s 17000000 "$1/big"; ln "$1/big" "$1/twin"', dir);
      sh('mkdir "$1/bin"; printf "#!/bin/sh\\nexit 1\\n" >"$1/bin/cp"; chmod +x "$1/bin/cp"', kit.root);
      const libs = '. "$RESURGO_LIB/lib/base.sh"; . "$RESURGO_LIB/lib/listing.sh"; . "$RESURGO_LIB/lib/stores.sh"';
      const cut = (path: string): string =>
        sh(
          `RESURGO_LIB="$1/lib"; ${libs}; PATH=${path}$PATH; if store_cut_links "$1/uncut" "$1/cut"; then echo cut; else echo no; fi`,
          kit.root,
        );
      expect(cut(`${kit.root}/bin:`)).toBe('no\n');
      expect(cut('')).toBe('cut\n');
      expect(readFileSync(join(kit.root, 'cut'), 'utf8')).toMatch(/^(big|twin)\n$/);
      expect(statSync(join(dir, 'big')).ino).not.toBe(statSync(join(dir, 'twin')).ino);
      expect(readdirSync(dir)).toEqual(['big', 'twin']);
    });

    it('S12 nothing that is done through current reaches a sealed backup', () => {
      const mode = statSync(sealed('20261121_013000', '~')).mode;
      sh('chmod 777 "$1/~"; printf z >>"$1/~"; setfattr -n user.z -v 1 "$1/~"', kit.received);
      expect(statSync(sealed('20261121_013000', '~')).mode).toBe(mode);
      const inodes = (dir: string): string[] =>
        sh('cd "$1" && find . ! -type d -printf "%D:%i\\n" | sort -u', dir).trim().split('\n');
      const mine = new Set(inodes(join(kit.place, 'web/current')));
      const shared = inodes(join(kit.place, 'web/backups')).filter((inode) => mine.has(inode));
      if (options.kind === 'hardlink') expect(shared).toEqual([]);
    });

    it('S15 a new run starts from the last sealed tree, whatever was done to current', () => {
      sh('rm -rf "$1/d"; printf q >"$1/added"; printf evil >"$1/! "', kit.received);
      expect(kit.job('store-open', { store: 'main' }, 'run-0007')).toMatchObject({
        ok: true,
        last: '20261121_013400',
        // Its large links are cut, so that nothing may be left out of the next copy as known.
        changed: [tree],
      });
      const compared = sh(
        'rsync -aAXSnci --modify-window=-1 --delete "$1/" "$2/"',
        sealed('20261121_013400', ''),
        kit.received,
      );
      expect(compared.split('\n').filter((each) => each !== '' && !each.startsWith('.d..t'))).toEqual([]);
      // The same run again keeps what it received.
      writeFileSync(join(kit.received, 'received'), 'x');
      expect(kit.job('store-open', { store: 'main', job: 'open2' }, 'run-0007')).toMatchObject({ ok: true });
      expect(existsSync(join(kit.received, 'received'))).toBe(true);
    });

    it('S29 what an unfinished run has received goes before the room is counted, and no more than that', () => {
      const conf = join(kit.root, 'etc/host.conf');
      const before = readFileSync(conf, 'utf8');
      const room = sh('df -P -m "$1" | tail -n 1', kit.place).trim().split(/ +/).map(Number);
      const [total = 0, free = 0] = [room[1], room[3]];
      const reserve = Math.floor(((free - 60) / total) * 100);
      writeFileSync(conf, before.replace(/ none 2$/m, ` none ${reserve}`));
      try {
        sh('head -c 150M /dev/urandom >"$1/huge"; sync -f "$1"', kit.received);
        // The same run goes on with what it has: it must be told.
        const again = kit.job('store-open', { store: 'main', job: 'open3' }, 'run-0007');
        expect([again.code, existsSync(join(kit.received, 'huge'))]).toEqual(['no-space', true]);
        expect(kit.job('store-open', { store: 'main' }, 'run-0072')).toMatchObject({ ok: true });
        expect(existsSync(join(kit.received, 'huge'))).toBe(false);
        writeFileSync(conf, before.replace(/ none 2$/m, ' none 100'));
        expect(kit.seal('run-0072', '20261121_235959')).toMatchObject({ ok: false, code: 'no-space' });
        writeFileSync(join(kit.received, 'received'), 'x');
        // Once it is as sealed nobody writes it any more; a further one changes nothing.
        for (const run of ['run-0073', 'run-0074']) {
          expect(kit.job('store-open', { store: 'main' }, run)).toMatchObject({ code: 'no-space' });
          expect(existsSync(join(kit.place, 'web/INCOMPLETE'))).toBe(false);
        }
        expect(existsSync(join(kit.received, 'received'))).toBe(false);
      } finally {
        writeFileSync(conf, before);
      }
      expect(kit.job('store-open', { store: 'main' }, 'run-0075')).toMatchObject({ ok: true });
    }, 120_000);

    it('S17 seals only what was compared, only with a newer id, once; a crashed seal leaves nothing', async () => {
      await kit.copy('run-0008');
      expect(kit.seal('run-0008', '20261121_013400')).toMatchObject({ ok: false, code: 'exists' });
      expect(kit.seal('run-0008', '20261121_013399')).toMatchObject({ ok: false });
      expect(kit.seal('run-0008', '20261120_000000').message).toMatch(/clock/);
      const ahead = new Date(Date.now() + 2 * 3600_000).toISOString().replace(/[-:]/g, '');
      expect(kit.seal('run-0008', `${ahead.slice(0, 8)}_${ahead.slice(9, 15)}`).message).toMatch(
        /in the future of this target's clock/,
      );
      writeFileSync(join(kit.received, 'late'), 'x');
      expect(kit.seal('run-0008', '20261121_020000').message).toMatch(/after it was compared/);
      rmSync(join(kit.root, 'var/runs/run-0008/compared'), { recursive: true });
      expect(kit.seal('run-0008', '20261121_020000').message).toMatch(/not been compared/);
      expect(kit.seal('run-0009', '20261121_020000')).toMatchObject({ ok: false, code: 'fenced' });
      await kit.copy('run-0008', { job: 'send2' });
      sh('mkdir -p "$1/web/backups/.sealing-run-0001/x"', kit.place);
      // A long manifest comes compressed; it lies in the backup as it was signed, and is the same one as when it comes plain.
      expect(kit.seal('run-0008', '20261121_020000', { compressed: true })).toMatchObject({ ok: true });
      const manifest = join(kit.place, 'web/backups/20261121_020000/resurgo/manifest.json');
      expect(JSON.parse(readFileSync(manifest, 'utf8'))).toEqual({ id: '20261121_020000', run: 'run-0008' });
      expect(kit.seal('run-0008', '20261121_020000')).toMatchObject({ ok: true });
      if (options.kind === 'hardlink') expect(existsSync(join(kit.place, 'web/backups/.sealing-run-0001'))).toBe(false);
    });

    it('S27 an id more than 15 minutes ahead of the clock of the target is refused, and nothing is sealed', async () => {
      const ahead = (minutes: number): string =>
        new Date(Date.now() + minutes * 60_000).toISOString().replace(/[-:]/g, '').replace('T', '_').slice(0, 15);
      const ids = (): string[] => (kit.verb('store.list')['backups'] as { id: string }[]).map(({ id }) => id);
      const before = ids();
      await kit.copy('run-0010');
      for (const minutes of [16, 60 * 24, 60 * 24 * 365 * 30])
        expect(kit.seal('run-0010', ahead(minutes)).message).toMatch(/^clock: the id .* lies in the future/);
      expect(ids()).toEqual(before);
      expect(existsSync(join(kit.place, 'web/INCOMPLETE'))).toBe(true);
    });

    it('S15 a place without its disk holds no store, and none is begun there', () => {
      const away = `${kit.place}.away`;
      // An empty folder over the store is what its bare mount point would be.
      sh('mkdir "$1" && mount --bind "$1" "$2"', away, kit.place);
      try {
        expect(kit.job('store-open', { store: 'main', job: 'open-s15' }, 'run-0015')).toMatchObject({
          code: 'not-mounted',
          message: expect.stringContaining('mount its disk') as string,
        });
        expect(kit.verb('store.list')).toMatchObject({ ok: false, code: 'not-mounted' });
        expect(readdirSync(away)).toEqual([]);
      } finally {
        sh('umount "$1"', kit.place);
      }
      expect(kit.verb('store.list')).toMatchObject({ ok: true });
    });

    it('S15 of two that open a new store at once, both remember the same mark', () => {
      const dir = join(kit.root, 'shared');
      sh('mkdir -p "$1/place" "$1/var"', dir);
      const libs = '. "$RESURGO_LIB/lib/base.sh"; . "$RESURGO_LIB/lib/stores.sh"';
      // Eight, and each looks before any has made it.
      const one = `RESURGO_LIB="$1/../lib"; ${libs}; RESURGO_VAR="$1/var"; store_folder="$1/place" store_place=/backup
        read_line() { line=; [ -r "$1" ] && IFS= read -r line <"$1"; code=$?; sleep 0.1; return $code; }
        stores_pin="$1/var/pin.$2"; stores_know || echo "$store_error"`;
      writeFileSync(join(dir, 'one'), one);
      // Processes of their own: what they write first is told apart by their pids.
      expect(sh(`for i in 1 2 3 4 5 6 7 8; do sh -c '. "$1/one"' one "$1" "$i" & done; wait`, dir)).toBe('');
      const pins = Array.from({ length: 8 }, (_, i) => readFileSync(join(dir, `var/pin.${i + 1}`), 'utf8'));
      const mark = readFileSync(join(dir, 'place/.resurgo-store'), 'utf8').trim();
      expect(new Set(pins)).toEqual(new Set([`${mark} /backup\n`]));
      expect(readdirSync(join(dir, 'place'))).toEqual(['.resurgo-store']);
    });

    it('S16 a folder that a seal did not make is no backup, and a lost manifest is said', () => {
      sh('mkdir -p "$1/web/backups/latest" "$1/web/backups/2026"', kit.place);
      if (options.kind === 'hardlink') rmSync(join(kit.place, 'web/backups/20261121_013100/resurgo/manifest.json'));
      else
        sh(
          'btrfs property set -ts "$1" ro false; rm "$1/resurgo/manifest.json"; btrfs property set -ts "$1" ro true',
          join(kit.place, 'web/backups/20261121_013100'),
        );
      const { backups } = kit.verb('store.list') as unknown as { backups: { id: string; state: string }[] };
      expect(backups.map(({ id }) => id)).toEqual([
        '20261121_013000',
        '20261121_013100',
        '20261121_013200',
        '20261121_013400',
        '20261121_020000',
      ]);
      expect(backups[1]).toMatchObject({ state: 'missing-manifest' });
    });

    it('S27 a removal below the host’s own floor, or of what is held, is refused, whoever asks', () => {
      const conf = join(kit.root, 'etc/host.conf');
      writeFileSync(conf, `${readFileSync(conf, 'utf8')}keep main web 2 0 0 0 0\n`);
      const remove = (id: string): unknown =>
        kit.job('store-remove', { store: 'main', id, job: `remove-${id.replace('_', '-')}` });
      expect(remove('20261121_020000')).toMatchObject({ ok: false, code: 'not-allowed' });
      expect(remove('20261121_013400')).toMatchObject({ ok: false, code: 'not-allowed' });
      const hold = (verb: 'hold' | 'release', name: string, id = '20261121_013200'): unknown =>
        kit.verb(`store.${verb}`, { run: 'run-0001', term: '1', step: 'hold', attempt: '1', store: 'main', id, name });
      for (const name of ['audit', 'court']) expect(hold('hold', name)).toMatchObject({ ok: true });
      expect(hold('release', 'court')).toMatchObject({ ok: true });
      expect(remove('20261121_013200')).toMatchObject({
        ok: false,
        message: expect.stringContaining('audit') as string,
      });
      expect(hold('release', 'audit')).toMatchObject({ ok: true });
      expect(hold('hold', 'audit', '20300101_000000')).toMatchObject({ ok: false, code: 'not-found' });
      expect(remove('20261121_013200')).toMatchObject({ ok: true, removed: true });
      expect(remove('20261121_013200')).toMatchObject({ ok: true, removed: false });
      expect(existsSync(sealed('20261121_013000', '~'))).toBe(true);
    });
  });
