/** What a plan makes, carried out on paper: on the same disks it is the old machine again; on others nothing goes wrong. */
import fc from 'fast-check';
import type { Layout } from '../../planning/layout-schema';
import type { FoundDisk, RecoveryPlan, RecoveryPolicy } from '../../planning/recover';
import { DEFAULT_RECOVERY_POLICY, planRecovery } from '../../planning/recover';
import { storageGraph } from '../../planning/recover-graph';
import type { Storage } from '../../planning/recover-graph';
import type { LayoutName } from './layout-cases';
import { LAYOUTS } from './layout-cases';
import { arbitraryLayout } from './layout-arbitrary';
import { foundDisk, foundMachine, GIB, sameDisks } from './layout-builder';
import { simulate } from './recover-simulator';

function plan(layout: Layout, disks: readonly FoundDisk[], policy: Partial<RecoveryPolicy> = {}): RecoveryPlan {
  return planRecovery({
    layout,
    machine: foundMachine(layout, disks),
    policy: { ...DEFAULT_RECOVERY_POLICY, ...policy },
    backup: '20261121_013000',
  });
}

/** What a capture of the made machine would find again; what only use or a new numbering tells is left out. */
function essence(storage: Storage): unknown {
  const byId = <T extends { id: string }>(items: readonly T[]): T[] =>
    [...items].sort((a, b) => (a.id < b.id ? -1 : 1));
  const byText = <T>(items: readonly T[]): T[] =>
    [...items].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  return {
    disks: byId(storage.disks),
    tables: byText(storage.tables),
    partitions: byId(storage.partitions),
    arrays: byId(storage.arrays),
    luks: byId(storage.luks),
    volumeGroups: byText(storage.volumeGroups),
    volumes: byId(storage.volumes),
    pools: storage.pools.map((pool) => ({
      ...pool,
      guid: '',
      bytes: 0,
      usedBytes: 0,
      datasets: byText(pool.datasets),
    })),
    fileSystems: byId(storage.fileSystems).map((each) => ({ ...each, usedBytes: 0 })),
    swaps: byText(storage.swaps),
    mounts: byText(storage.mounts),
  };
}

/** Every file system has room for its data and the headroom. */
function expectRoom(layout: Layout, after: Storage, headroomPercent: number): void {
  const thin = layout.volumes
    .filter((each) => each.segments.some((segment) => segment.kind === 'thin'))
    .map((each) => each.id);
  for (const fileSystem of layout.fileSystems) {
    const made = after.fileSystems.find((each) => each.id === fileSystem.id);
    if (made === undefined || fileSystem.usedBytes === null || thin.includes(fileSystem.on)) continue;
    const wanted = Math.min(fileSystem.bytes, fileSystem.usedBytes * (1 + headroomPercent / 100));
    expect(made.bytes).toBeGreaterThanOrEqual(wanted);
  }
}

const NAMES = Object.keys(LAYOUTS) as LayoutName[];

describe('a plan carried out', () => {
  // A spare that stands in, and the tokens of a header that is gone, are meant to come back otherwise.
  const whole = NAMES.filter((name) => name !== 'degraded md raid1 with a spare' && name !== 'luks without a header');

  it.each(whole)('on its own disks gives the layout back: %s', (name) => {
    const layout = LAYOUTS[name]();
    const made = simulate(plan(layout, sameDisks(layout)), layout.luks);
    expect(essence(made)).toEqual(essence(layout));
  });

  it('gives back a read-only volume, written first', () => {
    const layout = LAYOUTS['whole-disk pv']();
    for (const volume of layout.volumes) volume.readOnly = true;
    expect(essence(simulate(plan(layout, sameDisks(layout)), []))).toEqual(essence(layout));
  });

  it('of any layout on its own disks gives it back, whatever the policy', () => {
    fc.assert(
      fc.property(arbitraryLayout, fc.constantFrom('last', 'proportional', 'none'), (layout, grow) => {
        const made = simulate(plan(layout, sameDisks(layout), { grow }), layout.luks);
        expect(essence(made)).toEqual(essence(layout));
      }),
      { numRuns: 100 },
    );
  });

  it('of any layout on any disks stays on the chosen ones, overlaps nowhere, and has room for the data', () => {
    let carriedOut = 0;
    fc.assert(
      fc.property(
        arbitraryLayout,
        fc.array(
          fc.record({ percent: fc.integer({ min: 10, max: 400 }), sector: fc.constantFrom(512, 512, 512, 4096) }),
          { minLength: 4, maxLength: 4 },
        ),
        fc.constantFrom('last' as const, 'proportional' as const, 'none' as const),
        fc.integer({ min: 0, max: 60 }),
        (layout, changes, grow, headroomPercent) => {
          const disks = layout.disks.map((disk, i) => {
            const { percent, sector } = changes[i % changes.length] ?? { percent: 100, sector: 512 };
            const bytes = Math.floor((disk.bytes * percent) / 100 / 4096) * 4096;
            return {
              ...foundDisk(`vd${'abcdef'[i] ?? ''}`, 1),
              serial: disk.serial,
              bytes,
              sectorBytes: sector,
              contents: ['something'],
            };
          });
          const decoy = { ...foundDisk('vdz', 4000), contents: ['ext4 "photos"'] };
          const made = plan(layout, [...disks, decoy], { grow, headroomPercent });
          if (made.blockers.length > 0) {
            expect(made.steps).toEqual([]);
            return;
          }
          carriedOut += 1;
          expect(JSON.stringify(made.steps)).not.toContain('N-VDZ');
          const after = simulate(made, layout.luks);
          storageGraph(after);
          expectRoom(layout, after, headroomPercent);
        },
      ),
      { numRuns: 400 },
    );
    expect(carriedOut).toBeGreaterThan(100);
  });

  it('on disks that are at least as large and of the same sectors is always possible', () => {
    fc.assert(
      fc.property(
        arbitraryLayout,
        fc.integer({ min: 0, max: 3 * 1024 }),
        fc.constantFrom('last', 'proportional', 'none'),
        (layout, more, grow) => {
          const disks = sameDisks(layout).map((disk) => ({ ...disk, bytes: disk.bytes + more * 2 ** 28 }));
          const made = plan(layout, disks, { grow });
          expect(made.blockers).toEqual([]);
          simulate(made, layout.luks);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('uses the room of a bigger disk', () => {
    const layout = LAYOUTS['uefi ext4']();
    const disks = [foundDisk('vda', 80)];
    const rootBytes = (policy: Partial<RecoveryPolicy>): number =>
      simulate(plan(layout, disks, policy), []).fileSystems.find((each) => each.on === 'part:sda2')?.bytes ?? 0;
    expect(rootBytes({ grow: 'last' }) - rootBytes({ grow: 'none' })).toBe(40 * GIB);
    expect(rootBytes({ grow: 'proportional' })).toBe(rootBytes({ grow: 'last' }));
  });
});
