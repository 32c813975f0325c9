/**
 * What the record of a restore holds starts again, whatever the runbook says by then, and a oneshot unit has started when it ran to its
 * good end.
 */
import fs from 'node:fs';
import { describeAsRoot, SHELLS } from './support';
import { containers, engine, units, WorkloadHost } from './workloads-kit';

describeAsRoot('the record of what a restore stopped', () => {
  describe.each(SHELLS)('under %s', (shell) => {
    let host: WorkloadHost;

    beforeEach(() => {
      host = new WorkloadHost(shell);
    });
    afterEach(() => {
      host.box.close();
    });

    /** All that ran runs, what did not is as it was, and nothing is held any more. */
    const expectStarted = (): void => {
      expect([host.state('docker.service'), host.state('db.service')]).toEqual(['active', 'active']);
      expect([host.container('aaaa'), host.container('bbbb'), host.container('cccc')]).toEqual([
        'true always web',
        'true no worker',
        'false always spare',
      ]);
      expect([host.records(), host.blocked()]).toEqual([[], []]);
    };

    describe('when the runbook names another family meanwhile', () => {
      test('S21 containers that were stopped start again after the engine', () => {
        host.conf(...containers('portal'));
        expect(host.ask('restore.stop')).toMatchObject({ ok: true });
        expect([host.container('aaaa'), host.container('bbbb')]).toEqual(['false no web', 'false no worker']);
        host.conf(...engine('portal'));
        expect(host.ask('restore.stop')).toMatchObject({ ok: true });
        expect(host.state('docker.service')).toBe('inactive');
        expect(host.ask('restore.start')).toMatchObject({ ok: true, failed: [] });
        expectStarted();
      });

      test.each(['containers', 'units'])('S21 an engine that was stopped starts again under %s', (family) => {
        host.conf(...engine('portal'));
        expect(host.ask('restore.stop')).toMatchObject({ ok: true });
        host.conf(...(family === 'units' ? units : containers)('portal'));
        expect(host.ask('restore.stop')).toMatchObject({ ok: true });
        expect(host.state('docker.service')).toBe('inactive');
        expect(host.ask('restore.start')).toMatchObject({ ok: true, failed: [] });
        expectStarted();
      });

      test('S21 units that were stopped start again', () => {
        host.conf(...units('portal'));
        expect(host.ask('restore.stop')).toMatchObject({ ok: true });
        host.conf(...containers('portal'));
        expect(host.ask('restore.start')).toMatchObject({ ok: true, started: ['db.service'], failed: [] });
        expect([host.state('db.service'), host.records(), host.blocked()]).toEqual(['active', [], []]);
      });
    });

    test('a daemon that ends at once, even well, does not count as started', () => {
      host.conf(...units('portal'));
      expect(host.ask('restore.stop')).toMatchObject({ ok: true });
      host.put('units/db.service.ends', '');
      expect(host.ask('restore.start')).toMatchObject({
        ok: false,
        message: expect.stringContaining('db.service: it is inactive') as string,
      });
      expect(host.records()).toEqual(['portal']);
    });

    describe('a oneshot unit', () => {
      beforeEach(() => {
        host.conf(...units('portal'));
        host.put('units/db.service', 'activating');
        host.put('once', 'db.service');
        expect(host.ask('restore.stop')).toMatchObject({
          ok: true,
          stopped: [{ family: 'units', name: 'db.service' }],
        });
      });

      test('that ran at the stop and runs to its good end is started again', () => {
        expect(host.ask('restore.start')).toMatchObject({ ok: true, started: ['db.service'], failed: [] });
        expect([host.records(), host.blocked()]).toEqual([[], []]);
        expect(fs.readFileSync(host.box.file('run/log'), 'utf8').match(/start -- db.service/g)).toHaveLength(1);
      });

      test('that systemd has unloaded after its good end is started again', () => {
        host.put('unloaded', 'db.service');
        expect(host.ask('restore.start')).toMatchObject({ ok: true, started: ['db.service'], failed: [] });
      });

      test('that is still on its way down is waited for', () => {
        host.put('slow', 'db.service');
        expect(host.ask('restore.start')).toMatchObject({ ok: true, started: ['db.service'], failed: [] });
      });

      test('that fails is named', () => {
        host.put('units/db.service.fails', '');
        expect(host.ask('restore.start')).toMatchObject({
          ok: false,
          message: expect.stringContaining('db.service: it is failed') as string,
        });
        expect(host.records()).toEqual(['portal']);
      });

      test('that a condition keeps from starting is not taken for one that ran', () => {
        host.put('units/db.service.unmet', '');
        expect(host.ask('restore.start')).toMatchObject({
          ok: false,
          message: expect.stringContaining('db.service: it is inactive') as string,
        });
        expect(host.records()).toEqual(['portal']);
      });
    });
  });
});
