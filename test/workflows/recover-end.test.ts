/** The end of a recovery, over a fake fleet: what makes the machine boot, what becomes of a reboot, and encrypted volumes. */
import { HostError } from '../../hosts/errors';
import { DEFAULT_RECOVERY_POLICY } from '../../planning/recover';
import type { PlannedRecovery } from '../../workflows/recover';
import type { RecoverReport } from '../../workflows/recover-report';
import { altered } from '../planning/layout-machines';
import { useEngine } from './support/engine';
import { recovery, RESCUE, rescueFacts } from './support/recovery';
import type { Recovery } from './support/recovery';
import { answer, approve, asked, failure, player, writing, type Handle } from './support/play-recovery';

jest.setTimeout(120_000);

const engine = useEngine({ shortStay: true });
const playing = player(engine);

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

test.each([
  { given: 'a copy gets an identity of its own before its keys are looked at, and is known by them', isCopy: true },
  { given: 'what is none stays as it was', isCopy: false },
])('$given', async ({ isCopy }) => {
  const policy = { ...DEFAULT_RECOVERY_POLICY, ...(isCopy ? { newIdentity: true as const } : {}) };
  const made = recovery({ input: { policy } });
  let kept: unknown;
  made.fake.intercept = ((before) => (call) => {
    if (call.verb === 'job.start' && call.args['kind'] === 'new-initramfs') kept = call.args['keep'];
    return before?.(call);
  })(made.fake.intercept);
  const pinned: unknown[] = [];
  made.deps = {
    pinMachine: ({ isNew }) => Promise.resolve(pinned.push(isNew) > 0),
    pinOnly: ({ hostKeys }) => Promise.resolve(void pinned.push(made.now.rebooted && hostKeys.length)),
  };
  const report = await playing(made, async (handle) => {
    const { plan } = (await approvedPlan(handle)) ?? {};
    expect((plan?.warnings ?? []).some((each) => each.includes('--new-identity'))).toBe(isCopy);
    return handle.result();
  });
  const jobs = made.asked.filter((each) => each.startsWith('new-')).slice(0, 3);
  expect(jobs).toEqual(
    isCopy ? ['new-fix', 'new-identity', 'new-director'] : ['new-fix', 'new-director', 'new-initramfs'],
  );
  // The old one's go when the copy was seen.
  expect(pinned).toEqual(isCopy ? [true, 1] : [false]);
  expect(kept).toBe(isCopy ? undefined : '1');
  expect(report.recovered?.edits.map(({ path }) => path)).toEqual(isCopy ? ['/etc/machine-id'] : []);
  expect(report.warnings.some((each) => /resurgo enroll app-1/.test(each))).toBe(isCopy);
});

/** The plan that it was given for its approval, approved. */
async function approvedPlan(handle: Handle): Promise<PlannedRecovery | undefined> {
  const { approve: hash } = await asked(handle, 'approve');
  const planned = await handle.query<PlannedRecovery | undefined>('plan');
  await answer(handle, { decision: 'approve', step: 'approve', hash });
  return planned;
}

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
