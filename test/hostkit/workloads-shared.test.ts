/** What two groups of one host need stopped starts when the last restore that needs it has ended, and by no other (S21). */
import fs from 'node:fs';
import { describeAsRoot, fence, SHELLS } from './support';
import type { Reply } from './support';
import { containers, engine, units, WorkloadHost } from './workloads-kit';

describeAsRoot('when two groups need the same stopped', () => {
  describe.each(SHELLS)('under %s', (shell) => {
    let host: WorkloadHost;

    beforeEach(() => {
      host = new WorkloadHost(shell);
    });
    afterEach(() => {
      host.box.close();
    });

    const both = (portal: (group: string) => string[], ledger = portal): void => {
      host.conf(...portal('portal'), ...ledger('ledger'));
    };
    /** Stops for both; the first that ends starts nothing, the second all. */
    const endBoth = (first: string, last: string): { first: Reply; last: Reply; between: string[] } => {
      for (const group of ['portal', 'ledger']) expect(host.ask('restore.stop', group)).toMatchObject({ ok: true });
      const ended = host.ask('restore.start', first);
      expect(host.records()).toEqual([last]);
      const between = [
        host.state('db.service'),
        host.state('docker.service'),
        host.container('aaaa'),
        host.container('cccc'),
      ];
      // A reboot starts nothing either.
      for (const unit of ['db.service', 'docker.socket', 'docker.service'])
        if (host.state(unit) === 'inactive') expect(host.blocked()).toContain(`${unit}.d`);
      const reply = host.ask('restore.start', last);
      expect([host.records(), host.blocked()]).toEqual([[], []]);
      expect([host.state('db.service'), host.state('docker.service')]).toEqual(['active', 'active']);
      expect([host.container('aaaa'), host.container('bbbb'), host.container('cccc')]).toEqual([
        'true always web',
        'true no worker',
        'false always spare',
      ]);
      return { first: ended, last: reply, between };
    };
    const by = (group: string, ...names: string[]) =>
      expect.arrayContaining(names.map((name) => ({ name, by: `the restore of group ${group}` }))) as unknown[];
    const ends: [string, string][] = [
      ['portal', 'ledger'],
      ['ledger', 'portal'],
    ];

    test.each(ends)('S21 a unit starts with the last: %s, then %s', (a, b) => {
      both(units);
      const { first, last, between } = endBoth(a, b);
      expect(between[0]).toBe('inactive');
      expect(first).toMatchObject({ ok: true, started: [], kept: a === 'portal' ? by(b, 'db.service') : [] });
      expect(last).toMatchObject({ ok: true, started: ['db.service'], kept: [] });
    });

    test.each(ends)('S21 an engine and its containers start with the last: %s, then %s', (a, b) => {
      both(engine);
      const { first, last, between } = endBoth(a, b);
      expect(between.slice(1)).toEqual(['inactive', 'false always web', 'false no spare']);
      expect(first).toMatchObject({
        ok: true,
        started: [],
        kept: a === 'portal' ? by(b, 'docker.service', 'docker.socket', 'web', 'worker') : [],
      });
      expect(last).toMatchObject({ ok: true, kept: [] });
    });

    test.each(ends)('S21 containers start with the last: %s, then %s', (a, b) => {
      both(containers);
      const { first, last, between } = endBoth(a, b);
      expect(between.slice(2)).toEqual(['false no web', 'false no spare']);
      expect(first).toMatchObject({ ok: true, started: [], kept: a === 'portal' ? by(b, 'web', 'worker') : [] });
      expect(last).toMatchObject({ ok: true, kept: [] });
    });

    test.each(ends)('S21 of an engine and containers that it ran, what is written starts last: %s, then %s', (a, b) => {
      both(engine, containers);
      expect(endBoth(a, b).between.slice(1)).toEqual(['inactive', 'false always web', 'false no spare']);
    });

    test('S21 containers that were stopped before their engine do not start with it', () => {
      both(containers, engine);
      const { between } = endBoth('ledger', 'portal');
      expect(between.slice(1)).toEqual(['active', 'false no web', 'false no spare']);
    });

    test('S21 containers wait for the engine that another keeps stopped', () => {
      both(containers, engine);
      const { first, between } = endBoth('portal', 'ledger');
      expect(between.slice(1)).toEqual(['inactive', 'false no web', 'false no spare']);
      expect(first).toMatchObject({ ok: true, kept: by('ledger', 'web', 'worker') });
    });

    test('S21 an engine waits for another that names its unit', () => {
      both(engine, (group) => [`workload ${group} units`, `unit ${group} stop docker.service`]);
      expect(endBoth('portal', 'ledger').between.slice(1, 3)).toEqual(['inactive', 'false always web']);
    });

    test('S21 what can not be handed over stays recorded, and is not started', () => {
      both(units);
      for (const group of ['portal', 'ledger']) expect(host.ask('restore.stop', group)).toMatchObject({ ok: true });
      const ledger = '/var/lib/resurgo/workloads/ledger';
      const full = `cp -a ${ledger} /run/kept && mount -t tmpfs -o size=16k none ${ledger} && cp -a /run/kept/. ${ledger}`;
      expect(host.box.runs('sh', ['-c', `${full}; head -c 16384 /dev/zero >${ledger}/filler`]).stderr).toContain(
        'No space',
      );
      expect(host.ask('restore.start', 'portal')).toMatchObject({ ok: false, started: [], failed: ['db.service'] });
      expect([host.state('db.service'), host.blocked(), host.records()]).toEqual([
        'inactive',
        ['db.service.d'],
        ['ledger', 'portal'],
      ]);
      expect(host.box.runs('umount', [ledger]).status).toBe(0);
      expect(host.ask('restore.start', 'portal')).toMatchObject({ ok: true, kept: by('ledger', 'db.service') });
      expect(host.ask('restore.start', 'ledger')).toMatchObject({ ok: true, started: ['db.service'] });
    });

    test('S21 what the operator has stopped by hand stays so after a restore of another group', () => {
      both(units);
      expect(host.ask('restore.stop', 'portal')).toMatchObject({ ok: true });
      expect(host.ask('workload.stop', 'ledger')).toMatchObject({ ok: true });
      expect(host.ask('restore.start', 'portal')).toMatchObject({
        ok: true,
        started: [],
        kept: [{ name: 'db.service', by: 'the stop by hand of group ledger' }],
      });
      expect(host.ask('workload.start', 'ledger')).toMatchObject({ ok: true, started: ['db.service'] });
      expect([host.state('db.service'), host.blocked()]).toEqual(['active', []]);
    });

    test.each([
      ['units', units, 'db.service.fails', ['db.service']],
      ['containers', containers, 'never-aaaa', ['web', 'worker']],
    ])('what a start has left of a record keeps nothing of a later stop: %s', (family, conf, fault, started) => {
      both(conf);
      expect(host.ask('workload.stop', 'portal')).toMatchObject({ ok: true });
      const file = family === 'units' ? `units/${fault}` : fault;
      host.put(file, '');
      expect(host.ask('workload.start', 'portal')).toMatchObject({ ok: false });
      expect(host.records()).toEqual(['portal.hand']);
      fs.rmSync(host.box.file(`run/${file}`));
      // Mended by hand, and forgotten.
      if (family === 'units') host.put('units/db.service', 'active');
      else host.put('containers/aaaa', 'true always web');
      for (const group of ['ledger', 'portal']) {
        expect(host.ask('restore.stop', group)).toMatchObject({ ok: true });
        const reply = host.ask('restore.start', group);
        expect(reply).toMatchObject({ ok: true, kept: [] });
        expect([...(reply.started as string[])].sort()).toEqual(started);
      }
      // Stopped by hand once more, it keeps again.
      expect(host.ask('restore.stop', 'ledger')).toMatchObject({ ok: true });
      expect(host.ask('workload.stop', 'portal')).toMatchObject({ ok: true });
      expect(host.ask('restore.start', 'ledger')).toMatchObject({ ok: true, started: [] });
      expect(host.ask('workload.start', 'portal')).toMatchObject({ ok: true });
    });

    test('S21 what is left of a record that was being removed keeps nothing, and is no record', () => {
      both(units);
      expect(host.ask('restore.stop', 'portal')).toMatchObject({ ok: true });
      fs.mkdirSync(host.box.state('workloads/ledger'));
      fs.writeFileSync(host.box.state('workloads/ledger/units'), 'stop db.service -\nstop web.service -\n');
      host.put('units/web.service', 'inactive');
      expect(host.ask('restore.start', 'portal')).toMatchObject({ ok: true, started: ['db.service'], kept: [] });
      expect(host.ask('restore.stop', 'ledger')).toMatchObject({ ok: true });
      expect(host.ask('restore.start', 'ledger')).toMatchObject({ ok: true, started: ['db.service'] });
      expect(host.state('web.service')).toBe('inactive');
    });

    test('S3 a request that waited for another of this host gives way to its successor', async () => {
      both(units);
      fs.mkdirSync(host.box.state('lock'), { recursive: true });
      const other = host.box.starts('flock', [
        '/var/lib/resurgo/lock/workloads',
        'sh',
        '-c',
        'touch /run/locked; while [ -e /run/locked ]; do sleep 0.1; done',
      ]);
      host.box.waitFor('the lock', () => fs.existsSync(host.box.file('run/locked')));
      const asked = host.box.askAll(
        [1, 2].map((each) => ['restore.stop', fence({ run: 'run-portal-0001', attempt: host.attempt + each })]),
      );
      const file = host.box.state('fence/portal/run-portal-0001');
      const came = () => fs.existsSync(file) && fs.readFileSync(file, 'utf8').includes(`${host.attempt + 2} step`);
      host.box.waitFor('the successor', came);
      expect(host.state('db.service')).toBe('active');
      fs.rmSync(host.box.file('run/locked'));
      const [older, newer] = await asked;
      host.attempt += 2;
      expect(older).toMatchObject({ ok: false, code: 'fenced' });
      expect(newer).toMatchObject({ ok: true });
      expect(other.exitCode).toBe(0);
    });
  });
});
