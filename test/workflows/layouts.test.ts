/** The layouts of a backup's hosts: looked at before the freeze, kept with the backup, and what they make of its verdict. */
import type { WorkflowHandle } from '@temporalio/client';
import { HostError } from '../../hosts/errors';
import type { HostErrorCode } from '../../hosts/errors';
import type { FakeCall, FakeHosts } from '../../hosts/fake';
import { readLayout } from '../../hosts/layouts';
import { parseManifest } from '../../planning/manifest-schema';
import { CONTROL_QUEUE } from '../../planning/queues';
import type { BackupInput } from '../../planning/run-input';
import type { backup } from '../../workflows/backup';
import { machine } from '../planning/layout-machines';
import { backupInput, fleetRunbook, useEngine, withFleet } from './support/engine';

jest.setTimeout(120_000);

const engine = useEngine();

async function start(input: BackupInput): Promise<WorkflowHandle<typeof backup>> {
  return engine.env.client.workflow.start<typeof backup>('backup', {
    workflowId: `backup/portal/${input.run}`,
    taskQueue: CONTROL_QUEUE,
    args: [input],
  });
}

/** A backup of so many hosts; those of `systems` are whole systems. */
function inputOf(count: number, { systems = [] as string[], group = {} } = {}): BackupInput {
  const input = backupInput(fleetRunbook(count, group));
  for (const source of input.group.sources)
    if (systems.includes(source.host)) Object.assign(source, { snapshot: 'system' });
  return input;
}

function manifestOf(fleet: FakeHosts) {
  const manifest = parseManifest(
    Buffer.from(fleet.host('target').backups.at(-1)?.manifest ?? '', 'base64').toString('utf8'),
  );
  if (typeof manifest === 'string') throw new Error(manifest);
  return manifest;
}

function refuse({ host, verb }: FakeCall, code: HostErrorCode): never {
  throw new HostError({ host, verb, code, message: 'said the test', retryable: false });
}

/** `app-1` is well, all others tell nothing that is understood. */
const well = (call: FakeCall) =>
  call.verb === 'layout' && call.host === 'app-1' ? { facts: machine('uefi-ext4') } : undefined;

/** What else is answered as `rest` says, where the sources of these hosts are whole systems. */
const ofSystems =
  (systems: string[], rest: (call: FakeCall) => Record<string, unknown> | undefined) => (call: FakeCall) => {
    if (call.verb !== 'check' || !systems.includes(call.host)) return rest(call);
    const source = { name: 'data', path: '/srv/data', realPath: '/srv/data', kind: 'system', fsUuid: 'fake' };
    return { sources: [{ ...source, usedBytes: 2 ** 20, freeBytes: 2 ** 40 }] };
  };

test('every host’s layout is there before anything is frozen, and lies in the backup as the manifest says', async () => {
  const calls: string[] = [];
  const intercept = (call: FakeCall) => {
    calls.push(call.verb);
    return well(call);
  };
  await withFleet({ engine, fake: { intercept } }, async (fleet) => {
    const input = inputOf(2);
    const report = await (await start(input)).result();
    expect(report).toMatchObject({ state: 'Completed', warnings: [] });
    // Nobody backs up their systems: that they could not be made again is no verdict.
    expect(report).not.toHaveProperty('notRecoverable');
    const manifest = manifestOf(fleet);
    expect(manifest.layouts).toMatchObject([
      { host: 'app-1', recoverable: true, reasons: [] },
      { host: 'app-2', recoverable: false },
    ]);
    for (const { host, sha256 } of manifest.layouts) {
      const ref = { hosts: fleet, storeHost: input.storeHost, store: 'main', group: 'portal', id: report.id, host };
      const read = await readLayout(ref);
      expect([read.sha256, read.layout.host]).toEqual([sha256, host]);
    }
  });
  expect(calls.filter((verb) => verb === 'layout')).toHaveLength(2);
  expect(calls.lastIndexOf('store.layout.put')).toBeGreaterThan(-1);
  expect(calls.lastIndexOf('store.layout.put')).toBeLessThan(calls.indexOf('freeze'));
});

test('a whole system that could not be made again is said, and the backup is a whole one all the same', async () => {
  await withFleet({ engine, fake: { intercept: ofSystems(['app-1', 'app-2'], well) } }, async (fleet) => {
    const report = await (await start(inputOf(2, { systems: ['app-1', 'app-2'] }))).result();
    expect(report.state).toBe('Completed');
    expect(report.notRecoverable).toMatchObject([{ host: 'app-2' }]);
    expect(report.notRecoverable?.[0]?.reasons).toContainEqual(expect.stringMatching(/^the disks: /));
    expect(manifestOf(fleet).state).toBe('Completed');
  });
});

test('what of a whole system is mounted nowhere, and so in no backup, is a warning of each backup', async () => {
  const unmounted = (call: FakeCall) => (call.verb === 'layout' ? { facts: machine('lvm-thin') } : undefined);
  await withFleet({ engine, fake: { intercept: ofSystems(['app-1'], unmounted) } }, async (fleet) => {
    const report = await (await start(inputOf(2, { systems: ['app-1'] }))).result();
    const told = [
      'app-1: vg0/mir (ext4): it is not mounted, so its data is in no backup; vg0/strip: it is not active, so its data is in no backup',
    ];
    expect(report).toMatchObject({ state: 'Completed', warnings: told });
    expect(manifestOf(fleet).warnings).toEqual(told);
  });
});

test('a layout that can not be read is a warning, and forbids the recovery of a whole system', async () => {
  const intercept = (call: FakeCall) =>
    call.verb === 'layout' && call.host !== 'app-1' ? refuse(call, 'hostkit-old') : well(call);
  await withFleet({ engine, fake: { intercept: ofSystems(['app-1', 'app-2'], intercept) } }, async (fleet) => {
    const report = await (await start(inputOf(3, { systems: ['app-1', 'app-2'] }))).result();
    expect(report.state).toBe('Completed');
    expect(report.warnings).toEqual(
      ['app-2', 'app-3'].map<unknown>((host) =>
        expect.stringMatching(
          new RegExp(`^the layout of ${host} is not in this backup: said the test.*resurgo enroll ${host} --update`),
        ),
      ),
    );
    expect(report.notRecoverable).toMatchObject([{ host: 'app-2' }]);
    expect(manifestOf(fleet).layouts.map(({ host, sha256 }) => [host, sha256 === null])).toEqual([
      ['app-1', false],
      ['app-2', true],
      ['app-3', true],
    ]);
  });
});

test('a connection that breaks while a layout is read is no loss', async () => {
  let breaks = 1;
  const intercept = (call: FakeCall) =>
    call.verb === 'layout' && (breaks -= 1) >= 0 ? refuse(call, 'connection-lost') : well(call);
  await withFleet({ engine, fake: { intercept } }, async (fleet) => {
    expect(await (await start(inputOf(1))).result()).toMatchObject({ state: 'Completed', warnings: [] });
    expect(manifestOf(fleet).layouts).toMatchObject([{ host: 'app-1', recoverable: true }]);
  });
});

test('a target whose hostkit does not know layouts takes the backup without', async () => {
  const intercept = (call: FakeCall) => (call.verb === 'store.layout.put' ? refuse(call, 'hostkit-old') : well(call));
  await withFleet({ engine, fake: { intercept: ofSystems(['app-1'], intercept) } }, async (fleet) => {
    const report = await (await start(inputOf(2, { systems: ['app-1'] }))).result();
    expect(report).toMatchObject({
      state: 'Completed',
      warnings: ["layouts are not kept: update the target's hostkit (resurgo enroll target --update)"],
      notRecoverable: [{ host: 'app-1' }],
    });
    expect(manifestOf(fleet).layouts.map(({ sha256 }) => sha256)).toEqual([null, null]);
  });
});

test('a target that can not take a layout is asked about, and a retry takes them all again', async () => {
  let refusals = 1;
  const intercept = (call: FakeCall) =>
    call.verb === 'store.layout.put' && (refusals -= 1) >= 0 ? refuse(call, 'no-space') : undefined;
  await withFleet({ engine, fake: { intercept } }, async (fleet) => {
    const handle = await start(inputOf(2));
    for (let tries = 0; ; tries += 1) {
      const [question] = await handle.query<{ step: string }[]>('questions');
      if (question !== undefined) {
        expect(question.step).toBe('layouts');
        break;
      }
      if (tries > 200) throw new Error('nobody was asked');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(fleet.counts.get('freeze')).toBeUndefined();
    await handle.executeUpdate('decide', { args: [{ decision: 'retry', by: 'test' }] });
    expect(await handle.result()).toMatchObject({ state: 'Completed' });
    expect(manifestOf(fleet).layouts.every(({ sha256 }) => sha256 !== null)).toBe(true);
  });
});

test('of a host that is left out later no layout is in the backup', async () => {
  const intercept = (call: FakeCall) =>
    call.verb === 'freeze' && call.host === 'app-2' ? refuse(call, 'unreachable') : undefined;
  await withFleet({ engine, fake: { intercept } }, async (fleet) => {
    const report = await (await start(inputOf(2, { group: { on_unreachable: 'partial' } }))).result();
    expect(report.state).toBe('Partial');
    expect(manifestOf(fleet).layouts.map(({ host }) => host)).toEqual(['app-1']);
  });
});
