/** A recovery's own decisions, over a fake fleet: what must hold before a disk is written to, in which order, and who is told what. */
import type { WorkflowHandle } from '@temporalio/client';
import { WorkflowFailedError } from '@temporalio/client';
import { HostError } from '../../hosts/errors';
import { liveAt } from '../../hosts/rescue-host';
import type { FakeHosts } from '../../hosts/fake';
import type { Look } from '../../hosts/look';
import { DEFAULT_RECOVERY_POLICY } from '../../planning/recover';
import { CONTROL_QUEUE } from '../../planning/queues';
import type { DecideInput, OpenQuestion } from '../../workflows/gate';
import type { PlannedRecovery, recover } from '../../workflows/recover';
import type { RecoverReport } from '../../workflows/recover-report';
import { until } from '../workers/fixtures/engine';
import { altered } from '../planning/layout-machines';
import { useEngine, withFleet } from './support/engine';
import { recovery, RESCUE, rescueFacts } from './support/recovery';
import type { Recovery } from './support/recovery';

jest.setTimeout(120_000);

const engine = useEngine({ shortStay: true });

type Handle = WorkflowHandle<typeof recover>;

/** Runs it, with the fleet of that machine, while `body` answers. */
function playing<T>(made: Recovery, body: (handle: Handle, fleet: FakeHosts) => Promise<T>): Promise<T> {
  return withFleet({ engine, fake: made.fake, rescue: made.deps }, async (fleet) => {
    made.seal(fleet);
    const handle = await engine.env.client.workflow.start<typeof recover>('recover', {
      workflowId: `recover/portal/${made.input.run}`,
      taskQueue: CONTROL_QUEUE,
      args: [made.input],
    });
    return body(handle, fleet);
  });
}

async function asked(handle: Handle, step: string): Promise<OpenQuestion> {
  let found: OpenQuestion | undefined;
  await until(
    `a question about ${step}`,
    async () => {
      if ((await handle.describe()).status.name !== 'RUNNING') throw new Error(await failure(handle));
      const questions = await handle.query<OpenQuestion[]>('questions');
      const [other] = questions;
      if (other !== undefined && other.step !== step) throw new Error(`${other.step}: ${other.failure.message}`);
      found = questions.find((each) => each.step === step);
      return found !== undefined;
    },
    90_000,
  );
  if (found === undefined) throw new Error('no question');
  return found;
}

function answer(handle: Handle, input: Omit<DecideInput, 'by'>): Promise<string> {
  return handle.executeUpdate<string, [DecideInput]>('decide', { args: [{ ...input, by: 'anna' }] });
}

async function approve(handle: Handle): Promise<void> {
  const { approve: hash } = await asked(handle, 'approve');
  await answer(handle, { decision: 'approve', step: 'approve', hash });
}

/** How a recovery that must not succeed has failed. */
async function failure(handle: Handle): Promise<string> {
  try {
    const { state } = await handle.result();
    throw new Error(`it is ${state}`);
  } catch (error) {
    if (error instanceof WorkflowFailedError) return error.cause?.message ?? '';
    throw error;
  }
}

const STEPS = ['disk-wipe', 'disk-table', 'mkfs-ext', 'mkswap', 'mount-new'];
const READING = ['warm', 'layout', 'lease.take'];

/** What writes: all that is asked of the rescue system but what looks and what opens the data's way. */
function writing({ asked: all }: Recovery): string[] {
  const quiet = [...READING, 'grant.key', 'grant.add', 'grant.close', 'restore.check', 'job.forget', 'lease.release'];
  return all.filter((each) => !quiet.includes(each));
}

test('a machine is made again, in this order, and seen to run', async () => {
  const made = recovery({ group: { rto: '1h' } });
  let planned: PlannedRecovery | undefined;
  const report = await playing(made, async (handle) => {
    const { approve: hash, failure: said } = await asked(handle, 'approve');
    expect(writing(made)).toEqual([]);
    expect(said.message).toMatch(/^all that is on vda \(serial NEW-1\) will be lost, and app-1 made there/);
    planned = await handle.query<PlannedRecovery | undefined>('plan');
    await answer(handle, { decision: 'approve', step: 'approve', hash });
    return handle.result();
  });
  const jobs = writing(made);
  const order = [
    ...STEPS,
    'dial',
    'restore-verify',
    'new-director',
    'new-initramfs',
    'new-bootloader',
    'new-verify',
    'new-unmount',
    'new-reboot',
  ];
  expect(jobs.filter((each, i) => each !== jobs[i - 1] && each !== 'new-fix' && each !== 'job.stop')).toEqual(order);
  expect(report).toMatchObject({ state: 'Completed', host: 'app-1', backup: made.input.id, hash: planned?.hash });
  expect(report.oldMachine).toMatch(/^nothing answers at 10\.0\.0\.1:22/);
  expect(report.recovered).toMatchObject({ kernel: '6.1.0-fake', running: 'fake', rto: { allowedS: 3600 } });
  expect(report.phases.map(({ phase }) => phase)).toEqual([
    ...['read backup', 'old machine', 'rescue system', 'plan', 'approval', 'look again'],
    ...['wipe disks', 'partition', 'make file systems', 'mount', 'restore data', 'fix configuration', 'initramfs'],
    ...['boot loader', 'verify', 'unmount', 'reboot', 'first boot', 'health'],
  ]);
});

describe('S24 while the old machine is there', () => {
  test.each(['itself', 'auth-refused', 'hostkit-missing'] as const)(
    '%s: refused, whatever anybody says',
    async (how) => {
      const made = recovery({ input: { oldMachineIsGone: true } });
      made.now.oldMachine = how;
      const message = await playing(made, failure);
      expect(message).toMatch(
        /the old machine is still there: at 10\.0\.0\.1:22.*shut the old one down.*Nothing was written/,
      );
      expect(writing(made)).toEqual([]);
    },
  );

  test('it comes back while the plan waits for its approval: refused', async () => {
    const made = recovery();
    const message = await playing(made, async (handle) => {
      const { approve: hash } = await asked(handle, 'approve');
      made.now.oldMachine = 'itself';
      await answer(handle, { decision: 'approve', step: 'approve', hash });
      return failure(handle);
    });
    expect(message).toMatch(/still there/);
    expect(writing(made)).toEqual([]);
  });

  test('another machine at its address is told, and no hindrance', async () => {
    const made = recovery({ input: { planOnly: true } });
    made.now.oldMachine = 'host-key-changed';
    const { oldMachine } = await playing(made, (handle) => handle.result());
    expect(oldMachine).toMatch(/^at 10\.0\.0\.1:22 another machine answers/);
  });

  describe('of which no key is pinned', () => {
    const KEY = {
      answers: true,
      reason: 'it shows the ssh host key SHA256:x',
      shown: { fingerprint: 'SHA256:x', places: [] },
    };
    const unknown = (seen: Partial<Look>, options: Parameters<typeof recovery>[0] = {}): Recovery => {
      const made = recovery(options);
      Object.assign(made.now, { oldMachine: 'host-key-unknown', seen });
      return made;
    };

    test('nothing answers: it goes on, and it is told that and when it was tried', async () => {
      const made = unknown({ answers: false, reason: 'refused' }, { input: { planOnly: true } });
      const { oldMachine, warnings } = await playing(made, (handle) => handle.result());
      expect(oldMachine).toMatch(/^nothing answers at 10\.0\.0\.1:22: tried 2 times, last at 2\d{3}-\S+Z \(refused\)/);
      expect(warnings.join()).not.toContain('old machine');
    });

    test('something answers, or nobody can look: it wants a word', async () => {
      expect(await playing(unknown(KEY), failure)).toMatch(
        /is not known: something answers at 10\.0\.0\.1:22 at 2.*SHA256:x.*--old-machine-is-gone/,
      );
      const unseen = { answers: null, reason: 'getaddrinfo ENOTFOUND' };
      expect(await playing(unknown(unseen), failure)).toMatch(/is not known: getaddrinfo.*--old-machine-is-gone/);
    });

    test('something answers: the word stands beside it in plan and approval, and no runbook approves that', async () => {
      const group = { recover: { approve: 'identical-disks' } };
      const made = unknown(KEY, { group, input: { oldMachineIsGone: true } });
      const report = await playing(made, async (handle) => {
        const { failure: said } = await asked(handle, 'approve');
        const ALONE = /by the operator's word alone: something answers at 10\.0\.0\.1:22 at 2.*SHA256:x/;
        expect(said.message).toMatch(ALONE);
        const planned = await handle.query<PlannedRecovery | undefined>('plan');
        expect(planned?.oldMachine).toMatch(ALONE);
        await approve(handle);
        return handle.result();
      });
      expect(report.oldMachine).toMatch(/^by the operator's word alone/);
    });

    test('something answers only once the plan is approved: nothing is written', async () => {
      const made = unknown({ answers: false }, { input: { oldMachineIsGone: true } });
      const message = await playing(made, async (handle) => {
        const { approve: hash } = await asked(handle, 'approve');
        made.now.seen = KEY;
        await answer(handle, { decision: 'approve', step: 'approve', hash });
        return failure(handle);
      });
      expect(message).toMatch(/something answers where the old machine was.*Nothing was written/);
      expect(writing(made)).toEqual([]);
    });

    test('what answers is the rescue system, by its pinned key: it goes on', async () => {
      const shown = { fingerprint: 'SHA256:x', places: [RESCUE] };
      const made = unknown({ ...KEY, shown }, { input: { planOnly: true } });
      const { oldMachine } = await playing(made, (handle) => handle.result());
      expect(oldMachine).toMatch(/^at 10\.0\.0\.1:22 the rescue system itself answers/);
    });
  });

  test('one that takes connections and completes no login wants a word', async () => {
    const made = recovery();
    made.now.seen = { answers: true, reason: 'it takes the connection and shows no ssh host key' };
    expect(await playing(made, failure)).toMatch(/takes the connection.*no login comes about.*--old-machine-is-gone/);
  });

  test('what befalls the jump before it says nothing of it', async () => {
    const made = recovery({
      more: ({ host, verb }) => {
        if (host !== 'app-1') return undefined;
        const detail = { jump: 'jump' };
        throw new HostError({ host, verb, code: 'host-key-changed', message: 'through jump: another key', detail });
      },
    });
    expect(await playing(made, failure)).toMatch(/is not known: through jump: another key.*--old-machine-is-gone/);
  });
});

test('a plan alone opens nothing and writes nothing, and says what stands against it', async () => {
  const made = recovery({ input: { planOnly: true } });
  made.now.oldMachine = 'itself';
  const report = await playing(made, (handle) => handle.result());
  expect(report).toMatchObject({ state: 'Planned', recovered: null });
  expect(report.warnings.join('\n')).toMatch(/the old machine is still there/);
  expect(made.asked.filter((each) => !READING.includes(each))).toEqual(['job.forget', 'lease.release']);
});

test('a disk that was changed between plan and approval: nothing is written', async () => {
  const made = recovery();
  const message = await playing(made, async (handle) => {
    const { approve: hash } = await asked(handle, 'approve');
    made.now.disks = made.now.disks.map((disk) => ({ ...disk, serial: 'OTHER-1' }));
    await answer(handle, { decision: 'approve', step: 'approve', hash });
    return failure(handle);
  });
  expect(message).toMatch(/not what the plan was made for.*Nothing was written/);
  expect(writing(made)).toEqual([]);
});

describe('an approval beforehand', () => {
  async function hashOf(): Promise<string> {
    const { hash } = await playing(recovery({ input: { planOnly: true } }), (handle) => handle.result());
    return hash;
  }

  test('of this very plan lets it run', async () => {
    const made = recovery({ input: { approve: (await hashOf()).slice(0, 12) } });
    const { state } = await playing(made, (handle) => handle.result());
    expect(state).toBe('Completed');
  });

  test('of another one ends it', async () => {
    const made = recovery({ input: { approve: '0'.repeat(12) } });
    expect(await playing(made, failure)).toMatch(/another one now than the one you approved.*Nothing was written/);
    expect(writing(made)).toEqual([]);
  });
});

test('with identical-disks a blank disk needs no word, and that is told', async () => {
  const made = recovery({ group: { recover: { approve: 'identical-disks' } } });
  const report = await playing(made, (handle) => handle.result());
  expect(report.state).toBe('Completed');
  expect(report.warnings).toContain('approved by the runbook (recover.approve: identical-disks), by no person');
});

test('and what the backup does not hold needs one all the same', async () => {
  const made = recovery({
    group: { recover: { approve: 'identical-disks' } },
    machine: 'mbr-logical',
    parts: ['/', '/boot'],
  });
  await playing(made, async (handle) => {
    const { allowed } = await asked(handle, 'approve');
    expect(allowed).toContain('abort');
    const planned = await handle.query<PlannedRecovery | undefined>('plan');
    expect(planned?.plan.warnings).toContainEqual(
      expect.stringMatching(/^\/var\/log is not in the backup: what is on it is lost/),
    );
    await answer(handle, { decision: 'abort', step: 'approve' });
    return failure(handle);
  });
  expect(writing(made)).toEqual([]);
});

test('a target that does not know the rescue system is told of before any disk is written to', async () => {
  let known = false;
  const made = recovery({
    more: ({ host, verb }) => {
      if (host !== 'target' || verb !== 'grant.add' || known) return undefined;
      throw new HostError({ host, verb, code: 'not-allowed', message: 'said the test' });
    },
  });
  const report = await playing(made, async (handle) => {
    const { failure: said } = await asked(handle, 'way of the data');
    expect(said.message).toMatch(
      /resurgo recover app-1 --at 10\.0\.0\.77:22 --group portal --backup 20261121_013000 --arm-only/,
    );
    expect(writing(made)).toEqual([]);
    known = true;
    await answer(handle, { decision: 'retry' });
    await approve(handle);
    return handle.result();
  });
  expect(report.state).toBe('Completed');
});

test('a running rescue Linux of another make: what it is to be told of is told with --live', async () => {
  let refuses = RESCUE;
  const made = recovery({
    more: ({ host, verb }) => {
      if (host !== refuses || verb !== 'grant.add') return undefined;
      throw new HostError({ host, verb, code: 'not-allowed', message: 'said the test' });
    },
  });
  made.input.rescue = liveAt({ host: made.input.host, at: '[2001:db8::7]:2222' }).rescue;
  await playing(made, async (handle) => {
    for (const host of ['target', RESCUE]) {
      refuses = host;
      const { failure: said } = await asked(handle, 'way of the data');
      expect(said.message).toMatch(
        /`resurgo recover app-1 --at \[2001:db8::7\]:2222 --group portal --backup 20261121_013000 --live --arm-only`, then retry/,
      );
      await answer(handle, { decision: host === 'target' ? 'retry' : 'abort' });
    }
    return failure(handle);
  });
});

test('a machine that shows another key than the backup has is told of', async () => {
  const made = recovery();
  made.deps = { pinMachine: () => Promise.resolve(false) };
  const report = await playing(made, async (handle) => {
    await approve(handle);
    return handle.result();
  });
  expect(report.warnings).toContainEqual(
    expect.stringMatching(/another ssh host key in the backup.*resurgo enroll app-1/),
  );
});

test('a rescue system that does not know the target as it is now is told of with what can be done', async () => {
  const made = recovery({
    more: ({ host, verb }) => {
      if (host !== RESCUE || verb !== 'grant.add') return undefined;
      throw new HostError({ host, verb, code: 'not-allowed', message: 'said the test' });
    },
  });
  await playing(made, async (handle) => {
    const { failure: said } = await asked(handle, 'way of the data');
    expect(said.message).toMatch(
      /build its media again \(`resurgo rescue build app-1`\), boot them, and recover again/,
    );
    await answer(handle, { decision: 'abort' });
    return failure(handle);
  });
  expect(writing(made)).toEqual([]);
});

test('what would not boot stops at the gate with its problems; a retry looks again', async () => {
  let problems = ['/etc/fstab names UUID=1234, which is nowhere'];
  const made = recovery({
    more: ({ host, verb, args }) =>
      host === RESCUE && verb === 'job.poll' && /new-verify/.test(String(args['job']))
        ? { state: 'exited', exit: 0, result: { problems, kernel: '6.1' } }
        : undefined,
  });
  const report = await playing(made, async (handle) => {
    await approve(handle);
    const { failure: said, allowed } = await asked(handle, 'verify');
    expect(said.message).toMatch(/would not boot as it is: \/etc\/fstab names UUID=1234/);
    expect(allowed).toEqual(['retry', 'abort']);
    problems = [];
    await answer(handle, { decision: 'retry' });
    return handle.result();
  });
  expect(report.state).toBe('Completed');
  expect(made.asked.filter((each) => each === 'new-verify')).toHaveLength(2);
});

test('whoever aborts in the middle is told what the machine is', async () => {
  const made = recovery({
    more: ({ host, verb, args }) => {
      if (host !== RESCUE || verb !== 'job.start' || args['kind'] !== 'mkfs-ext') return undefined;
      throw new HostError({ host, verb, code: 'identity-changed', message: 'the serial is another one' });
    },
  });
  const message = await playing(made, async (handle) => {
    await approve(handle);
    await until('it asks', async () =>
      (await handle.query<OpenQuestion[]>('questions')).some(({ step }) => step.startsWith('mkfs:')),
    );
    await answer(handle, { decision: 'abort' });
    return failure(handle);
  });
  expect(message).toMatch(
    /aborted by anna.*app-1 is half recovered: vda \(serial NEW-1\) overwritten, and it does not boot/,
  );
  expect(message).not.toMatch(/still holds/);
  // Or the next plan is refused for what is mounted: after the run's own jobs have ended there, and before the lease goes.
  expect(made.asked.slice(made.asked.lastIndexOf('grant.close') + 1)).toEqual([
    ...['job.forget', 'new-unmount', 'job.forget', 'lease.release'],
  ]);
});

test('what can not be unmounted after an abort wants a restart of the rescue system, and that is told', async () => {
  const made = recovery({
    more: ({ host, verb, args }) => {
      if (host !== RESCUE || verb !== 'job.start') return undefined;
      if (args['kind'] !== 'mkfs-ext' && args['kind'] !== 'new-unmount') return undefined;
      throw new HostError({ host, verb, code: 'busy', message: 'process 7 (vi)', retryable: false });
    },
  });
  const message = await playing(made, async (handle) => {
    await approve(handle);
    await until('it asks', async () =>
      (await handle.query<OpenQuestion[]>('questions')).some(({ step }) => step.startsWith('mkfs:')),
    );
    await answer(handle, { decision: 'abort' });
    return failure(handle);
  });
  expect(message).toMatch(
    /half recovered.*Also: app-1\.rescue still holds.*process 7 \(vi\).*restart the rescue system before/,
  );
  expect(made.asked.slice(-2)).toEqual(['job.forget', 'lease.release']);
});

test('a rescue system that was booted anew in the middle: asked about, then all begins anew', async () => {
  let boots = 0;
  const made = recovery({
    more: ({ host, verb, args }) => {
      if (host !== RESCUE || verb !== 'job.start' || args['kind'] !== 'mkfs-ext' || boots > 0) return undefined;
      boots += 1;
      made.now.rescueBoot = 'rescue-2';
      return undefined;
    },
  });
  const report = await playing(made, async (handle) => {
    await approve(handle);
    const { failure: said } = await asked(handle, 'begin anew');
    expect(said.message).toMatch(/booted anew.*--arm-only/);
    await answer(handle, { decision: 'retry' });
    await approve(handle);
    return handle.result();
  });
  expect(report.state).toBe('Completed');
  expect(made.asked.filter((each) => each === 'disk-wipe')).toHaveLength(2);
});

test('and a volume that gets a new key gets its new one by the command that is told then', async () => {
  const policy = { ...DEFAULT_RECOVERY_POLICY, newKeys: ['vda3_crypt'] };
  const made = recovery({
    ...{ machine: 'luks2-lvm', input: { policy } },
    more: ({ host, verb, args }) => {
      if (host === RESCUE && verb === 'job.start' && args['kind'] === 'disk-wipe') made.now.rescueBoot = 'rescue-2';
      return undefined;
    },
  });
  await playing(made, async (handle) => {
    await approve(handle);
    const { failure: said } = await asked(handle, 'begin anew');
    expect(said.message).toMatch(
      /resurgo recover app-1 --at 10\.0\.0\.77:22 --group portal --backup 20261121_013000 --new-key vda3_crypt --arm-only/,
    );
    expect(made.asked).not.toContain('luks-check');
    await answer(handle, { decision: 'abort' });
    return failure(handle);
  });
});

test('a rescue system that was booted anew while the data came back gets none into its memory', async () => {
  const sends: string[] = [];
  const made = recovery({
    more: ({ host, verb, args }) => {
      if (verb !== 'job.start' || args['kind'] !== 'restore-send') return undefined;
      sends.push(made.now.rescueBoot);
      if (sends.length > 1) return undefined;
      made.now.rescueBoot = 'rescue-2';
      throw new HostError({ host, verb, code: 'failed', message: 'said the test' });
    },
  });
  const report = await playing(made, async (handle) => {
    await approve(handle);
    await asked(handle, 'begin anew');
    expect(sends).toEqual(['rescue-1']);
    expect(made.asked).not.toContain('restore-verify');
    await answer(handle, { decision: 'retry' });
    await approve(handle);
    return handle.result();
  });
  expect(report.state).toBe('Completed');
  expect(sends).toEqual(['rescue-1', 'rescue-2']);
});

describe('a backup that can not make the machine again', () => {
  test.each<[string, Parameters<typeof recovery>[0], RegExp]>([
    ['without a layout', { layouts: [] }, /no layout of its disks/],
    [
      'whose layout has limits',
      { layouts: [{ recoverable: false, reasons: ['sda is multipath'] }] },
      /sda is multipath/,
    ],
  ])('%s', async (_name, options, why) => {
    const made = recovery(options);
    expect(await playing(made, failure)).toMatch(why);
    expect(made.asked).not.toContain('layout');
  });

  test('a plan that can not be carried out is refused with its reasons', async () => {
    const made = recovery();
    made.now.disks = [{ name: 'vda', bytes: 2 ** 20, serial: 'SMALL' }];
    expect(await playing(made, failure)).toMatch(/this recovery is not possible: .*Nothing was written/);
    expect(writing(made)).toEqual([]);
  });

  test('a rescue system without a tool that a step needs is refused before anything is written', async () => {
    const made: ReturnType<typeof recovery> = recovery({
      more: ({ host, verb }) => {
        if (host !== RESCUE || verb !== 'layout') return undefined;
        const facts = rescueFacts(made.now.disks);
        const tools = facts['tools']?.out.replace('mke2fs /usr/sbin/mke2fs', 'mke2fs -') ?? '';
        return { facts: altered(facts, { tools }) };
      },
    });
    expect(await playing(made, failure)).toMatch(
      /this recovery is not possible: the rescue system that is booted lacks mke2fs \(Debian: e2fsprogs\), needed by “Make ext4.*Nothing was written/,
    );
    expect(writing(made)).toEqual([]);
  });
});

test('a machine that does not come up stops at the gate, and is waited for again', async () => {
  const made = recovery({
    more: ({ host, verb }) => {
      if (host !== 'app-1' || verb !== 'probe' || !made.now.rebooted || made.now.oldMachine === 'itself')
        return undefined;
      throw new HostError({ host, verb, code: 'host-key-unknown', message: 'no key is pinned' });
    },
  });
  const report: RecoverReport = await playing(made, async (handle) => {
    await approve(handle);
    await asked(handle, 'first boot');
    made.now.oldMachine = 'itself';
    await answer(handle, { decision: 'retry' });
    return handle.result();
  });
  expect(report.state).toBe('Completed');
});

describe('a machine that has booted', () => {
  test.each([
    [null, 'no recovery'],
    ['recover-earlier-1', 'run recover-earlier-1'],
  ])('an old system on another of its disks (made by %p) is not what was recovered', async (mark, by) => {
    const made = recovery();
    made.now.mark = mark;
    const report = await playing(made, async (handle) => {
      await approve(handle);
      const { failure: said } = await asked(handle, 'first boot');
      expect(said.code).toBe('not-recovered');
      expect(said.message).toContain(`has booted, but not from what was recovered: ${by} has made that system`);
      made.now.mark = made.input.run;
      await answer(handle, { decision: 'retry' });
      return handle.result();
    });
    expect(report.state).toBe('Completed');
    // A running system of anybody's is not rebooted.
    expect(made.asked.filter((each) => each === 'new-reboot')).toHaveLength(1);
  });

  test('and whoever aborts then is told what the machine is', async () => {
    const made = recovery();
    made.now.mark = null;
    const message = await playing(made, async (handle) => {
      await approve(handle);
      await asked(handle, 'first boot');
      await answer(handle, { decision: 'abort' });
      return failure(handle);
    });
    expect(message).toMatch(/whole and verified on .*, and the machine has booted another: take the other's disk out/);
  });

  test('a hostkit that knows of no mark lets it pass, and that is told', async () => {
    const made = recovery();
    delete made.now.mark;
    const report = await playing(made, async (handle) => {
      await approve(handle);
      return handle.result();
    });
    expect(report.state).toBe('Completed');
    expect(report.warnings).toContainEqual(expect.stringMatching(/older than this director’s.*enroll app-1 --update/));
  });

  test('rescue media that leave no mark: none is asked for', async () => {
    const made = recovery({
      more: ({ verb, args }) =>
        verb === 'job.poll' && /new-fix/.test(String(args['job']))
          ? { state: 'exited', exit: 0, result: {} }
          : undefined,
    });
    made.now.mark = null;
    const report = await playing(made, async (handle) => {
      await approve(handle);
      return handle.result();
    });
    expect(report.state).toBe('Completed');
  });
});

describe('a request for the reboot that gets lost', () => {
  /** The first so many requests do not arrive. */
  function losing(requests: number): Recovery & { jobs: string[] } {
    const jobs: string[] = [];
    const made = recovery({
      more: ({ host, verb, args }) => {
        if (host !== RESCUE || verb !== 'job.start' || args['kind'] !== 'new-reboot') return undefined;
        jobs.push(`${String(args['step'])}: ${String(args['job'])}`);
        if (jobs.length > requests) return undefined;
        throw new HostError({ host, verb, code: 'timeout', message: 'no answer' });
      },
    });
    return Object.assign(made, { jobs });
  }

  test('is made again, as another job', async () => {
    const made = losing(1);
    const report = await playing(made, async (handle) => {
      await approve(handle);
      return handle.result();
    });
    expect(report.state).toBe('Completed');
    expect(new Set(made.jobs).size).toBe(2);
    expect(made.jobs.map((each) => each.split(':')[0])).toEqual(['reboot', 'reboot again']);
  });

  test('three times in vain: a person is asked, and a retry makes it again', async () => {
    const made = losing(4);
    const report = await playing(made, async (handle) => {
      await approve(handle);
      const { failure: said } = await asked(handle, 'first boot');
      expect(said).toMatchObject({ code: 'not-rebooted' });
      expect(said.message).toMatch(/the rescue system at 10\.0\.0\.77:22 answers, and has not rebooted/);
      expect(said.message).not.toMatch(/medium out/);
      expect(made.jobs).toHaveLength(3);
      await answer(handle, { decision: 'retry' });
      return handle.result();
    });
    expect(report.state).toBe('Completed');
    expect(new Set(made.jobs).size).toBe(5);
  });

  test('and whoever aborts then learns that it was not booted', async () => {
    const made = losing(Infinity);
    const message = await playing(made, async (handle) => {
      await approve(handle);
      await asked(handle, 'first boot');
      await answer(handle, { decision: 'abort' });
      return failure(handle);
    });
    expect(message).toMatch(/whole and verified on .*, and was not booted: restart the machine without the rescue/);
  });

  test('a rescue system that has booted its medium again is told to reboot by nobody', async () => {
    let looks = 0;
    const made = recovery({
      more: ({ host, verb, args }) => {
        if (host === RESCUE && verb === 'job.start' && args['kind'] === 'new-reboot') {
          made.now.rescueBoot = 'rescue-2';
          return {};
        }
        if (host !== 'app-1' || verb !== 'probe' || made.now.rescueBoot === 'rescue-1') return undefined;
        looks += 1;
        // At the first the rescue system may still be going down; it is looked back to at the second.
        if (looks < 3) throw new HostError({ host, verb, code: 'unreachable', message: 'no' });
        return { bootId: 'its own', uptimeMs: 5, recovered: made.input.run };
      },
    });
    const report = await playing(made, async (handle) => {
      await approve(handle);
      return handle.result();
    });
    expect(report.state).toBe('Completed');
    expect(made.asked.filter((each) => each === 'new-reboot')).toHaveLength(1);
  });
});

describe('an encrypted volume whose header is in the backup', () => {
  const PLACED = ['luks.place', 'dial', 'restore-verify', 'luks-check'];

  test('is seen to open before the first disk is written to, and its header is no file of the new system', async () => {
    const sends: unknown[] = [];
    const made = recovery({
      machine: 'luks2-lvm',
      more: ({ verb, args }) => {
        if (verb === 'job.start' && args['kind'] === 'restore-send') sends.push([args['subpath'], args['headers']]);
        return undefined;
      },
    });
    const report = await playing(made, async (handle) => {
      await approve(handle);
      return handle.result();
    });
    const jobs = writing(made).filter((each) => each !== 'job.stop');
    expect(jobs.slice(0, 5)).toEqual([...PLACED, 'disk-wipe']);
    expect(jobs).toContain('luks-restore');
    expect(jobs).not.toContain('luks-format');
    expect(sends).toEqual([
      ['var/lib/resurgo/luks', undefined],
      [undefined, false],
    ]);
    expect(report.phases.map(({ phase }) => phase)).toContain('headers');
  });

  test('S24 a wrong passphrase asks for another, and nothing has been written', async () => {
    let wrong = true;
    const made = recovery({
      machine: 'luks2-lvm',
      more: ({ host, verb, args }) => {
        if (host !== RESCUE || verb !== 'job.start' || args['kind'] !== 'luks-check' || !wrong) return undefined;
        throw new HostError({ host, verb, code: 'needs-passphrase', message: 'it does not open it' });
      },
    });
    await playing(made, async (handle) => {
      await approve(handle);
      const { step, failure: said } = await asked(handle, 'check luks:luks:vda3_crypt');
      expect(said.message).toMatch(
        /resurgo recover app-1 --at 10\.0\.0\.77:22 --group portal --backup 20261121_013000 --arm-only.*--new-key/,
      );
      expect(writing(made)).not.toContain('disk-wipe');
      wrong = false;
      await answer(handle, { decision: 'retry', step });
      await handle.result();
    });
    expect(writing(made)).toContain('luks-restore');
  });

  test('S24 where that does not fit the new disk, the passphrase is tried on it all the same', async () => {
    const made = recovery({
      machine: 'luks2-lvm',
      change: ({ luks: [volume] }) => {
        if (volume !== undefined) volume.bytes = (volume.bytes ?? 0) - 2 ** 22;
      },
      more: ({ host, verb, args }) => {
        if (host !== RESCUE || verb !== 'job.start' || args['kind'] !== 'luks-check') return undefined;
        throw new HostError({ host, verb, code: 'needs-passphrase', message: 'it does not open it' });
      },
    });
    made.now.disks = [{ name: 'vda', bytes: 11 * 2 ** 30 - 2 ** 28, serial: 'NEW-1' }];
    await playing(made, async (handle) => {
      await approve(handle);
      const planned = await handle.query<PlannedRecovery | undefined>('plan');
      expect(planned?.plan.steps.map(({ kind }) => kind)).toContain('luks-format');
      await asked(handle, 'check luks:luks:vda3_crypt');
      expect(writing(made)).not.toContain('disk-wipe');
      await answer(handle, { decision: 'abort' });
      return failure(handle);
    });
  });

  test('media of before headers were kept are said, and nothing has been written', async () => {
    const made = recovery({
      machine: 'luks2-lvm',
      more: ({ host, verb }) => {
        if (verb !== 'luks.place') return undefined;
        throw new HostError({ host, verb, code: 'hostkit-old', message: 'no such verb' });
      },
    });
    const why = await playing(made, async (handle) => {
      await approve(handle);
      const { step, failure: said } = await asked(handle, 'place of headers');
      expect(said.message).toMatch(/built before headers .* were kept.*--new-key/);
      await answer(handle, { decision: 'abort', step });
      return failure(handle);
    });
    expect(why).toMatch(/Nothing was written/);
  });
});
