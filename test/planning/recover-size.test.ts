/** Where partitions go, how small file systems get, and what their volumes are left with. */
import fc from 'fast-check';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stepRequest } from '../../activities/recover-requests';
import type { Layout } from '../../planning/layout-schema';
import type { FileSystem, MdArray, Partition } from '../../planning/layout-storage';
import type { FoundDisk, RecoveryPlan, RecoveryPolicy, RecoveryStep } from '../../planning/recover';
import { DEFAULT_RECOVERY_POLICY, planRecovery } from '../../planning/recover';
import { leastFileSystem, remake } from '../../planning/recover-fs';
import { leastTableBytes, placePartitions, share } from '../../planning/recover-table';
import { LAYOUTS } from './layout-cases';
import { foundDisk, foundMachine, GIB, LayoutKit, mdadmOffset, MIB, sameDisks } from './layout-builder';
import { simulate } from './recover-simulator';

function plan(layout: Layout, disks: readonly FoundDisk[], policy: Partial<RecoveryPolicy> = {}): RecoveryPlan {
  return planRecovery({
    layout,
    machine: foundMachine(layout, disks),
    policy: { ...DEFAULT_RECOVERY_POLICY, ...policy },
    backup: '20261121_013000',
  });
}

function only<K extends RecoveryStep['kind']>({ steps }: RecoveryPlan, kind: K): Extract<RecoveryStep, { kind: K }>[] {
  return steps.filter((step): step is Extract<RecoveryStep, { kind: K }> => step.kind === kind);
}

const partitionsOf = (made: RecoveryPlan): Partition[] => only(made, 'table').flatMap((step) => step.partitions);

describe('partitions', () => {
  it.each(Object.keys(LAYOUTS) as (keyof typeof LAYOUTS)[])(
    'keep their places to the byte on a disk of the same size: %s',
    (name) => {
      const layout = LAYOUTS[name]();
      const made = partitionsOf(plan(layout, sameDisks(layout)));
      expect(made.sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual(
        [...layout.partitions].sort((a, b) => (a.id < b.id ? -1 : 1)),
      );
    },
  );

  it('keep their places on a bigger disk where nothing is to grow, and its GPT ends where the disk does', () => {
    const layout = LAYOUTS['uefi with /boot, nvme']();
    const made = plan(layout, [foundDisk('vda', 900)], { grow: 'none' });
    expect(partitionsOf(made)).toEqual(layout.partitions);
    expect(only(made, 'table')[0]?.table).toMatchObject({ lastByte: 900 * GIB - 33 * 512 - 1 });
    expect(made.warnings).toEqual(['vda (serial N-VDA): 400 GiB stay unallocated']);
  });

  it('move by whole MiB and keep their gaps', () => {
    const layout = new LayoutKit()
      .disk('sda', 40)
      .gpt('disk:sda', ['512M esp', '30G linux', '2G swap'])
      .vfat('part:sda1', '/boot/efi')
      .ext4('part:sda2', '/')
      .swap('part:sda3')
      .build();
    layout.partitions[2]!.startByte += 700 * 512 + MIB;
    const made = partitionsOf(plan(layout, [foundDisk('vda', 50)]));
    const [, root, swap] = made;
    const gap = (list: readonly Partition[]): number => list[2]!.startByte - list[1]!.startByte - list[1]!.bytes;
    expect(root!.bytes).toBe(40 * GIB);
    expect(gap(made)).toBe(gap(layout.partitions));
    expect(swap!.bytes).toBe(2 * GIB);
  });

  it('close their gaps before anything shrinks', () => {
    const layout = new LayoutKit()
      .disk('sda', 40)
      .gpt('disk:sda', ['512M esp', '10G linux', '10G linux'])
      .vfat('part:sda1', '/boot/efi')
      .ext4('part:sda2', '/')
      .ext4('part:sda3', '/srv')
      .build();
    layout.partitions[2]!.startByte += 15 * GIB;
    const made = partitionsOf(plan(layout, [foundDisk('vda', 25)]));
    expect(made.map((each) => each.bytes)).toEqual([512 * MIB, 10 * GIB, 10 * GIB]);
  });

  it('of a BIOS, an ESP and /boot never change', () => {
    for (const name of ['bios gpt ext4 with swap at the end', 'uefi with /boot, nvme', 'lvm on md raid1'] as const) {
      const layout = LAYOUTS[name]();
      for (const [i, factor] of [0.6, 3].entries()) {
        const disks = layout.disks.map((disk, j) =>
          foundDisk(`vd${'ab'[j] ?? ''}`, Math.floor((disk.bytes / GIB) * factor)),
        );
        const made = partitionsOf(plan(layout, disks, { grow: 'proportional' }));
        expect(made).not.toHaveLength(0);
        for (const fixed of layout.partitions.filter((each) => each.bytes <= GIB)) {
          expect({ i, ...made.find((each) => each.id === fixed.id) }).toMatchObject({ i, bytes: fixed.bytes });
        }
      }
    }
  });

  it('of an MBR stop at 2 TiB, and are refused where they reached further on bigger sectors', () => {
    const big = new LayoutKit({ firmware: 'bios' })
      .disk('sda', 6000, { sectorBytes: 4096 })
      .dos('disk:sda', ['* 83'])
      .ext4('part:sda1', '/', { usedGib: 3000 })
      .build();
    const made = plan(big, [foundDisk('vda', 6000)]);
    expect(made.blockers).toEqual([
      expect.stringMatching(/an MBR reaches 2.0 TiB only, which lacks 1.* TiB .*3\.\d TiB.*sectors/),
    ]);
  });

  it('that contradict each other are refused', () => {
    const layout = LAYOUTS['uefi ext4']();
    layout.partitions[1]!.startByte -= MIB;
    expect(() => plan(layout, sameDisks(layout))).toThrow('part:sda2 overlaps part:sda1');
  });

  it('fit into exactly what they say they need, and not into less', () => {
    const sizes = fc.array(
      fc.record({
        mib: fc.integer({ min: 1, max: 4000 }),
        slack: fc.integer({ min: 0, max: 100 }),
        gap: fc.integer({ min: 0, max: 300 }),
      }),
      { minLength: 1, maxLength: 8 },
    );
    fc.assert(
      fc.property(
        sizes,
        fc.constantFrom(512, 4096),
        fc.constantFrom('gpt' as const, 'dos' as const),
        (parts, sectorBytes, kind) => {
          let start = MIB;
          const partitions = parts.map(({ mib, gap }, i): Partition => {
            const startByte = start + gap * MIB;
            start = startByte + mib * MIB;
            return {
              id: `part:sda${i}`,
              on: 'disk:sda',
              number: i + 1,
              startByte,
              bytes: mib * MIB,
              type: '83',
              name: null,
              uuid: null,
              attributes: [],
              bootable: false,
              role: 'primary',
            };
          });
          const oldBytes = start + MIB;
          const table =
            kind === 'gpt'
              ? {
                  kind,
                  on: 'disk:sda',
                  uuid: 'u',
                  firstByte: 34 * 512,
                  lastByte: oldBytes - 33 * 512 - 1,
                  entries: 128,
                }
              : { kind, on: 'disk:sda', diskId: '0x00000001' };
          const needs = (id: string): { least: number; grows: boolean } => {
            const i = Number(id.slice('part:sda'.length));
            return { least: Math.ceil((parts[i]!.mib * (100 - parts[i]!.slack)) / 100) * MIB, grows: true };
          };
          const device = { oldBytes, oldSectorBytes: 512, bytes: oldBytes, sectorBytes };
          const least = leastTableBytes({ table, partitions, device, needs });
          const at = (bytes: number): boolean =>
            placePartitions({ table, partitions, device: { ...device, bytes }, needs, grow: 'last' }).fits;
          if (least <= oldBytes) expect(at(least)).toBe(true);
          expect(at(least - MIB)).toBe(false);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('share', () => {
  it('gives out all of it, whole, and to none more than it can take', () => {
    const weights = fc.array(
      fc.record({ weight: fc.integer({ min: 0, max: 1e7 }), most: fc.integer({ min: 0, max: 1e7 }) }),
      { minLength: 1, maxLength: 6 },
    );
    fc.assert(
      fc.property(weights, fc.integer({ min: 0, max: 1e7 }), (list, wanted) => {
        const most = list.map((each) => each.most);
        const amount = Math.min(
          wanted,
          most.reduce((sum, each) => sum + each, 0),
        );
        const parts = share({ amount, weights: list.map((each) => each.weight), most });
        expect(parts.reduce((sum, each) => sum + each, 0)).toBe(amount);
        parts.forEach((part, i) => {
          expect(Number.isInteger(part)).toBe(true);
          expect(part).toBeGreaterThanOrEqual(0);
          expect(part).toBeLessThanOrEqual(most[i]!);
        });
      }),
    );
  });
});

describe('a file system', () => {
  const [esp, root] = LAYOUTS['uefi ext4']().fileSystems as [FileSystem, FileSystem];
  const least = (fileSystem: FileSystem, headroomPercent = 10, sectorBytes = 512): number =>
    leastFileSystem({ fileSystem, headroomPercent, sectorBytes });

  it('needs what it uses, headroom and its own bookkeeping, and never more than it had', () => {
    expect(least(root)).toBeGreaterThan(2.2 * GIB);
    expect(least(root)).toBeLessThan(2.6 * GIB);
    expect(least(root, 50)).toBeGreaterThan(3 * GIB);
    expect(least({ ...root, usedBytes: root.bytes })).toBe(root.bytes);
    expect(least({ ...root, usedBytes: null })).toBe(root.bytes);
    expect(least({ ...root, usedBytes: 0 })).toBeGreaterThanOrEqual(16 * MIB);
  });

  it('of XFS is not below what mkfs makes, and of FAT32 keeps enough clusters on big sectors', () => {
    const [, , xfs] = LAYOUTS['xfs root']().fileSystems;
    expect(least({ ...xfs!, usedBytes: 0 })).toBeGreaterThanOrEqual(300 * MIB);
    expect(least({ ...esp, bytes: 100 * MIB }, 10, 4096)).toBe(100 * MIB);
    const small = {
      ...esp,
      bytes: 100 * MIB,
      make: { type: 'vfat' as const, fatBits: 32 as const, clusterBytes: 512 },
    };
    expect(least(small, 10, 512)).toBe(100 * MIB);
    expect(least(small, 10, 4096)).toBeGreaterThan(65_525 * 4096);
  });

  it('of btrfs counts each copy', () => {
    const btrfs = LAYOUTS['btrfs with subvolumes on two devices']().fileSystems.find(
      (each) => each.make.type === 'btrfs',
    );
    expect(least(btrfs!)).toBeGreaterThan(22 * GIB);
    const single = {
      ...btrfs!,
      make: { ...btrfs!.make, profiles: { data: 'single', metadata: 'single' } } as FileSystem['make'],
    };
    expect(least(single)).toBeLessThan(14 * GIB);
  });

  it('of ext4 keeps its share of inodes and reserved blocks, and more inodes than that when it shrinks', () => {
    const make = (bytes: number): FileSystem['make'] =>
      remake({ fileSystem: root, bytes, members: new Map(), sectorBytes: 512 }).make;
    const was = root.make.type === 'ext4' ? root.make : undefined;
    expect(make(root.bytes)).toEqual(was);
    expect(make(root.bytes * 2)).toMatchObject({
      inodes: was!.inodes * 2,
      blocks: was!.blocks * 2,
      reservedBlocks: Math.floor((was!.reservedBlocks / was!.blocks) * was!.blocks * 2),
    });
    expect(make(root.bytes / 2)).toMatchObject({
      inodes: Math.floor(root.bytes / 2 / 8192),
      blocks: Math.floor(root.bytes / 2 / 4096),
    });
  });

  it('of ext4 with clusters keeps their size, and comes back without them where a layout does not tell it', () => {
    if (root.make.type !== 'ext4') throw new Error('no ext4');
    const big = { ...root.make, features: [...root.make.features, 'bigalloc'] };
    const made = (make: FileSystem['make'], sectorBytes: number) =>
      remake({ fileSystem: { ...root, make }, bytes: root.bytes, members: new Map(), sectorBytes });
    const whole = { ...big, clusterBytes: 16384 };
    expect(made(whole, 512)).toEqual({ make: whole, notes: [] });
    expect(made({ ...whole, blockBytes: 1024, clusterBytes: 2048 }, 4096).make).toMatchObject({ clusterBytes: 4096 });
    expect(made(big, 512)).toEqual({ make: root.make, notes: [expect.stringMatching(/comes back without them/)] });
  });
});

describe('volumes', () => {
  it('grow in proportion and fill their group no more than it was', () => {
    const layout = LAYOUTS['lvm on md raid1']();
    const made = plan(layout, [foundDisk('vda', 100), foundDisk('vdb', 100)], { grow: 'proportional' });
    const [root, swap, srv] = only(made, 'lvm-lv').map((step) => step.volume.bytes / GIB);
    expect(swap).toBe(2);
    expect(root! / srv!).toBeCloseTo(12 / 16, 2);
    expect((root! + srv! + 2) / 99).toBeCloseTo(30 / 39, 1);
  });

  it('are moved together where their physical volume became smaller', () => {
    const layout = new LayoutKit()
      .disk('sda', 60)
      .gpt('disk:sda', ['512M esp', '* lvm'])
      .vfat('part:sda1', '/boot/efi')
      .vg('vg0', ['part:sda2'])
      .lv('vg0', 'gone', '20G')
      .lv('vg0', 'root', '20G')
      .ext4('lv:vg0/root', '/', { usedGib: 2 })
      .build();
    layout.volumes.shift();
    const made = plan(layout, [foundDisk('vda', 30)]);
    const [root] = only(made, 'lvm-lv');
    expect(root?.volume.bytes).toBe(20 * GIB);
    expect(root?.segments).toEqual([
      { kind: 'linear', extents: 5120, areas: [expect.objectContaining({ startExtent: 0, extents: 5120 })] },
    ]);
  });

  it('keep their places where nothing changes', () => {
    const layout = LAYOUTS['lvm of several segments, stripes and mirrors']();
    const starts = only(plan(layout, sameDisks(layout)), 'lvm-lv').flatMap((step) =>
      step.segments.flatMap((segment) => segment.areas.map((area) => area.startExtent)),
    );
    const were = layout.volumes.flatMap((each) =>
      each.segments.flatMap((segment) => ('areas' in segment ? segment.areas.map((area) => area.startExtent) : [])),
    );
    expect(starts).toEqual(were);
  });
});

describe('an array', () => {
  const on = (gib: number, change: Partial<MdArray> = {}, more = 0): Layout => {
    const { level = 'raid1' } = change;
    return new LayoutKit()
      .disk('sda', 20)
      .disk('sdb', gib)
      .disk('sdc', gib + more)
      .gpt('disk:sda', ['512M esp', '* linux'])
      .gpt('disk:sdb', ['* raid'])
      .gpt('disk:sdc', ['* raid'])
      .vfat('part:sda1', '/boot/efi')
      .ext4('part:sda2', '/')
      .md('md0', level, ['part:sdb1', 'part:sdc1'], change)
      .ext4('md:md0', '/srv', { usedGib: 1 })
      .build();
  };
  const disks = (gib: number): FoundDisk[] =>
    ['sda', 'sdb', 'sdc'].map((name) =>
      foundDisk(name, name === 'sda' ? 20 : gib, { serial: `S-${name.toUpperCase()}` }),
    );
  const array = (layout: Layout, found: readonly FoundDisk[]) => {
    const made = plan(layout, found);
    expect(made.blockers).toEqual([]);
    simulate(made, layout.luks);
    const [step] = only(made, 'md-create');
    return {
      step: step!,
      free: Math.min(...partitionsOf(made).flatMap(({ on: at, bytes }) => (at === 'disk:sda' ? [] : [bytes]))),
    };
  };

  it.each([40, 80, 160])(
    'has its data where it was on members of %d GiB, where mdadm itself would keep more',
    (gib) => {
      const { step, free } = array(on(20), disks(gib));
      expect(step.dataOffsetBytes).toBe(17 * MIB);
      expect(step.componentBytes).toBe(Math.floor((free - 17 * MIB) / 65536) * 65536);
      expect(mdadmOffset({ bytes: free, chunkBytes: null })).toBeGreaterThan(17 * MIB);
    },
  );

  it('that an mdadm before 3.3 made comes back on the same disks as it was, with its data at 1 MiB', () => {
    const layout = on(160, { dataOffsetBytes: MIB });
    expect(array(layout, sameDisks(layout)).step).toMatchObject({
      dataOffsetBytes: MIB,
      array: { bytes: layout.arrays[0]!.bytes },
    });
  });

  it('with hardly any room before its data has 1 MiB there, once it grows', () => {
    const layout = on(20, { dataOffsetBytes: 136 * 1024 });
    expect(array(layout, sameDisks(layout)).step.dataOffsetBytes).toBe(136 * 1024);
    expect(array(layout, disks(160)).step.dataOffsetBytes).toBe(MIB);
  });

  it.each(['raid1', 'raid0'] as const)(
    '(%s) of old, with no room for a bitmap before its data, gets 1 MiB there and is smaller by that',
    (level) => {
      const layout = on(20, { level, dataOffsetBytes: 12 * 1024 });
      const { step } = array(layout, sameDisks(layout));
      expect(step.dataOffsetBytes).toBe(MIB);
      expect(step.array.bytes).toBeLessThan(layout.arrays[0]!.bytes);
      expect(layout.arrays[0]!.bytes - step.array.bytes).toBeLessThanOrEqual(4 * MIB);
    },
  );

  it('of a layout that does not tell where its data was takes no more than what it left over', () => {
    for (const [was, now] of [
      [MIB, MIB],
      [17 * MIB, 17 * MIB],
      [136 * 1024, 136 * 1024],
    ] as const) {
      const layout = on(20, { dataOffsetBytes: was });
      const [told] = layout.arrays;
      delete told!.dataOffsetBytes;
      const { step } = array(layout, sameDisks(layout));
      expect(step.dataOffsetBytes).toBeLessThanOrEqual(layout.partitions[3]!.bytes - told!.bytes);
      expect(step.dataOffsetBytes).toBeGreaterThanOrEqual(now);
      expect(step.array.bytes).toBe(told!.bytes);
      array(layout, disks(160));
    }
  });

  it.each(['0.90', '1.0'] as const)(
    'with its metadata behind the data (%s) leaves mdadm the room that it wants',
    (metadata) => {
      for (const gib of [9, 40, 160, 400])
        expect(array(on(8, { metadata }), disks(gib)).step.dataOffsetBytes).toBeNull();
    },
  );

  it('that left mdadm less than it wants today is made a little smaller', () => {
    const layout = on(40, { metadata: '1.0' });
    const [was] = layout.arrays;
    was!.bytes = layout.partitions[3]!.bytes - 16 * 1024;
    layout.fileSystems.find(({ on: at }) => at === 'md:md0')!.bytes = was!.bytes;
    const { step, free } = array(layout, sameDisks(layout));
    expect(step.array.bytes).toBe(free - 128 * 1024);
  });

  it('of level raid0 takes all of each member, also of members that are not alike', () => {
    const layout = on(20, { level: 'raid0' }, 10);
    const [was] = layout.arrays;
    was!.bytes += 10 * GIB;
    layout.fileSystems.find(({ on: at }) => at === 'md:md0')!.bytes = was!.bytes;
    const { step } = array(layout, sameDisks(layout));
    expect(stepRequest({ step, tree: '' }).args).toMatchObject({ componentKib: 0, dataOffsetKib: 17 * 1024 });
    array(layout, disks(160));
  });
});

describe('a layout that contradicts itself', () => {
  const broken: [string, (layout: Layout) => unknown, string][] = [
    [
      'a device used twice',
      (layout) =>
        layout.swaps.push({
          on: 'part:sda2',
          path: null,
          uuid: null,
          label: null,
          bytes: 1,
          priority: null,
          mode: null,
        }),
      'part:sda2 is said to be used twice',
    ],
    [
      'a device described twice',
      (layout) => layout.partitions.push(layout.partitions[0]!),
      'part:sda1 is described twice',
    ],
    [
      'a device that lies on itself',
      (layout) =>
        layout.luks.push({
          id: 'luks:a',
          name: 'a',
          on: 'luks:a',
          version: 2,
          uuid: 'u',
          label: null,
          cipher: 'c',
          keyBytes: 64,
          sectorBytes: 512,
          dataOffsetBytes: 0,
          bytes: 1,
          keySlots: [],
          tokens: [],
          header: null,
        }),
      'luks:a lies on itself',
    ],
  ];

  it.each(broken)('is refused: %s', (_, change, message) => {
    const layout = LAYOUTS['uefi ext4']();
    change(layout);
    expect(() => plan(layout, sameDisks(layout))).toThrow(message);
  });
});

describe('a device that the layout does not describe', () => {
  it('takes with it what lies on it, and what is mounted there forbids the recovery', () => {
    const layout = LAYOUTS['boot and data disks']();
    layout.fileSystems[2]!.on = 'mpath:mpatha';
    expect(plan(layout, sameDisks(layout)).blockers).toEqual([
      '/srv would be lost: the layout does not say what it lies on. Recover it by hand, from its files, or take the layout of another backup',
    ]);
    layout.mounts = layout.mounts.filter((each) => each.path !== '/srv');
    const made = plan(layout, sameDisks(layout));
    expect(made.blockers).toEqual([]);
    expect(made.warnings).toContain('ext4 on mpath:mpatha is not made again: the layout does not say what it lies on');
  });
});

describe('the planner', () => {
  it('is fit for workflow code: of the layout’s schema it imports types alone, and nothing of Node', () => {
    const folder = join(__dirname, '../../planning');
    // What reads a rescue system's answer says that it is not.
    const files = readdirSync(folder).filter(
      (name) =>
        /^(?:recover|boot-families|counted|luks-headers|layout-(?:bootable|diff|limits))/.test(name) &&
        !readFileSync(join(folder, name), 'utf8').includes('Not for workflow code'),
    );
    expect(files.length).toBeGreaterThan(15);
    for (const name of files) {
      const imports =
        readFileSync(join(folder, name), 'utf8').match(/^(?:import|export) [^;]*? from '[^']+';$/gm) ?? [];
      for (const line of imports.filter((each) => !/^(?:import|export) type /.test(each))) {
        expect(`${name}: ${line}`).toMatch(
          /from '\.\/(?:recover[a-z-]*|boot-families|counted|luks-headers|zfs-properties|layout-(?:bootable|diff|limits)|canonical|errors|sha256|restore-approval)';$/,
        );
      }
    }
  });
});
