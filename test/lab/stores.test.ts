/** Every kind of store from end to end: backed up, killed in the middle, read by hand, restored, pruned. */
import { z } from 'zod';
import { facts } from './support/awkward';
import { describeLab } from './support/describe-lab';
import { type BackupEnd, type Event, type Product, takeDown } from './support/product';
import { CASES, raiseStores, sealedFacts, setDirection, sourceFacts, sourcesOf } from './support/product-stores';
import { POINTS, type StorePoint, StorePoints } from './support/store-points';

jest.setTimeout(300_000);

const listed = z.looseObject({
  incomplete: z.string().nullable(),
  backups: z.array(z.looseObject({ id: z.string(), problem: z.string().optional() })),
});
const hit = z.looseObject({ backup: z.string(), host: z.string(), path: z.string(), size: z.number().nullable() });
const totals = z.looseObject({ added: z.number(), removed: z.number(), changed: z.number() });

describeLab('stores from end to end', () => {
  let product: Product;
  let points: StorePoints;
  const on = async (host: string, command: string) => (await product.fleet.exec(host, command)).stdout;

  beforeAll(async () => {
    product = await raiseStores('stores');
    points = new StorePoints(product.fleet);
    await points.install();
  }, 400_000);
  afterAll(() => takeDown(product), 120_000);

  describe.each(CASES)('$kind', (store) => {
    const { kind, group, root, rich } = store;
    /** app-2's data is not restored in place, so that each case changes a file of its own there, and to a time of its own (S10). */
    const nth = CASES.indexOf(store) + 1;
    /** What the sources held at the first backup and at the second. */
    let before: Record<string, string>;
    let after: Record<string, string>;
    let first: BackupEnd;
    let second: BackupEnd;
    const list = async () => listed.parse(JSON.parse((await product.run(['list', group, '--json'])).stdout));
    const ids = async () => (await list()).backups.map(({ id, problem }) => `${id}${problem ?? ''}`);

    test('S9 S13 S16 what is pushed, changed and pulled lies there as plain files, a tree for each source', async () => {
      before = await sourceFacts(product.fleet, store);
      setDirection(product, 'push');
      first = await product.backup([group]);
      await on(
        'app-1',
        `cd ${rich} && echo changed >d/one && chmod 640 big && rm d/l1 && mv d/e/f moved && echo new >nested/new`,
      );
      await on(
        'app-1',
        `cd ${rich} && printf x | dd of=large bs=1 seek=9000000 conv=notrunc status=none && touch -d @1600000001 large`,
      );
      await on(
        'app-2',
        `cd /tank/data && echo ${group} >child/file && rm d/e/file${nth} && echo plus${nth} >/srv/a+b/file`,
      );
      await on('app-1', `cd ${rich} && find . -newermt 2021-01-01 -exec touch -h -d @160000001${nth} {} +`);
      await on('app-2', `find /tank/data /srv/a+b -newermt 2021-01-01 -exec touch -h -d @160000001${nth} {} + && sync`);
      after = await sourceFacts(product.fleet, store);
      setDirection(product, 'pull');
      second = await product.backup([group]);
      expect([first.state, second.state]).toEqual(['Completed', 'Completed']);
      expect(await sealedFacts(product.fleet, store, first.id)).toEqual(before);
      expect(await sealedFacts(product.fleet, store, second.id)).toEqual(after);
      const trees = await on(
        'target',
        `cd ${root}/current && ls -A && cat 'app-2@+srv+a+b/file' 'app-2@+srv+a%2Bb/file'`,
      );
      expect(trees.trimEnd().split('\n').sort()).toEqual(
        [`plus${nth}`, 'resurgo', 'slash', ...sourcesOf(store).keys()].sort(),
      );
      expect(await on('target', `ls ${root}/INCOMPLETE 2>&1 || :`)).toMatch(/No such file/);
      if (kind === 'zfs') await expectQuotaKept();
    });

    test('list, show, find and diff read it', async () => {
      expect(await list()).toMatchObject({ incomplete: null, backups: [{ id: first.id }, { id: second.id }] });
      const shown = await product.run(['show', 'latest', group, '--json']);
      expect(JSON.parse(shown.stdout)).toMatchObject({ id: second.id, manifest: { state: 'Completed' } });
      const hits = parsed((await product.run(['find', `${rich}/nested/*`, group, '--json'])).events, hit);
      expect(hits.map(({ backup, path }) => `${backup} ${path}`)).toEqual([
        `${second.id} ${rich}/nested/file`,
        `${second.id} ${rich}/nested/new`,
        `${first.id} ${rich}/nested/file`,
      ]);
      const { events } = await product.run(['diff', first.id, 'latest', group, '--json']);
      const changes = events
        .filter(({ type }) => type !== 'totals')
        .map((each) => `${each.type} ${String(each['path'])}`);
      expect(changes).toEqual(
        expect.arrayContaining([
          `added ${rich}/nested/new`,
          `removed ${rich}/d/l1`,
          `removed ${rich}/d/e/f`,
          `changed ${rich}/big`,
          `changed /srv/a+b/file`,
          `removed /tank/data/d/e/file${nth}`,
        ]),
      );
      expect(parsed(events, totals)[0]).toMatchObject({ added: 2, removed: 3 });
    });

    test('S12 S15 S17 touched behind its back and killed in the roll back and the seal, it holds no backup or a whole one', async () => {
      const tree = `${root}/current/app-1@+${rich.slice(1).replace('/', '+')}`;
      await on(
        'target',
        `cd ${tree} && chmod 777 big && echo evil >>d/one && rm twin && printf y | dd of=large bs=1 conv=notrunc status=none && ln big linked`,
      );
      expect(await sealedFacts(product.fleet, store, second.id)).toEqual(after);
      if (kind === 'hardlink') await expectNothingShared(root);
      await points.hold(POINTS);
      const run = await product.detached(['backup', group]);
      const at = async (point: StorePoint): Promise<string[]> => {
        await points.reached(point);
        return ids();
      };
      expect(await at('rolling-back')).toEqual([first.id, second.id]);
      expect((await list()).incomplete).not.toBeNull();
      await points.powerCut('rolling-back');
      expect(await at('publishing')).toEqual([first.id, second.id]);
      await points.kill('publishing');
      expect(await at('published')).toHaveLength(3);
      await points.kill('published');
      await product.ended(run);
      const { incomplete, backups } = await list();
      expect(incomplete).toBeNull();
      const third = backups[2]?.id ?? '';
      expect(backups.map(({ id, problem }) => `${id}${problem ?? ''}`)).toEqual([first.id, second.id, third]);
      expect(await sealedFacts(product.fleet, store, third)).toEqual(after);
      expect(await sealedFacts(product.fleet, store, first.id)).toEqual(before);
      if (kind === 'hardlink') await expectNothingShared(root);
      expect(
        await on('target', `cd ${root} && ls -A . backups index 2>/dev/null | grep -v '^[0-9_]*$' || :`),
      ).not.toMatch(/INCOMPLETE|\.sealing|\.removing/);
      expect(await product.leftovers(group)).toEqual([]);
    });

    test('the older backup comes back file by file, in place and into a folder', async () => {
      await product.restore([first.id, group, '--host', 'app-1']);
      await product.restore([first.id, group, '--host', 'app-2', '--to', `app-2:/var/restore/${group}`]);
      const back = [...sourcesOf(store)].map(async ([tree, { host, path }]) => [
        tree,
        await facts(product.fleet, host, host === 'app-1' ? path : `/var/restore/${group}/${tree}`),
      ]);
      expect(Object.fromEntries(await Promise.all(back))).toEqual(before);
    });

    test('held, no prune removes it', async () => {
      await product.run(['hold', first.id, group, '--as', 'audit']);
      const dry = await product.run(['prune', group, '--dry-run']);
      expect(dry.stdout).toMatch(new RegExp(`${first.id} +keep +.*on hold`));
      expect((await product.run(['list', group])).stdout).toContain('held: audit');
      expect((await product.run(['prune', group, '--yes', '--json'])).events.at(-1)).toMatchObject({ type: 'plan' });
      expect(await ids()).toContain(first.id);
      await product.run(['release', first.id, group, '--as', 'audit']);
    });

    test('a prune removes it, and the others stay whole', async () => {
      const { events } = await product.run(['prune', group, '--yes', '--json']);
      expect(events.find(({ type }) => type === 'ended')).toMatchObject({
        state: 'Completed',
        removed: [{ id: first.id }],
      });
      const left = await ids();
      expect(left).toHaveLength(2);
      for (const id of left) expect(await sealedFacts(product.fleet, store, id)).toEqual(after);
      expect(await on('target', `ls -A ${root}/backups 2>/dev/null || zfs list -H -t snapshot -o name`)).not.toContain(
        first.id,
      );
    });

    /** Its quota leaves the reserve free, once: the quota of one opening takes nothing from that of the next. */
    async function expectQuotaKept(): Promise<void> {
      const get = async (what: string, dataset: string) =>
        Number(await on('target', `zfs get -H -p -o value ${what} ${dataset}`));
      const [used, available] = [await get('used', 'tank/store'), await get('available', 'tank/store')];
      const quota = await get('quota', `tank/store/${group}`);
      const wanted = used + available - 0.05 * (used + available);
      expect(Math.abs(quota - wanted)).toBeLessThan(0.01 * wanted);
    }

    /** No inode of `current` is one of a sealed backup's, and what did not change is shared between those. */
    async function expectNothingShared(folder: string): Promise<void> {
      const inodes = async (dir: string) =>
        new Set((await on('target', `cd ${folder} && find ${dir} ! -type d -printf '%i\\n'`)).trim().split('\n'));
      const [current, one, two] = [
        await inodes('current'),
        await inodes(`backups/${first.id}`),
        await inodes(`backups/${second.id}`),
      ];
      expect([...current].filter((inode) => one.has(inode) || two.has(inode))).toEqual([]);
      expect([...one].filter((inode) => two.has(inode)).length).toBeGreaterThan(50);
    }
  });
});

function parsed<T>(events: readonly Event[], shape: z.ZodType<T>): T[] {
  return events.flatMap((each) => {
    const { success, data } = shape.safeParse(each);
    return success ? [data] : [];
  });
}
