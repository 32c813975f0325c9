/**
 * What a restore stops, where writing it down, systemd or docker fails in the middle: nothing is stopped or kept from starting that stands
 * in no record. With a systemctl and a docker of the test's own, over the real hostkit.
 */
import fs from 'node:fs';
import { Box, describeAsRoot, fence, SHELLS } from './support';

const RECORD = '/var/lib/resurgo/workloads/portal';
/** States of units are files; each call is a line of the log. A unit with a start block does not start. */
const SYSTEMCTL = `#!/bin/sh
echo "systemctl $*" >>/run/log
for unit; do :; done
case $1 in
  show) echo "ActiveState=$(cat "/run/units/$unit" 2>/dev/null || echo inactive)" ;;
  stop) echo inactive >"/run/units/$unit" ;;
  start) [ -e "/etc/systemd/system/$unit.d/50-resurgo-restore.conf" ] || echo active >"/run/units/$unit" ;;
  daemon-reload) [ ! -e /run/no-reload ] ;;
esac
`;
/** One container, which runs; \`/run/mute\` names the command that fails. */
const DOCKER = `#!/bin/sh
echo "docker $*" >>/run/log
[ ! -e /run/mute ] || [ "$(cat /run/mute)" != "$1" ] || exit 1
case $1 in
  ps) echo 0123 ;;
  inspect) echo "0123 99999999 true false running false always:0 image /web " ;;
esac
`;

describeAsRoot('what a restore stops', () => {
  describe.each(SHELLS)('under %s', (shell) => {
    let box: Box;
    const workload = (family: string): void => {
      const units = family === 'units' ? ['unit portal stop ledger.service', 'unit portal stop spare.service'] : [];
      box.conf(['host app-1', 'containers portal all', `workload portal ${family}`, ...units]);
    };
    const log = (): string => fs.readFileSync(box.file('run/log'), 'utf8');
    const state = (unit: string): string => fs.readFileSync(box.file(`run/units/${unit}`), 'utf8').trim();
    let attempt = 0;
    const ask = (verb: string) => box.ask(verb, fence({ attempt: (attempt += 1) }));

    beforeEach(() => {
      box = new Box({ shell });
      for (const dir of ['bin', 'run/units', 'run/systemd/system'])
        fs.mkdirSync(box.file(dir), { recursive: true, mode: 0o755 });
      fs.writeFileSync(box.file('bin/systemctl'), SYSTEMCTL, { mode: 0o755 });
      fs.writeFileSync(box.file('bin/docker'), DOCKER, { mode: 0o755 });
      fs.writeFileSync(box.file('run/log'), '');
      fs.writeFileSync(box.file('run/units/ledger.service'), 'active\n');
      fs.writeFileSync(box.file('run/units/docker.service'), 'active\n');
      // The process that the hostkit takes for the engine.
      box.runs('cp', ['/bin/sleep', '/run/dockerd']);
      const engine = box.starts('/run/dockerd', ['600']);
      fs.writeFileSync(box.file('run/docker.pid'), `${engine.pid}\n`);
      expect(box.runs('mount', ['--bind', box.file('bin'), '/usr/local/sbin']).status).toBe(0);
    });
    afterEach(() => {
      box.close();
    });

    /** The record's folder has no room left for another file. */
    const fillRecord = (): void => {
      const full = `mkdir -p ${RECORD} && mount -t tmpfs -o size=8k none ${RECORD} && echo run-00000001 >${RECORD}/run`;
      box.runs('sh', ['-c', `${full} && head -c 8192 /dev/zero >${RECORD}/filler`]);
    };

    test('S21 a unit is written down before it is kept from starting, so that the start undoes what a stop has left', () => {
      workload('units');
      fs.writeFileSync(box.file('run/no-reload'), '');
      expect(ask('restore.stop')).toMatchObject({ ok: false });
      expect(fs.readdirSync(box.file('etc/systemd/system'))).toEqual(['ledger.service.d']);
      expect(fs.readFileSync(box.state('workloads/portal/units'), 'utf8')).toMatch(/^stop ledger.service /);
      fs.rmSync(box.file('run/no-reload'));
      expect(ask('restore.start')).toMatchObject({ ok: true, failed: [] });
      expect(fs.readdirSync(box.file('etc/systemd/system'))).toEqual([]);
    });

    test('S21 every unit is kept from starting, and only what ran is started again', () => {
      workload('units');
      fs.writeFileSync(box.file('run/units/spare.service'), 'failed\n');
      expect(ask('restore.stop')).toMatchObject({ ok: true, stopped: [{ family: 'units', name: 'ledger.service' }] });
      expect(fs.readdirSync(box.file('etc/systemd/system'))).toEqual(['ledger.service.d', 'spare.service.d']);
      expect(ask('restore.start')).toMatchObject({ ok: true, started: ['ledger.service'], failed: [] });
      expect([state('ledger.service'), log().includes('start -- spare')]).toEqual(['active', false]);
      expect(fs.readdirSync(box.file('etc/systemd/system'))).toEqual([]);
    });

    test('what does not start again is named with its state', () => {
      workload('units');
      ask('restore.stop');
      fs.writeFileSync(box.file('bin/systemctl'), SYSTEMCTL.replace('start) ', 'start) exit 1; '));
      expect(ask('restore.start')).toMatchObject({
        ok: false,
        code: 'failed',
        failed: ['ledger.service'],
        message: expect.stringContaining('ledger.service: it is inactive') as string,
      });
    });

    test.each(['units', 'engine', 'containers'])('S21 %s that can not be written down are not stopped', (family) => {
      workload(family);
      fillRecord();
      expect(ask('restore.stop')).toMatchObject({
        ok: false,
        message: expect.stringMatching(/can't be written down in .*: make room there/) as string,
      });
      expect(log()).not.toMatch(/(^|\n)(systemctl|docker) (stop|update)/);
      expect([state('ledger.service'), state('docker.service')]).toEqual(['active', 'active']);
    });

    test.each([
      ['engine', 'ps'],
      ['engine', 'inspect'],
      ['containers', 'inspect'],
    ])('S21 nothing is stopped, nor called stopped, of %s while docker %s fails', (family, command) => {
      workload(family);
      fs.writeFileSync(box.file('run/mute'), command);
      expect(ask('restore.stop')).toMatchObject({
        ok: false,
        message: expect.stringContaining(`docker ${command}`) as string,
      });
      expect(log()).not.toMatch(/(^|\n)(systemctl|docker) stop/);
    });
  });
});
