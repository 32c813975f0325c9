import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { check } from '../../hosts/replies/reading';
import { Box, SHELLS, describeAsRoot } from './support';
import type { Shell } from './support';

describeAsRoot('what a backup would meet', () => {
  describe.each(SHELLS)('under %s', (shell: Shell) => {
    let box: Box;
    beforeEach(() => {
      box = new Box({ shell });
    });
    afterEach(() => {
      box.close();
    });
    const stopped = (record: string, run: string) => {
      fs.mkdirSync(box.state(`workloads/${record}`), { recursive: true });
      fs.writeFileSync(box.state(`workloads/${record}/run`), `${run}\n`);
    };

    it('S21 a group that a restore has stopped and not started again is a problem, with the way out', () => {
      stopped('portal', 'run-0000000a');
      const { problems } = box.ask('check', { group: 'portal' });
      expect(problems).toEqual([
        expect.stringMatching(/run run-0000000a .*a restore that is not finished.*`resurgo start portal --as-it-is`/),
      ]);
    });

    it('one that was stopped by hand, and another group, are none', () => {
      stopped('portal.hand', 'run-0000000a');
      stopped('other', 'run-0000000b');
      expect(box.ask('check', { group: 'portal' }).problems).toEqual([]);
    });
  });
});

describeAsRoot('how much a source holds at least', () => {
  let root: string;
  let box: Box;
  const MIB = 2 ** 20;
  const mounted = { own: 'ext4', top: 'btrfs', parted: 'btrfs' };
  beforeAll(() => {
    root = fs.mkdtempSync(path.join(os.tmpdir(), 'resurgo-check-'));
    const sh = (code: string) => execFileSync('sh', ['-ec', code], { cwd: root, stdio: 'pipe' });
    for (const [name, type] of Object.entries(mounted)) {
      sh(`truncate -s 200M ${name}.img; mkfs.${type} -q ${name}.img; mkdir ${name}; mount -o loop ${name}.img ${name}`);
    }
    sh('btrfs -q subvolume create parted/other; mkdir own/part');
    for (const file of ['own/f', 'own/part/f', 'top/f', 'parted/other/f'])
      sh(`dd if=/dev/urandom of=${file} bs=1M count=10 status=none; sync ${file}`);
    sh('sync -f own; sync -f top; sync -f parted');
    const source = (name: string, kind: string, place: string) =>
      `source portal ${name} ${kind} ${path.join(root, place)} app-1@${name}`;
    box = new Box({
      conf: [
        source('own', 'none', 'own'),
        source('part', 'none', 'own/part'),
        source('top', 'btrfs', 'top'),
        source('parted', 'btrfs', 'parted'),
      ],
    });
  });
  afterAll(() => {
    box.close();
    for (const name of Object.keys(mounted)) spawnSync('umount', [path.join(root, name)]);
    fs.rmSync(root, { recursive: true, force: true });
  });

  it('only what is all of its file system says so', () => {
    const { sources } = check.parse(box.ask('check', { group: 'portal' }));
    const least = Object.fromEntries(sources.map((each) => [each.name, each.leastBytes]));
    expect(least).toMatchObject({ part: 0, parted: 0 });
    for (const name of ['own', 'top']) {
      expect(least[name]).toBe(sources.find((each) => each.name === name)?.usedBytes);
      expect(least[name]).toBeGreaterThan(9 * MIB);
    }
  });
});
