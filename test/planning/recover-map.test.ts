/** Which disk is taken, and which never. */
import fc from 'fast-check';
import type { FoundDisk, RecoveryPlan, RecoveryPolicy } from '../../planning/recover';
import { approvesUnattended, DEFAULT_RECOVERY_POLICY, planRecovery, recoveryHash } from '../../planning/recover';
import { recoveryText } from '../../planning/recover-text';
import { approves } from '../../planning/restore-approval';
import type { Layout } from '../../planning/layout-schema';
import { LAYOUTS } from './layout-cases';
import { foundDisk, foundMachine, GIB, LayoutKit, sameDisks } from './layout-builder';

function plan(
  layout: Layout,
  disks: readonly FoundDisk[],
  policy: Partial<RecoveryPolicy> = {},
  backup = '20261121_013000',
): RecoveryPlan {
  return planRecovery({
    layout,
    machine: foundMachine(layout, disks),
    policy: { ...DEFAULT_RECOVERY_POLICY, ...policy },
    backup,
  });
}

const taken = ({ disks }: RecoveryPlan): Record<string, string> =>
  Object.fromEntries(
    disks.flatMap((disk) => (disk.takesPlaceOf === null ? [] : [[disk.takesPlaceOf, disk.serial ?? disk.name]])),
  );

const one = LAYOUTS['uefi ext4']();
const two = LAYOUTS['boot and data disks']();
const mirror = LAYOUTS['lvm on md raid1']();

const IN_USE = ['mounted at /mnt', 'swap', 'member of md127', 'holds the rescue system', 'holds a backup'];

describe('a disk is never taken', () => {
  it.each(IN_USE)('when it is in use: %s', (reason) => {
    expect(taken(plan(one, [foundDisk('sda', 40, { inUse: [reason] })]))).toEqual({});
    expect(taken(plan(one, [foundDisk('sda', 40, { inUse: [reason] })], { pins: { sda: 'N-SDA' } }))).toEqual({});
    expect(taken(plan(one, sameDisks(one, { inUse: [reason] })))).toEqual({});
  });

  it('when it is read-only, has no medium, or is too small', () => {
    expect(taken(plan(one, [foundDisk('sda', 40, { readOnly: true })], { pins: { sda: 'sda' } }))).toEqual({});
    expect(taken(plan(one, [foundDisk('sda', 0)], { pins: { sda: 'sda' } }))).toEqual({});
    expect(taken(plan(one, [foundDisk('sda', 2)], { pins: { sda: 'sda' } }))).toEqual({});
  });

  it('when it tells neither serial number nor WWN: nothing could make sure of it when it is written to', () => {
    const nameless = { serial: null, wwn: null };
    expect(taken(plan(one, [foundDisk('sda', 40, nameless)], { pins: { sda: 'sda' } }))).toEqual({});
    expect(taken(plan(one, [foundDisk('sda', 40, { ...nameless, wwn: '0x5000' })]))).toEqual({ sda: 'sda' });
  });

  it('by its number in this boot, it is taken like any other, and the plan says so', () => {
    const numbered = (number: number, more = {}) =>
      foundDisk(`sd${'abcd'[number] ?? ''}`, 40, { serial: `this-boot:b1:${number}`, wwn: null, ...more });
    const alone = plan(one, [numbered(0)]);
    expect(taken(alone)).toEqual({ sda: 'this-boot:b1:0' });
    expect(alone.warnings).toContainEqual(expect.stringMatching(/^sda \(no serial, 40 GiB\) says nothing of itself/));
    expect(recoveryText(alone)).not.toContain('this-boot');
    expect(plan(one, [numbered(1)]).hash).not.toBe(alone.hash);
    const either = plan(one, [numbered(0, { contents: ['ext4'] }), numbered(1, { contents: ['ext4'] })]);
    expect(taken(either)).toEqual({});
    expect(either.blockers.join()).toMatch(/--pin sda=sda`/);
    expect(taken(plan(one, [numbered(0), numbered(1)], { pins: { sda: 'sdb' } }))).toEqual({ sda: 'this-boot:b1:1' });
  });

  it('when it is removable, unless it is pinned', () => {
    const stick = foundDisk('sda', 40, { removable: true });
    expect(taken(plan(one, [stick]))).toEqual({});
    expect(taken(plan(one, [{ ...stick, serial: 'S-SDA' }]))).toEqual({});
    expect(taken(plan(one, [stick], { pins: { sda: 'N-SDA' } }))).toEqual({ sda: 'N-SDA' });
  });

  it('when it is on USB, whatever it says of being removable; a host that lived on one may get another', () => {
    const usb = foundDisk('sda', 40, { transport: 'usb' });
    const made = plan(one, [usb]);
    expect(taken(made)).toEqual({});
    expect(approvesUnattended(made)).toBe(false);
    expect(made.blockers.join()).toMatch(/a USB disk, and such disks are taken only when they are pinned/);
    expect(taken(plan(one, [usb], { pins: { sda: 'N-SDA' } }))).toEqual({ sda: 'N-SDA' });
    const docked = plan(one, [{ ...usb, serial: 'S-SDA' }]);
    expect(taken(docked)).toEqual({});
    expect(docked.blockers.join()).toMatch(/is sda \(serial S-SDA\) here, on USB now\. Pin it/);
    const portable = new LayoutKit()
      .disk('sda', 40, { transport: 'usb' })
      .disk('sdb', 60)
      .gpt('disk:sda', ['512M esp', '* linux'])
      .gpt('disk:sdb', ['* linux'])
      .ext4('part:sda2', '/')
      .ext4('part:sdb1', '/srv')
      .build();
    expect(taken(plan(portable, [{ ...usb, serial: 'S-SDA' }, foundDisk('sdb', 60)]))).toEqual({
      sda: 'S-SDA',
      sdb: 'N-SDB',
    });
    // The bigger one on USB does not take the place of the one inside.
    expect(taken(plan(portable, [usb, foundDisk('sdb', 80, { transport: 'usb' })]))).toEqual({ sda: 'N-SDA' });
  });

  it('when it is the host’s own disk of another place: it may hold all that is left', () => {
    const [sda, sdb] = sameDisks(mirror);
    expect(taken(plan(mirror, [sdb!], { leaveOut: ['sdb'] }))).toEqual({});
    expect(taken(plan(mirror, [sdb!], { leaveOut: ['sdb'], pins: { sda: 'S-SDB' } }))).toEqual({ sda: 'S-SDB' });
    // The old sda still hangs there, a new one is pinned to its place, and sdb is gone.
    expect(taken(plan(mirror, [sda!, foundDisk('nvme0n1', 40)], { pins: { sda: 'N-NVME0N1' } }))).toEqual({
      sda: 'N-NVME0N1',
    });
  });

  it('when two say the same serial', () => {
    const twins = [foundDisk('sda', 40, { serial: 'S-SDA' }), foundDisk('sdb', 40, { serial: 'S-SDA' })];
    expect(taken(plan(one, twins))).toEqual({});
    expect(taken(plan(one, twins, { pins: { sda: 'sdb' } }))).toEqual({});
  });
});

describe('a disk that stays as it is', () => {
  const root = one.fileSystems.find(({ on }) => on === 'part:sda2')!;
  const disks = (change: Partial<FoundDisk>): FoundDisk[] => [
    foundDisk('sda', 40),
    foundDisk('sdb', 30, { contents: ['ext4 on sdb2'], ...change }),
  ];
  const pins = { sda: 'N-SDA' };

  it('forbids the plan where it holds, under the same UUID, what is made again: the old system might pass for the new one', () => {
    const made = plan(one, disks({ uuids: ['other', root.uuid.toUpperCase()] }), { pins });
    expect(made.blockers).toEqual([
      expect.stringMatching(
        /^sdb \(serial N-SDB\) is left as it is, .* made again elsewhere: the ext4 of \/\. .*Detach it, wipe it/,
      ),
    ]);
    expect(made.steps).toEqual([]);
    expect(JSON.stringify(made.disks)).not.toContain('uuids');
    expect(plan(one, disks({ uuids: ['other'] }), { pins })).toMatchObject({ blockers: [], warnings: [] });
    // Overwritten, it is none of them.
    const old = foundDisk('sda', 40, { serial: 'S-SDA', contents: ['ext4'], uuids: [root.uuid] });
    expect(plan(one, [old]).blockers).toEqual([]);
  });

  it('forbids it with a member of an array that is made again too, in blkid’s spelling', () => {
    const [array] = mirror.arrays;
    const uuid = array!.uuid.replaceAll(':', '').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
    const old = foundDisk('sdb', 40, { serial: 'S-SDB', contents: ['a part of an md array on sdb2'], uuids: [uuid] });
    const made = plan(mirror, [foundDisk('sda', 40), old], { leaveOut: ['sdb'], pins });
    expect(made.blockers).toEqual([expect.stringMatching(/elsewhere: array web-1:md0\./)]);
  });

  it('is told of where it is the host’s own and what it holds is not known to be made again, or is swap alone', () => {
    const made = plan(one, disks({ serial: 'S-SDA' }), { pins });
    expect(made.blockers).toEqual([]);
    expect(made.warnings).toEqual([
      expect.stringMatching(/^sdb \(serial S-SDA\) is this host's own.*firmware may boot/),
    ]);
    expect(plan(one, disks({ serial: 'S-SDA', contents: [] }), { pins }).warnings).toEqual([]);
    const swapped = LAYOUTS['bios gpt ext4 with swap at the end']();
    const uuids = swapped.swaps.flatMap(({ uuid }) => uuid ?? []);
    const beside = plan(swapped, disks({ uuids }), { pins });
    expect(beside.blockers).toEqual([]);
    expect(beside.warnings).toEqual([expect.stringMatching(/under the same UUID: swap\. Detach it/)]);
  });
});

describe('parts of one device that share its serial are no twins', () => {
  const emmc = { serial: '0x1234', transport: 'mmc' };
  const layout = new LayoutKit()
    .disk('mmcblk0', 32, emmc)
    .disk('mmcblk0boot0', 1, emmc)
    .gpt('disk:mmcblk0', ['512M esp', '* linux'])
    .vfat('part:mmcblk0p1', '/boot/efi')
    .ext4('part:mmcblk0p2', '/')
    .build();
  const boot = { ...emmc, readOnly: true };

  it('boot areas of an eMMC have another size', () => {
    const disks = [foundDisk('mmcblk0', 32, emmc), foundDisk('mmcblk0boot0', 1, boot)];
    for (const found of [disks, [...disks].reverse()]) {
      const made = plan(layout, found);
      expect(made.blockers).toEqual([]);
      expect(made.disks.find(({ fate }) => fate === 'overwritten')).toMatchObject({ name: 'mmcblk0', isSame: true });
      expect(taken(plan(layout, found, { pins: { mmcblk0: '0x1234' } }))).toEqual({ mmcblk0: '0x1234' });
    }
    expect(taken(plan(one, [foundDisk('mmcblk0', 40, emmc), foundDisk('mmcblk0boot0', 1, boot)]))).toEqual({
      sda: '0x1234',
    });
  });

  it('namespaces of an NVMe have WWNs of their own; with one WWN, or none to tell, they are twins', () => {
    const of = (name: string, wwn: string | null): FoundDisk => foundDisk(name, 40, { serial: 'NVME', wwn });
    expect(taken(plan(one, [of('nvme0n1', 'eui.01'), of('nvme0n2', 'eui.02')], { pins: { sda: 'eui.02' } }))).toEqual({
      sda: 'NVME',
    });
    expect(taken(plan(one, [of('nvme0n1', 'eui.01'), of('nvme1n1', 'eui.01')], { pins: { sda: 'nvme0n1' } }))).toEqual(
      {},
    );
    expect(taken(plan(one, [of('nvme0n1', 'eui.01'), of('nvme1n1', null)], { pins: { sda: 'nvme0n1' } }))).toEqual({});
    expect(plan(one, [of('nvme0n1', 'eui.01'), of('nvme0n2', 'eui.02')], { pins: { sda: 'NVME' } }).blockers).toEqual([
      expect.stringContaining('Pin it by WWN or name'),
    ]);
  });

  it('namespaces of the layout are known by their WWNs', () => {
    const kit = new LayoutKit();
    for (const [name, wwn] of [
      ['nvme0n1', 'eui.01'],
      ['nvme0n2', 'eui.02'],
    ] as const) {
      kit.disk(name, 40, { serial: 'NVME', wwn }).gpt(`disk:${name}`, ['* linux']);
    }
    const spaces = kit.ext4('part:nvme0n1p1', '/').ext4('part:nvme0n2p1', '/srv').build();
    const made = plan(spaces, sameDisks(spaces).reverse());
    expect(made.disks.map(({ name, takesPlaceOf, isSame }) => ({ name, takesPlaceOf, isSame }))).toEqual([
      { name: 'nvme0n2', takesPlaceOf: 'nvme0n2', isSame: true },
      { name: 'nvme0n1', takesPlaceOf: 'nvme0n1', isSame: true },
    ]);
  });
});

describe('a disk is known', () => {
  it('by its serial, whatever it is called and whichever else fits', () => {
    const [own] = sameDisks(one);
    expect(taken(plan(one, [foundDisk('sda', 40), { ...own!, name: 'sdq' }]))).toEqual({ sda: 'S-SDA' });
  });

  it('by its WWN in any spelling', () => {
    const layout = new LayoutKit()
      .disk('sda', 40, { serial: null, wwn: '0x5000C500A1B2C3D4' })
      .gpt('disk:sda', ['512M esp', '* linux'])
      .ext4('part:sda2', '/')
      .build();
    const disks = [foundDisk('sdb', 40, { wwn: 'naa.5000c500a1b2c3d4' }), foundDisk('sdc', 40)];
    expect(taken(plan(layout, disks))).toEqual({ sda: 'N-SDB' });
  });

  it('not by a serial where the WWN says otherwise, nor by a placeholder', () => {
    const layout = new LayoutKit()
      .disk('sda', 40, { serial: 'X', wwn: '0x1' })
      .gpt('disk:sda', ['* linux'])
      .ext4('part:sda1', '/')
      .build();
    const other = plan(layout, [foundDisk('sda', 40, { serial: 'X', wwn: '0x2', contents: ['ext4'] })]);
    expect(other.disks[0]).toMatchObject({ how: 'size', isSame: false });
    const zeros = new LayoutKit()
      .disk('sda', 40, { serial: '0000' })
      .gpt('disk:sda', ['* linux'])
      .ext4('part:sda1', '/')
      .build();
    expect(plan(zeros, [foundDisk('sda', 40, { serial: '0000', contents: ['ext4'] })]).disks[0]).toMatchObject({
      how: 'size',
      isSame: false,
    });
  });

  it('by exactly its size before others that are big enough', () => {
    expect(taken(plan(one, [foundDisk('sda', 80), foundDisk('sdb', 40)]))).toEqual({ sda: 'N-SDB' });
    expect(taken(plan(two, [foundDisk('sda', 1000), foundDisk('sdb', 40)]))).toEqual({ sda: 'N-SDB', sdb: 'N-SDA' });
  });

  it('by its kind only where that is decisive', () => {
    const disks = [foundDisk('sda', 40, { rotational: true }), foundDisk('sdb', 40)];
    expect(taken(plan(one, disks))).toEqual({ sda: 'N-SDB' });
    expect(taken(plan(one, [...disks, foundDisk('sdc', 40)]))).toEqual({});
    expect(
      taken(
        plan(
          one,
          disks.map((disk) => ({ ...disk, transport: 'nvme' })),
        ),
      ),
    ).toEqual({});
  });
});

describe('what can’t be told is refused', () => {
  it('with the candidates and how to pin', () => {
    const made = plan(one, [foundDisk('vda', 40), foundDisk('vdb', 40)]);
    expect(made.blockers).toHaveLength(1);
    expect(made.blockers[0]).toMatch(/vda \(serial N-VDA\).*vdb \(serial N-VDB\).*--pin sda=N-VDA/);
    expect(made.steps).toEqual([]);
  });

  it('but blank disks that are alike may take the places of disks that are alike, in the order of their serials', () => {
    const disks = [foundDisk('sda', 40, { serial: 'Z' }), foundDisk('sdb', 40, { serial: 'A' })];
    expect(taken(plan(mirror, disks))).toEqual({ sda: 'A', sdb: 'Z' });
    expect(taken(plan(mirror, [...disks].reverse()))).toEqual({ sda: 'A', sdb: 'Z' });
    expect(
      taken(
        plan(
          mirror,
          disks.map((disk) => ({ ...disk, contents: ['ext4'] })),
        ),
      ),
    ).toEqual({});
    expect(taken(plan(mirror, [disks[0]!, { ...disks[1]!, rotational: true }]))).toEqual({});
    expect(taken(plan(mirror, [...disks, foundDisk('sdc', 40)]))).toEqual({});
  });

  it('and leaving out more members than an array can do without', () => {
    const raid5 = LAYOUTS['md raid5 and raid10']();
    const without = (...names: string[]): RecoveryPlan =>
      plan(
        raid5,
        sameDisks(raid5).filter((disk) => !names.includes(disk.name)),
        { leaveOut: names },
      );
    const array = without('sde').steps.find((step) => step.kind === 'md-create');
    expect(array?.kind === 'md-create' && array.members.filter((each) => each === null)).toHaveLength(1);
    expect(without('sdd', 'sde').blockers.join()).toContain('/srv/archive and /srv/db would be lost');
  });

  it('and a full disk is not taken where a blank one would do', () => {
    const full = foundDisk('sda', 40, { contents: ['ext4 "photos"'] });
    expect(taken(plan(one, [full, foundDisk('sdb', 80)]))).toEqual({});
    expect(taken(plan(two, [full, foundDisk('sdb', 1000)]))).toEqual({ sda: 'N-SDA', sdb: 'N-SDB' });
  });

  it('and a pin for a disk that is not made again, or that does not exist', () => {
    expect(plan(mirror, sameDisks(mirror), { leaveOut: ['sdb'], pins: { sdb: 'S-SDB' } }).blockers.join()).toContain(
      'Take the pin away',
    );
    expect(() => plan(one, sameDisks(one), { pins: { sdx: 'S-SDA' } })).toThrow(
      'the layout has no disk sdx. Name one of sda',
    );
    expect(() => plan(one, sameDisks(one), { leaveOut: ['sdx'] })).toThrow('the layout has no disk sdx');
    expect(() => plan(one, sameDisks(one), { headroomPercent: -1 })).toThrow('headroom');
  });
});

describe('mapping, properties', () => {
  const found = fc.array(
    fc.record({
      gib: fc.constantFrom(1, 20, 40, 40, 40, 80, 1000, 2000),
      removable: fc.boolean(),
      readOnly: fc.constantFrom(false, false, false, true),
      inUse: fc.constantFrom<string[]>([], [], [], ['mounted at /mnt']),
      contents: fc.constantFrom<string[]>([], [], ['ext4 "data"']),
      rotational: fc.boolean(),
      serial: fc.constantFrom('S-SDA', 'S-SDB', null, null, null),
    }),
    { maxLength: 5 },
  );
  const layouts = fc.constantFrom(one, two, mirror);
  const disksOf = (facts: readonly (Partial<FoundDisk> & { gib: number })[], names: string): FoundDisk[] =>
    facts.map(({ gib, serial, ...facts2 }, i) =>
      foundDisk(`${names}${'abcde'[i] ?? ''}`, gib, { ...facts2, serial: serial ?? `N-${i}` }),
    );

  it('takes no disk that must not be taken, and none twice', () => {
    fc.assert(
      fc.property(layouts, found, (layout, facts) => {
        const made = plan(layout, disksOf(facts, 'sd'));
        const chosen = made.disks.filter((disk) => disk.fate === 'overwritten');
        expect(new Set(chosen.map((disk) => disk.takesPlaceOf)).size).toBe(chosen.length);
        for (const disk of chosen) {
          expect(disk).toMatchObject({ inUse: [], readOnly: false, removable: false });
          const own = layout.disks.find((each) => each.serial === disk.serial);
          if (own !== undefined) expect(disk.takesPlaceOf).toBe(own.name);
        }
        for (const disk of made.disks) expect(disk.why).not.toBe('');
        if (made.blockers.length === 0) expect(chosen).toHaveLength(layout.disks.length);
        else expect(made.steps).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('does not hang on names or on the order in which disks are found', () => {
    fc.assert(
      fc.property(layouts, found, fc.integer(), (layout, facts, seed) => {
        const disks = disksOf(facts, 'sd');
        const shuffled = disks.map((disk, i) => ({
          disk: { ...disk, name: `nvme${(i * 7 + Math.abs(seed)) % 5}n1` },
          key: (seed * (i + 3)) % 11,
        }));
        const renamed = shuffled.sort((a, b) => a.key - b.key).map(({ disk }) => disk);
        expect(taken(plan(layout, renamed))).toEqual(taken(plan(layout, disks)));
      }),
      { numRuns: 300 },
    );
  });
});

describe('the plan’s hash', () => {
  const base = plan(one, sameDisks(one));

  it('is over all that it depends on', () => {
    const [own] = sameDisks(one);
    const changes = [
      plan(one, [{ ...own!, serial: 'S-OTHER' }]),
      plan(one, [{ ...own!, contents: ['something else'] }]),
      plan(one, [own!, foundDisk('sdb', 1)]),
      plan(one, sameDisks(one), { headroomPercent: 11 }),
      plan(one, sameDisks(one), {}, '20261120_013000'),
      plan({ ...one, capturedAt: '2026-11-21T01:30:00.001Z' }, sameDisks(one)),
    ];
    expect(new Set([base, ...changes].map((each) => each.hash)).size).toBe(changes.length + 1);
  });

  it('is the same for the same input, and found out when a plan is changed', () => {
    expect(plan(one, sameDisks(one)).hash).toBe(base.hash);
    expect(recoveryHash(base)).toBe(base.hash);
    expect(approves({ approval: base.hash.slice(0, 12), hash: base.hash })).toBe(true);
    const [first, ...rest] = base.steps;
    const forged = {
      ...base,
      steps: [{ ...first!, destroys: [{ name: 'sdb', serial: 'X', wwn: null, bytes: 40 * GIB }] }, ...rest],
    };
    expect(recoveryHash(forged)).not.toBe(base.hash);
  });
});

describe('approvesUnattended', () => {
  it('blank disks, and the host’s own', () => {
    expect(approvesUnattended(plan(one, sameDisks(one)))).toBe(true);
    expect(approvesUnattended(plan(one, [foundDisk('sda', 40)]))).toBe(true);
    const [own] = sameDisks(two);
    expect(approvesUnattended(plan(two, [own!, foundDisk('sdb', 1000)]))).toBe(true);
  });

  it('nothing else', () => {
    const full = { contents: ['ext4 "photos"'] };
    expect(approvesUnattended(plan(one, [foundDisk('sda', 40, full)]))).toBe(false);
    expect(approvesUnattended(plan(one, [foundDisk('sda', 40, full)], { pins: { sda: 'sda' } }))).toBe(false);
    // The right serial on a disk of another size is another disk: virtual machines are given the same ones again and again.
    expect(approvesUnattended(plan(one, [foundDisk('sda', 60, { ...full, serial: 'S-SDA' })]))).toBe(false);
    const [own] = sameDisks(two);
    expect(approvesUnattended(plan(two, [own!, foundDisk('sdb', 1000, full)]))).toBe(false);
    expect(approvesUnattended(plan(one, []))).toBe(false);
  });

  it('nor what nobody could look into, also on the host’s own disk: it may be a store of backups', () => {
    expect(approvesUnattended(plan(one, sameDisks(one, { isUnknown: true })))).toBe(false);
    const other = foundDisk('sdc', 1, { contents: ['nobody could look into sdc'], isUnknown: true });
    expect(approvesUnattended(plan(one, [...sameDisks(one), other]))).toBe(true);
  });
});
