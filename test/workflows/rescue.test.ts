import { createHash } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { HostError } from '../../hosts/errors';
import type { FakeCall, FakeHosts } from '../../hosts/fake';
import { FAKE_MEDIUM } from '../../hosts/fake-replies';
import { verifyManifest } from '../../hosts/director-keys';
import { parseRescueBuild, type RescueBuild } from '../../planning/rescue-media';
import { CONTROL_QUEUE } from '../../planning/queues';
import type { RescueInput } from '../../planning/run-input';
import type { rescue } from '../../workflows/rescue';
import { publicKeyHex } from '../cli/support/stored';
import { backupInput, fleetRunbook, useEngine, withFleet } from './support/engine';

jest.setTimeout(120_000);

const engine = useEngine();
/** A fake host has the layout of nothing, and is named in the group's configuration. */
const probed = ({ verb }: FakeCall) => (verb === 'probe' ? { groups: ['portal'] } : undefined);
const booted = {
  bootedAt: '2026-11-29T09:00:00.000Z',
  seconds: 21.5,
  kernel: '6.1.0-fake',
  how: 'by BIOS, in software',
};

function input(options: { hosts?: number; group?: object; bootCheck?: 'auto' | 'always' | 'never' } = {}): RescueInput {
  const setup = backupInput(fleetRunbook(options.hosts ?? 2, options.group));
  return { ...setup, options: { policy: setup.group.rescue, bootCheck: options.bootCheck ?? 'auto' } };
}

function start(of: RescueInput): Promise<WorkflowHandle<typeof rescue>> {
  return engine.env.client.workflow.start<typeof rescue>('rescue', {
    workflowId: `rescue/portal/${of.run}`,
    taskQueue: CONTROL_QUEUE,
    args: [of],
  });
}

async function asked(handle: WorkflowHandle): Promise<{ step: string; allowed: string[] }> {
  for (let tries = 0; tries < 300; tries += 1) {
    const [first] = await handle.query<{ step: string; allowed: string[] }[]>('questions');
    if (first !== undefined) return first;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('nobody was asked');
}

/** By host: they are built side by side, and who is done first is nobody's business. */
function builds(fleet: FakeHosts): RescueBuild[] {
  const made = fleet.host('target').media.map(({ build, sig }) => {
    const bytes = Buffer.from(build, 'base64');
    expect(verifyManifest({ bytes, signature: sig, publicHex: publicKeyHex })).toBe(true);
    const parsed = parseRescueBuild(bytes.toString());
    if (typeof parsed === 'string') throw new Error(parsed);
    return parsed;
  });
  return made.sort((a, b) => a.hostName.localeCompare(b.hostName));
}

test('media of each host come into the list, signed, under a lease that no backup waits for', async () => {
  const calls: FakeCall[] = [];
  const pinned: string[] = [];
  const intercept = (call: FakeCall) => {
    calls.push(call);
    return probed(call);
  };
  const rescue = {
    pin: ({ host, hostKey }: { host: string; hostKey: string }) =>
      Promise.resolve(void pinned.push(`${host} ${hostKey}`)),
  };
  await withFleet({ engine, fake: { intercept }, rescue }, async (fleet) => {
    const report = await (await start(input())).result();
    expect(report).toMatchObject({ state: 'Completed', warnings: [] });
    expect(report.media).toMatchObject([
      { host: 'app-1', state: 'ok', verdict: 'made', pinned: true, secureBoot: true, bytes: 3 * FAKE_MEDIUM.length },
      { host: 'app-2', state: 'ok', verdict: 'made' },
    ]);
    const sum = createHash('sha256').update(FAKE_MEDIUM).digest('hex');
    expect(builds(fleet)).toMatchObject([
      { host: 'app-1', verdict: 'made', bootedAt: null, hostKey: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIfake' },
      { host: 'app-2', files: [{ name: 'rescue.iso', sha256: sum }, { name: 'vmlinuz' }, { name: 'initramfs.img' }] },
    ]);
    expect(pinned.sort()).toEqual([
      'app-1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIfake',
      'app-2 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIfake',
    ]);
  });
  const groups = new Set(calls.flatMap(({ args }) => (args.group === undefined ? [] : [args.group])));
  expect([...groups]).toEqual(['portal.rescue']);
  const scope = calls.find(({ verb }) => verb === 'grant.add')?.args;
  expect(scope).toMatchObject({ scope: 'rescue', store: 'main', purpose: 'receive' });
  expect(
    calls
      .filter(({ verb }) => verb === 'job.forget')
      .map(({ host }) => host)
      .sort(),
  ).toEqual(['app-1', 'app-2', 'target']);
  expect(calls.filter(({ verb }) => verb === 'lease.release')).toHaveLength(3);
});

test('media that were started and logged into are kept as booted', async () => {
  const rescue = { boot: () => Promise.resolve(booted) };
  await withFleet({ engine, fake: { intercept: probed }, rescue }, async (fleet) => {
    const report = await (await start(input({ hosts: 1 }))).result();
    expect(report).toMatchObject({ state: 'Completed', media: [{ verdict: 'booted' }] });
    expect(builds(fleet)).toMatchObject([{ host: 'app-1', verdict: 'booted', bootedAt: booted.bootedAt }]);
  });
});

test('media that do not start stay as made, and the run is partial; without QEMU that is so only where it was asked for', async () => {
  const boot = () =>
    Promise.reject(new HostError({ host: 'app-1', verb: 'boot', code: 'failed', message: 'no', retryable: false }));
  await withFleet({ engine, fake: { intercept: probed }, rescue: { boot } }, async (fleet) => {
    const report = await (await start(input({ hosts: 1 }))).result();
    expect(report).toMatchObject({ state: 'Partial', media: [{ verdict: 'made' }] });
    expect(report.warnings.join()).toContain('boot app-1: ');
    expect(builds(fleet)).toMatchObject([{ verdict: 'made' }]);
  });
  await withFleet({ engine, fake: { intercept: probed } }, async () => {
    expect(await (await start(input({ hosts: 1, bootCheck: 'always' }))).result()).toMatchObject({ state: 'Partial' });
    expect(await (await start(input({ hosts: 1 }))).result()).toMatchObject({ state: 'Completed' });
  });
});

test('a host that can not build is a question, and the others go on; the retry takes the same build', async () => {
  let broken = true;
  const ids = new Set<unknown>();
  const intercept = (call: FakeCall) => {
    const { verb, host, args } = call;
    if (verb === 'rescue.open' && host === 'target' && args.host === 'app-1') {
      ids.add(args.id);
      if (broken) throw new HostError({ host, verb, code: 'no-space', message: 'the store is full', retryable: false });
    }
    return probed(call);
  };
  await withFleet({ engine, fake: { intercept } }, async (fleet) => {
    const handle = await start(input());
    expect(await asked(handle)).toMatchObject({ step: 'build app-1', allowed: ['retry', 'skip', 'abort'] });
    while (!builds(fleet).some(({ host }) => host === 'app-2')) await new Promise((done) => setTimeout(done, 50));
    broken = false;
    await handle.executeUpdate('decide', { args: [{ decision: 'retry', by: 'test' }] });
    expect(await handle.result()).toMatchObject({ state: 'Completed', media: [{ state: 'ok' }, { state: 'ok' }] });
    expect(ids.size).toBe(1);
  });
});

test('one that is left out makes the build partial; all left out is a failure', async () => {
  const away = ({ verb, host }: FakeCall) => {
    if (verb === 'probe' && host === 'app-1')
      throw new HostError({ host, verb, code: 'unreachable', message: 'it is off', retryable: false });
    return probed({ verb, host, args: {} });
  };
  const group = { on_unreachable: 'partial' };
  await withFleet({ engine, fake: { intercept: away } }, async () => {
    const report = await (await start(input({ group }))).result();
    expect(report).toMatchObject({ state: 'Partial', media: [{ host: 'app-1', state: 'missing' }, { state: 'ok' }] });
    await expect((await start(input({ group, hosts: 1 }))).result()).rejects.toMatchObject({
      cause: { message: expect.stringContaining('every host was left out') as unknown },
    });
  });
});

test('a host that this director has not enrolled for the group, or with another hostkit, is not built on', async () => {
  const jobs: unknown[] = [];
  const intercept = ({ verb, args }: FakeCall) => {
    if (verb === 'job.start') jobs.push(args.kind);
    return verb === 'probe' ? { groups: ['portal'], hash: 'damaged' } : undefined;
  };
  await withFleet({ engine, fake: { intercept } }, async () => {
    const handle = await start(input({ hosts: 1 }));
    const question = await asked(handle);
    expect(question).toMatchObject({ step: 'build app-1', allowed: ['retry', 'abort'] });
    expect(JSON.stringify(question)).toContain('resurgo enroll app-1 --update');
    await handle.executeUpdate('decide', { args: [{ decision: 'abort', by: 'test' }] });
    await expect(handle.result()).rejects.toThrow();
    expect(jobs).toEqual([]);
  });
});

test('a cancelled build drops what it has sent, and gives the lease back', async () => {
  const verbs: string[] = [];
  const intercept = (call: FakeCall) => {
    verbs.push(call.verb);
    return probed(call);
  };
  const jobMs = (kind: string) => (kind === 'rescue-send' ? 60_000 : 10);
  await withFleet({ engine, fake: { intercept, jobMs } }, async (fleet) => {
    const handle = await start(input({ hosts: 1 }));
    while (![...fleet.host('app-1').jobs.values()].some(({ kind }) => kind === 'rescue-send'))
      await new Promise((done) => setTimeout(done, 50));
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow();
    expect(fleet.host('target').media).toEqual([]);
  });
  expect(verbs).toEqual(expect.arrayContaining(['job.stop', 'rescue.drop', 'job.forget', 'lease.release']));
});
