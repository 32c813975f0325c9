/** What a partial backup lacks is sent anew afterwards only as far as it has changed. */
import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sh, storeKit, tree, type Answer, type StoreKit } from './stores-kit';
import { describeAsRoot } from './support';

jest.setTimeout(60_000);

const OTHER = 'app-2@+data';
const BIG = 4 << 20;

describe.each([
  { kind: 'btrfs', fs: 'btrfs', sentAgain: false },
  { kind: 'hardlink', fs: 'ext4', sentAgain: true },
] as const)('after a backup without one of the trees, in a $kind store', ({ sentAgain, ...options }) => {
  describeAsRoot('that tree', () => {
    let kit: StoreKit;
    beforeAll(async () => {
      kit = await storeKit(options);
      mkdirSync(join(kit.root, 'other'));
      writeFileSync(join(kit.root, 'other/file'), 'of the other host');
      writeFileSync(join(kit.source, 'big'), randomBytes(BIG));
      sh('cd "$1" && echo x >gone && echo linked >one && ln one two', kit.source);
      const lines = [`source web other btrfs ${kit.root}/other ${OTHER}`, `accept main web ${OTHER}`];
      appendFileSync(join(kit.root, 'etc/host.conf'), `${lines.join('\n')}\n`);
    });
    afterAll(() => {
      kit.close();
    });
    const current = (at: string) => join(kit.place, 'web/current', at);

    async function copy(run: string, source: string, name: string): Promise<Answer> {
      await kit.serve(current(name), join(kit.root, 'var/runs', run, 'incoming', name));
      const send = kit.job('send', { source, job: `send.${source}`, ...kit.peer() }, run);
      if (!send.ok) throw new Error(`not sent: ${JSON.stringify(send)}`);
      const sha256 = String(send['sha256']);
      const compare = kit.job('store-compare', { store: 'main', tree: name, sha256, job: `compare.${source}` }, run);
      expect(compare).toMatchObject({ ok: true, equal: true });
      return send;
    }

    function seal(run: string, id: string, trees: string[]): void {
      const base64 = (text: string) => Buffer.from(text).toString('base64');
      const manifest = { manifest: base64(JSON.stringify({ id, run })), manifest_sig: 'c2ln' };
      const sealed = kit.job('store-seal', { store: 'main', id, trees: base64(trees.join('\n')), ...manifest }, run);
      expect(sealed).toMatchObject({ ok: true });
    }

    const open = (run: string, changed: string[] = []) => {
      expect(kit.job('store-open', { store: 'main' }, run)).toMatchObject({ ok: true, changed });
    };
    const isBegunAgain = sentAgain ? [] : [tree];

    it(`is sent ${sentAgain ? 'whole' : 'as far as it has changed'}, and shares its data with what is sealed where it can`, async () => {
      open('run-0001');
      expect((await copy('run-0001', 'data', tree))['sentBytes']).toBeGreaterThan(BIG);
      await copy('run-0001', 'other', OTHER);
      seal('run-0001', '20261121_010000', [tree, OTHER]);

      // The host of the first tree was away.
      open('run-0002');
      await copy('run-0002', 'other', OTHER);
      seal('run-0002', '20261121_020000', [OTHER]);
      expect(existsSync(join(kit.place, 'web/backups/20261121_020000', tree))).toBe(false);

      sh('cd "$1" && echo x >new && rm gone && cp -p one apart && mv apart two', kit.source);
      open('run-0003', isBegunAgain);
      expect(existsSync(current(join(tree, 'big')))).toBe(!sentAgain);
      const sent = Number((await copy('run-0003', 'data', tree))['sentBytes']);
      expect(sent > BIG).toBe(sentAgain);
      await copy('run-0003', 'other', OTHER);
      seal('run-0003', '20261121_030000', [tree, OTHER]);
      expect(existsSync(join(kit.place, 'web/backups/20261121_030000', tree, 'gone'))).toBe(false);
      const links = sh('stat -c %h "$1/one" "$1/two"', join(kit.place, 'web/backups/20261121_030000', tree));
      expect(links.trim().split('\n').map(Number)).toEqual([1, 1]);
      const sealed = ['20261121_010000', '20261121_030000'].map((id) =>
        join(kit.place, 'web/backups', id, tree, 'big'),
      );
      expect(sealed.map((file) => statSync(file).size)).toEqual([BIG, BIG]);
      const [one, two] = sealed.map((file) => sh('filefrag -e "$1" | awk \'$1 == "0:" { print $4 }\'', file));
      expect(one === two).toBe(!sentAgain);
    });

    it('is no part of the next backup that lacks it either', async () => {
      open('run-0004');
      await copy('run-0004', 'other', OTHER);
      seal('run-0004', '20261121_040000', [OTHER]);
      // Told once more: whoever opens can't know who is away.
      open('run-0005', isBegunAgain);
      await copy('run-0005', 'other', OTHER);
      seal('run-0005', '20261121_050000', [OTHER]);
      expect(existsSync(join(kit.place, 'web/backups/20261121_050000', tree))).toBe(false);
    });
  });
});
