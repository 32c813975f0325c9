/**
 * LVM snapshots on a real device mapper: classic and thin, under writing, filled up, left behind. The host is a virtual machine on the
 * simulated fleet's network; the target is a simulated host.
 */
import { describeLab } from '../support/describe-lab';
import { eventually, takeDown } from '../support/product';
import type { Product } from '../support/product';
import { FILL_POOL, LEAVE_LITTLE, LvmHost, MAKE_BALLAST } from './support/lvm';

/** Three copies, without hardware help, on a busy machine. */
const BACKUP_MS = 600_000;
/** A freeze of a virtual machine without hardware help is slow to begin. */
const FREEZE_MS = 300_000;
/** A copy is tried some times, with longer and longer waits, before a person is asked. */
const GIVEN_UP_MS = 300_000;
jest.setTimeout(1_200_000);

describeLab('LVM snapshots', () => {
  let host: LvmHost;
  let product: Product;
  const on = (command: string) => host.on(command);
  const ours = () => host.snapshots();
  /** Those that `list` knows; what an aborted run has written is told of as well, and is none. */
  const backups = async () => (await product.run(['list'])).stdout.split('\n').filter((line) => /^\d{8}_/.test(line));
  beforeAll(async () => {
    host = await LvmHost.raise({ name: 'vmlvm', number: 120 });
    ({ product } = host);
  }, 1_200_000);
  afterAll(async () => {
    await takeDown(product);
  }, 120_000);

  test('S6 a backup under steady writing: three snapshots of one instant, each complete, none left', async () => {
    await on(
      'for v in ext x thin; do (i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo $i >>/srv/$v/data/log; sleep 0.05; done) >/dev/null 2>&1 & done',
    );
    const done = await product.backup([], { timeoutMs: BACKUP_MS });
    // Nobody was paused: LVM's own flush makes the file systems whole, and what writes may be in the middle of something.
    expect({ state: done.state, label: done.label }).toEqual({ state: 'Completed', label: 'crash' });
    expect(done.sources.map(({ tree, files }) => [tree, files])).toEqual([
      ['db-1@+srv+ext+data', 3],
      ['db-1@+srv+thin+data', 3],
      ['db-1@+srv+x+data', 3],
    ]);
    expect(await ours()).toEqual([]);
    expect(await product.leftovers('portal')).toEqual([]);
  });

  test('one that fills is made larger before it is full, and the backup is whole', async () => {
    await on('head -c 20000000 /dev/urandom >/srv/ext/data/slow; sync');
    const run = await product.detached(['backup']);
    await eventually('three snapshots stand', async () => (await ours()).length === 3, FREEZE_MS);
    const before = Number(
      await on("lvs --noheadings --units b --nosuffix -o lv_size -S 'lv_tags=resurgo && origin=ext'"),
    );
    // 24 of the 30 MB that it has to begin with, while 20 MB go over at 2 MB/s.
    await on('head -c 24000000 /dev/urandom >/srv/ext/ballast; sync');
    await eventually(
      'it is larger',
      async () =>
        Number(await on("lvs --noheadings --units b --nosuffix -o lv_size -S 'lv_tags=resurgo && origin=ext'")) >
        before,
    );
    await product.ended(run, [0], BACKUP_MS);
    expect(await ours()).toEqual([]);
    await on('rm /srv/ext/ballast /srv/ext/data/slow; sync');
  });

  test('one that overflows fails its source: nothing is sealed, and the origin lives on', async () => {
    const before = await backups();
    await on(`${LEAVE_LITTLE}; head -c 20000000 /dev/urandom >/srv/ext/data/slow; sync`);
    const run = await product.detached(['backup']);
    await eventually('three snapshots stand', async () => (await ours()).length === 3, FREEZE_MS);
    await on('dd if=/dev/urandom of=/srv/ext/ballast bs=1M count=120 status=none; sync');
    const asked = await product.question(run, GIVEN_UP_MS);
    expect(asked.message).toMatch(/overflowed|could not copy everything/);
    await product.run(['abort', run], { allow: [0] });
    await product.ended(run, [1], BACKUP_MS);
    expect(await backups()).toEqual(before);
    expect(await ours()).toEqual([]);
    await on('rm /srv/ext/ballast /srv/ext/data/slow; lvremove -qq -y vg0/ballast; sync; touch /srv/ext/data/lives');
  });

  test('no snapshot is begun where the group has no room for it', async () => {
    await on('lvcreate -qq -y -l 100%FREE -n ballast vg0');
    const said = await product.run(['backup'], { allow: [1, 3] });
    expect(said.stderr).toMatch(/db-1.*volume group vg0 has 0 bytes free and the snapshot of \w+ wants/);
    await on('lvremove -qq -y vg0/ballast');
    expect(await ours()).toEqual([]);
  });

  test('a thin pool that fills loses the snapshot, and production goes on', async () => {
    const before = await backups();
    await on(`head -c 60000000 /dev/urandom >/srv/thin/data/slow; ${MAKE_BALLAST}`);
    const run = await product.detached(['backup']);
    await eventually('three snapshots stand', async () => (await ours()).length === 3, FREEZE_MS);
    const filling = on(FILL_POOL);
    await eventually('the thin one is gone', async () => (await ours()).length === 2, FREEZE_MS);
    await filling;
    await on('echo alive >/srv/thin/data/lives; sync');
    const asked = await product.question(run, GIVEN_UP_MS);
    expect(asked.message).toMatch(/thin pool|could not copy everything|is gone/);
    await product.run(['abort', run], { allow: [0] });
    await product.ended(run, [1], BACKUP_MS);
    expect(await backups()).toEqual(before);
    await on('rm /srv/thin/ballast /srv/thin/data/slow; fstrim /srv/thin; sync');
  });

  test('what a power cut leaves of a run is found and removed by the next', async () => {
    await on('head -c 20000000 /dev/urandom >/srv/x/data/slow; sync');
    const run = await product.detached(['backup']);
    await eventually('three snapshots stand', async () => (await ours()).length === 3, FREEZE_MS);
    await host.cutPower();
    await host.powerOn();
    expect((await ours()).length).toBe(3);
    await product.run(['cancel', run], { allow: [0, 1] });
    await product.ended(run, [1, 130], BACKUP_MS).catch(() => undefined);
    await product.backup([], { timeoutMs: BACKUP_MS });
    expect(await ours()).toEqual([]);
  });
});
