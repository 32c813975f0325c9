/** A recovery's own decisions, over a fake fleet: what must hold before a disk is written to, in which order, and who is told what. */
import { HostError } from '../../hosts/errors';
import { liveAt } from '../../hosts/rescue-host';
import type { Look } from '../../hosts/look';
import { DEFAULT_RECOVERY_POLICY } from '../../planning/recover';
import type { OpenQuestion } from '../../workflows/gate';
import type { PlannedRecovery } from '../../workflows/recover';
import { until } from '../workers/fixtures/engine';
import { useEngine } from './support/engine';
import { recovery, RESCUE } from './support/recovery';
import type { Recovery } from './support/recovery';
import { answer, approve, asked, failure, player, READING, STEPS, writing } from './support/play-recovery';

jest.setTimeout(120_000);

const engine = useEngine({ shortStay: true });
const playing = player(engine);

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
  // What was looked at moments before is not looked at again; each step looks its disks up by itself.
  expect(report.phases.map(({ phase }) => phase)).not.toContain('look again');
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
