import { readdirSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { deviceWords, headerArgs, stepRequest } from '../../activities/recover-requests';
import type { JobStep } from '../../activities/recover-requests';
import { RESCUE_JOBS, rescueJob } from '../../hosts/args';
import { wireKey } from '../../hosts/request';
import { DEFAULT_RECOVERY_POLICY, planRecovery } from '../../planning/recover';
import { stepNeeds } from '../../planning/recover-tools';
import { LAYOUTS } from '../planning/layout-cases';
import { foundMachine, sameDisks } from '../planning/layout-builder';

const JOBS = path.join(__dirname, '..', '..', 'hostkit', 'rescue', 'jobs');

/** What a job's file declares: each key, and whether it must be there. */
function declared(kind: string): Map<string, boolean> {
  const keys = [...readFileSync(path.join(JOBS, `${kind}.sh`), 'utf8').matchAll(/^# keys: (.*)$/gm)];
  const words = keys.flatMap(([, line]) => (line ?? '').split(' '));
  return new Map(words.map((word) => [word.split(':')[0]!, !/[?=]/.test(word)]));
}

/** Kinds of steps that no job carries out. */
const LATER = new Set(['restore']);
const TREE = 'web-1@+';

/** Jobs that are no step of a plan: what is seen before the first disk is written to, what makes the new system boot, and its end. */
const BESIDE = /^(?:new-|luks-check$)/;

describe('what a step asks of the rescue system', () => {
  const steps = Object.entries(LAYOUTS).flatMap(([name, make]) => {
    const layout = make();
    const machine = foundMachine(layout, sameDisks(layout));
    const plan = planRecovery({ layout, machine, policy: DEFAULT_RECOVERY_POLICY, backup: '20261121_013000' });
    return plan.steps.map((step) => ({ name, step }));
  });

  test('every job of a rescue system is known, and no other', () => {
    const files = readdirSync(JOBS).map((file) => file.replace(/\.sh$/, ''));
    expect([...RESCUE_JOBS].sort()).toEqual(files.sort());
    expect(() => rescueJob('store-seal')).toThrow(RangeError);
  });

  test('the layouts hold every kind of job', () => {
    const kinds = new Set(
      steps.flatMap(({ step }) =>
        LATER.has(step.kind) ? [] : [stepRequest({ step: step as JobStep, tree: TREE }).kind],
      ),
    );
    expect([...kinds].sort()).toEqual(
      readdirSync(JOBS)
        .map((file) => file.replace('.sh', ''))
        .filter((kind) => !BESIDE.test(kind) && kind !== 'lvm-read-only')
        .sort(),
    );
  });

  test('clusters of an ext4 are asked for where it has them, and of the media of before they were known nothing new', () => {
    const step = steps.find((each) => each.step.kind === 'mkfs' && each.step.make.type === 'ext4')?.step;
    if (step?.kind !== 'mkfs' || step.make.type !== 'ext4') throw new Error('no ext4 among the layouts');
    const asked = (make: typeof step.make) => stepRequest({ step: { ...step, make }, tree: TREE }).args;
    expect(asked({ ...step.make, clusterBytes: 65_536 })).toMatchObject({ cluster: 65_536 });
    expect(asked(step.make)['cluster']).toBeUndefined();
  });

  test('it is what the job declares: no key too many, none missing, no empty text', () => {
    for (const { name, step } of steps) {
      if (LATER.has(step.kind)) continue;
      const { kind, args } = stepRequest({ step: step as JobStep, tree: TREE });
      const keys = declared(kind);
      const given = Object.entries(args).filter(([, value]) => value !== undefined);
      const said = `${name}: ${step.key}`;
      expect({ said, unknown: given.filter(([key]) => !keys.has(wireKey(key))).map(([key]) => key) }).toEqual({
        said,
        unknown: [],
      });
      expect({
        said,
        empty: given.filter(([, value]) => value === '' || (typeof value === 'number' && !Number.isSafeInteger(value))),
      }).toEqual({ said, empty: [] });
      const missing = [...keys].filter(([key, must]) => must && !given.some(([each]) => wireKey(each) === key));
      expect({ said, missing }).toEqual({ said, missing: [] });
    }
  });

  test('the plan asks for the tools of the job that does the step', () => {
    for (const { name, step } of steps) {
      const isDone = !LATER.has(step.kind);
      const job = isDone ? stepRequest({ step: step as JobStep, tree: TREE }).kind : undefined;
      expect([name, step.key, stepNeeds(step).job]).toEqual([name, step.key, job]);
    }
  });

  test('a header is known by its sum, in the look before and in the step', () => {
    const step = steps.find(({ step: each }) => each.kind === 'luks-restore')?.step as Extract<
      JobStep,
      { kind: 'luks-restore' }
    >;
    const { luks, header } = step;
    const named = { tree: TREE, uuid: luks.uuid, header: header.sha256, bytes: header.bytes, offset: 16 * 2 ** 20 };
    expect(headerArgs({ step, tree: TREE })).toEqual(named);
    expect([...declared('luks-check').keys()].sort()).toEqual(Object.keys(named).sort());
    expect(stepRequest({ step, tree: TREE }).args).toMatchObject({ ...named, name: step.name, sector: 512 });
  });

  test('a FAT counts its clusters in the sectors that its new disk has', () => {
    const layout = LAYOUTS['uefi ext4']();
    const disks = sameDisks(layout).map((disk) => ({ ...disk, sectorBytes: 4096 }));
    const machine = foundMachine(layout, disks);
    const plan = planRecovery({ layout, machine, policy: DEFAULT_RECOVERY_POLICY, backup: '20261121_013000' });
    const step = plan.steps.find((each) => each.kind === 'mkfs' && each.make.type === 'vfat');
    expect(stepRequest({ step: step as JobStep, tree: TREE })).toMatchObject({
      kind: 'mkfs-vfat',
      args: { cluster: 4096, sector: 4096 },
    });
  });

  test('a volume is made read-only by its name; what is mounted has its place below the tree', () => {
    const shared = { key: 'k', says: '', needs: [], destroys: [] };
    const readOnly = { kind: 'lvm-read-only', ...shared, group: 'vg 0', name: 'opt' } as const;
    expect(stepRequest({ step: readOnly, tree: TREE })).toEqual({
      kind: 'lvm-read-only',
      args: { lvGroup: 'vg 0', name: 'opt' },
    });
    const mount = steps.find(({ step }) => step.kind === 'mount' && step.source.kind === 'device')?.step;
    expect(stepRequest({ step: mount as JobStep, tree: TREE })).toMatchObject({
      kind: 'mount-new',
      args: { tree: TREE },
    });
  });

  test('a pool is asked for in the words of zpool create: single disks before mirrors, features by name, nothing that has to wait', () => {
    const on = (serial: string) =>
      ({ kind: 'disk', on: { kind: 'disk', disk: { name: 'x', serial, wwn: null, bytes: 4096 } } }) as const;
    const shared = { key: 'k', says: '', needs: [], destroys: [] };
    const properties = {
      ashift: '12',
      cachefile: 'none',
      multihost: 'on',
      comment: 'a b',
      'feature@async_destroy': 'active',
      'feature@draid': 'disabled',
    };
    const step: JobStep = {
      kind: 'zpool-create',
      ...shared,
      name: 'tank',
      properties,
      root: { casesensitivity: 'mixed' },
      data: [{ kind: 'mirror', children: [on('A'), on('B')] }, on('C')],
      special: [],
      log: [on('D')],
      cache: [],
      spare: [on('E')],
    };
    expect(stepRequest({ step, tree: TREE })).toEqual({
      kind: 'zpool-create',
      args: {
        tree: TREE,
        disks: '',
        name: 'tank',
        features: 'async_destroy',
        properties: 'ashift=12\ncomment=a b',
        once: 'casesensitivity=mixed',
        vdevs: ['C', 'mirror', 'A', 'B', 'log', 'D', 'spare', 'E']
          .map((word) => (word.length === 1 ? `on disk ${word} - 4096` : word))
          .join('\n'),
      },
    });
  });

  test('a dataset is made with what it was set to; whether it is mounted, and read-only, comes after its data', () => {
    const shared = { key: 'k', says: '', needs: [], destroys: [] };
    const properties = { mountpoint: '/srv', normalization: 'formD', canmount: 'noauto', readonly: 'on', volsize: '1' };
    const create: JobStep = {
      kind: 'zfs-create',
      ...shared,
      dataset: 'tank/a',
      type: 'filesystem',
      bytes: null,
      properties,
    };
    expect(stepRequest({ step: create, tree: TREE }).args).toMatchObject({
      once: 'normalization=formD',
      properties: 'mountpoint=/srv',
    });
    const finish: JobStep = {
      kind: 'zpool-finish',
      ...shared,
      name: 'tank',
      properties: {},
      cache: '/etc/zfs/zpool.cache',
      datasets: [
        { name: 'tank', type: 'filesystem', properties: {} },
        { name: 'tank/a', type: 'filesystem', properties: { canmount: 'noauto', readonly: 'on' } },
        { name: 'tank/vm', type: 'volume', properties: {} },
      ],
    };
    expect(stepRequest({ step: finish, tree: TREE }).args).toEqual({
      tree: TREE,
      name: 'tank',
      properties: undefined,
      datasets: 'canmount - tank\ncanmount noauto tank/a\nreadonly on tank/a',
      cache: '/etc/zfs/zpool.cache',
    });
    const odd: JobStep = { ...create, properties: { 'org:note': 'a\nb' } };
    expect(() => stepRequest({ step: odd, tree: TREE })).toThrow(/several lines/);
  });
});

describe('a device in words', () => {
  const disk = { kind: 'disk', disk: { name: 'sda', serial: 'A B-1', wwn: null, bytes: 4096 } } as const;

  test('is known by serial, WWN and size, and a part by its place', () => {
    const partition = { kind: 'partition', on: disk, number: 2, uuid: null, startByte: 1024, bytes: 2048 } as const;
    expect(deviceWords(partition)).toBe('partition 2 1024 2048 of disk A%20B-1 - 4096');
  });

  test('a name that holds blanks or more stays one word', () => {
    expect(deviceWords({ kind: 'luks', uuid: 'u', name: 'x of disk' })).toBe('luks u x%20of%20disk');
    expect(deviceWords({ kind: 'lv', group: 'vg 0', name: 'a\nb' })).toBe('lv vg%200 a%0Ab');
  });
});
