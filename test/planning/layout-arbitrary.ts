/** Layouts of all kinds for property tests: tables, stacks and file systems put together at random, such as a machine could have. */
import fc from 'fast-check';
import type { Layout } from '../../planning/layout-schema';
import { GIB, LayoutKit } from './layout-builder';

interface Shape {
  firmware: 'bios' | 'uefi';
  table: 'gpt' | 'dos';
  rootGib: number;
  rootType: 'ext4' | 'xfs' | 'btrfs';
  swapGib: number;
  tailGib: number;
  usedPercent: number;
  data:
    | 'none'
    | 'partition'
    | 'disk'
    | 'raid'
    | 'lvm'
    | 'lvm over two'
    | 'luks and lvm'
    | 'thin'
    | 'btrfs over two'
    | 'zfs'
    | 'logicals';
  dataGib: number;
  raid: 'raid0' | 'raid1' | 'raid5' | 'raid6' | 'raid10';
  metadata: '0.90' | '1.0' | '1.1' | '1.2';
  /** Arrays that mdadm before 3.3 made have their data early; null as of today. */
  dataOffsetKib: 136 | 1024 | null;
  volumes: number[];
  boot: boolean;
}

const shape: fc.Arbitrary<Shape> = fc.record({
  firmware: fc.constantFrom('bios', 'uefi'),
  table: fc.constantFrom('gpt', 'dos'),
  rootGib: fc.integer({ min: 4, max: 40 }),
  rootType: fc.constantFrom('ext4', 'xfs', 'btrfs'),
  swapGib: fc.integer({ min: 0, max: 4 }),
  tailGib: fc.integer({ min: 0, max: 10 }),
  usedPercent: fc.integer({ min: 0, max: 95 }),
  data: fc.constantFrom(
    'none',
    'partition',
    'disk',
    'raid',
    'lvm',
    'lvm over two',
    'luks and lvm',
    'thin',
    'btrfs over two',
    'zfs',
    'logicals',
  ),
  dataGib: fc.integer({ min: 12, max: 200 }),
  raid: fc.constantFrom('raid0', 'raid1', 'raid5', 'raid6', 'raid10'),
  metadata: fc.constantFrom('0.90', '1.0', '1.1', '1.2', '1.2'),
  dataOffsetKib: fc.constantFrom(136, 1024, null),
  volumes: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }),
  boot: fc.boolean(),
});

/** A layout with a root on `sda` and data of some kind beside it. */
export const arbitraryLayout: fc.Arbitrary<Layout> = shape.map(build);

function build(shape: Shape): Layout {
  const { firmware, rootGib, swapGib, tailGib, data } = shape;
  const isDos = (shape.table === 'dos' && firmware === 'bios') || data === 'logicals';
  const kit = new LayoutKit({ firmware: isDos ? 'bios' : firmware });
  const usedGib = (gib: number): number => (gib * shape.usedPercent) / 100;
  kit.disk('sda', rootGib + swapGib + tailGib + (data === 'logicals' ? shape.dataGib : 0) + 2);
  const boot = shape.boot ? ['1G linux'] : [];
  const swap = swapGib > 0 ? [`${swapGib}G swap`] : [];
  const first = isDos ? [] : [firmware === 'bios' ? '1M bios' : '512M esp'];
  if (isDos) {
    const mbr = [
      ...boot.map(() => '1G 83 active'),
      `${rootGib}G 83`,
      ...(data === 'logicals' ? ['* ext'] : swap.map(() => `${swapGib}G 82`)),
    ];
    const logical = shape.volumes
      .slice(0, 3)
      .map((gib) => `${Math.max(1, Math.floor((gib / 160) * shape.dataGib))}G 83`);
    kit.dos('disk:sda', mbr, data === 'logicals' ? logical : [], { gap: shape.boot ? 63 * 512 : 2 ** 20 });
    if (data === 'logicals')
      logical.forEach((text, i) =>
        kit.ext4(`part:sda${5 + i}`, `/srv/${i}`, { usedGib: usedGib(Number(text.split('G')[0])) }),
      );
  } else {
    kit.gpt('disk:sda', [...first, ...boot, `${rootGib}G linux`, ...swap]);
  }
  let number = 1;
  if (!isDos) {
    if (firmware === 'uefi') kit.vfat('part:sda1', '/boot/efi');
    number += 1;
  }
  if (shape.boot) {
    kit.ext4(`part:sda${number}`, '/boot', { usedGib: 0.2 });
    number += 1;
  }
  const root = `part:sda${number}`;
  if (shape.rootType === 'ext4') kit.ext4(root, '/', { usedGib: usedGib(rootGib) });
  if (shape.rootType === 'xfs') kit.xfs(root, '/', { usedGib: usedGib(rootGib) });
  if (shape.rootType === 'btrfs')
    kit.btrfs([root], { '/': '@' }, { subvolumes: ['@', '@snapshots'], usedGib: usedGib(rootGib) });
  if (swapGib > 0 && data !== 'logicals') kit.swap(`part:sda${number + 1}`);
  addData(kit, shape, usedGib);
  return kit.build();
}

function addData(kit: LayoutKit, shape: Shape, usedGib: (gib: number) => number): void {
  const { data, dataGib, raid, volumes, metadata, dataOffsetKib } = shape;
  const second = (): string => {
    kit.disk('sdb', dataGib).gpt('disk:sdb', ['* linux']);
    return 'part:sdb1';
  };
  switch (data) {
    case 'none':
    case 'logicals':
      return;
    case 'partition':
      kit.xfs(second(), '/srv', { usedGib: usedGib(dataGib) });
      return;
    case 'disk':
      kit.disk('sdb', dataGib).ext4('disk:sdb', '/srv', { usedGib: usedGib(dataGib) });
      return;
    case 'raid': {
      const names = ['sdb', 'sdc', 'sdd', 'sde'];
      for (const name of names) kit.disk(name, dataGib).gpt(`disk:${name}`, ['* raid']);
      const isBefore = metadata === '1.1' || metadata === '1.2';
      kit
        .md(
          'md0',
          raid,
          names.map((name) => `part:${name}1`),
          { metadata, ...(isBefore && dataOffsetKib !== null ? { dataOffsetBytes: dataOffsetKib * 1024 } : {}) },
        )
        .ext4('md:md0', '/srv', { usedGib: usedGib(dataGib) });
      return;
    }
    case 'lvm':
      addVolumes(kit, { on: [second()], gib: dataGib, volumes, usedGib });
      return;
    case 'lvm over two':
      kit.disk('sdb', dataGib).disk('sdc', dataGib + 7);
      addVolumes(kit, { on: ['disk:sdb', 'disk:sdc'], gib: 2 * dataGib, volumes, usedGib });
      kit
        .stripedLv('data', 'striped', '1G', { on: ['disk:sdb', 'disk:sdc'] })
        .xfs('lv:data/striped', '/fast', { usedGib: 0.3 });
      return;
    case 'luks and lvm':
      kit.luks(second(), 'cr');
      addVolumes(kit, { on: ['luks:cr'], gib: dataGib, volumes, usedGib });
      return;
    case 'thin': {
      kit
        .vg('data', [second()])
        .lv('data', 'plain', '1G')
        .thinPool('data', 'pool', `${Math.floor(dataGib / 2)}G`);
      kit.ext4('lv:data/plain', '/plain', { usedGib: 0.3 });
      volumes.forEach((gib, i) => {
        kit
          .thin('data', `thin${i}`, `${gib}G`, 'pool')
          .ext4(`lv:data/thin${i}`, `/thin/${i}`, { usedGib: usedGib(gib) / 10 });
      });
      return;
    }
    case 'btrfs over two':
      kit.disk('sdb', dataGib).disk('sdc', dataGib);
      kit.btrfs(
        ['disk:sdb', 'disk:sdc'],
        { '/srv': null },
        { data: 'raid1', metadata: 'raid1', usedGib: usedGib(dataGib) },
      );
      return;
    case 'zfs':
      kit
        .disk('sdb', dataGib)
        .pool(
          'tank',
          [{ kind: 'disk', on: 'disk:sdb', children: [] }],
          { tank: '/tank' },
          { usedGib: usedGib(dataGib) },
        );
      return;
  }
}

/** Volumes by their share of the group, so that they always fit into it; one extent of each stays free for what is striped. */
function addVolumes(
  kit: LayoutKit,
  {
    on,
    gib,
    volumes,
    usedGib,
  }: { on: readonly string[]; gib: number; volumes: readonly number[]; usedGib: (gib: number) => number },
): void {
  kit.vg('data', on);
  const total = Math.max(
    volumes.reduce((sum, each) => sum + each, 0),
    40,
  );
  volumes.forEach((share, i) => {
    const mib = Math.max(512, Math.floor(((gib - 4) * 1024 * 0.5 * share) / total / 4) * 4);
    kit.lv('data', `lv${i}`, `${mib}M`);
    const used = { usedGib: usedGib((mib * 2 ** 20) / GIB) };
    if (i % 2 === 0) kit.ext4(`lv:data/lv${i}`, `/srv/${i}`, used);
    else kit.xfs(`lv:data/lv${i}`, `/srv/${i}`, used);
  });
}
