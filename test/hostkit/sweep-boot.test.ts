/**
 * The boot's sweep after a power cut in the middle of a freeze: what was paused runs again (S2), what a restore holds back does not (S21).
 * With a systemctl of the test's own, over the real hostkit; a boot is another boot id, and no process of the one before.
 */
import type { ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import { Box, describeAsRoot, fence, HOSTKIT, request, SHELLS } from './support';
import { makeKey } from './support-sshd';

const SWEEP = '/usr/local/lib/resurgo/sweep-boot';
const CONF = [
  'host app-1',
  'source portal data none /var/lib/srv app-1@+srv',
  'containers portal none',
  'unit portal stop ledger.service',
  'hook portal before dump 20 /usr/local/lib/hook',
  'hook portal after dump 20 /usr/local/lib/hook',
  'max-pause portal 60',
  'unit other stop spare.service',
  'workload other units',
];
/** States of units are files. A unit with a start block does not start; what `/run/on-start` says happens while one starts. */
const SYSTEMCTL = `#!/bin/sh
for unit; do :; done
case $1 in
  show) echo "ActiveState=$(cat "/run/units/$unit" 2>/dev/null || echo inactive)" ;;
  stop) echo inactive >"/run/units/$unit" ;;
  start)
    [ ! -e /run/on-start ] || . /run/on-start
    [ -e "/etc/systemd/system/$unit.d/50-resurgo-restore.conf" ] || echo active >"/run/units/$unit" ;;
esac
`;
const HOOK = '#!/bin/sh\n[ ! -e /var/lib/broken ] || exit 3\necho "$1" >>/var/lib/said\n';

describeAsRoot('the boot’s sweep', () => {
  describe.each(SHELLS)('under %s', (shell) => {
    let box: Box;
    let boots = 0;
    const [command = 'dash', ...args] = shell.split(' ');
    const unit = (name: string): string => fs.readFileSync(box.file(`run/units/${name}.service`), 'utf8').trim();
    const said = (): string => fs.readFileSync(box.file('var/said'), 'utf8').trim().replaceAll('\n', ' ');
    const records = (): string[] => fs.readdirSync(box.state('deadman')).sort();
    const sweep = (): number | null => box.runs(command, [...args, SWEEP]).status;

    beforeEach(() => {
      box = new Box({ shell });
      box.conf(CONF);
      for (const dir of ['bin', 'run/units', 'run/systemd/system', 'var/srv'])
        fs.mkdirSync(box.file(dir), { recursive: true, mode: 0o755 });
      fs.writeFileSync(box.file('bin/systemctl'), SYSTEMCTL, { mode: 0o755 });
      // The dead-man is a process of its own then.
      fs.writeFileSync(box.file('bin/systemd-run'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
      fs.writeFileSync(box.file('lib/hook'), HOOK, { mode: 0o755 });
      for (const name of ['ledger', 'spare']) fs.writeFileSync(box.file(`run/units/${name}.service`), 'active\n');
      fs.writeFileSync(box.file('etc/resurgo/director.keys'), `${makeKey(box.file('director'))}\n`, { mode: 0o600 });
      expect(box.runs('mount', ['--bind', box.file('bin'), '/usr/local/sbin']).status).toBe(0);
      fs.writeFileSync(box.file('boot_id'), 'boot-0\n');
      const id = '/proc/sys/kernel/random/boot_id';
      expect(box.runs('mount', ['--bind', box.file('boot_id'), id]).status).toBe(0);
    });
    afterEach(() => {
      box.close();
    });

    /** Runs the hook before a freeze, and opens one that holds everything paused. */
    const pause = (): ChildProcess => {
      const hook = fence({ step: 'hook', phase: 'before', name: 'dump' });
      expect(box.ask('hook', hook)).toMatchObject({ ok: true });
      const session = box.starts(command, [...args, HOSTKIT]);
      session.stdin?.write(`${request('freeze', fence({ step: 'freeze', freeze: 1, max_pause: 60 }))}pause\n`);
      box.waitFor('the pause', () => unit('ledger') === 'inactive');
      return session;
    };
    /** Nothing of this boot lives on. */
    const cutPower = (session: ChildProcess): void => {
      session.kill('SIGKILL');
      for (const record of records())
        process.kill(Number(fs.readFileSync(box.state(`deadman/${record}/timer`), 'utf8').split(' ')[0]), 'SIGKILL');
      fs.writeFileSync(box.file('boot_id'), `boot-${(boots += 1)}\n`);
    };

    test('S2 S21 what a freeze had stopped runs again after a power cut; what a restore has stopped stays blocked', () => {
      const stop = fence({ group: 'other', step: 'stop' });
      expect(box.ask('restore.stop', stop)).toMatchObject({ ok: true });
      cutPower(pause());
      expect([unit('ledger'), said(), records()]).toEqual(['inactive', 'before', ['portal', 'portal.hooks']]);
      expect(sweep()).toBe(0);
      expect([unit('ledger'), said(), records()]).toEqual(['active', 'before after', []]);
      const block = box.file('etc/systemd/system/spare.service.d/50-resurgo-restore.conf');
      expect([unit('spare'), fs.existsSync(block)]).toEqual(['inactive', true]);
      expect(fs.readdirSync(box.state('workloads')).sort()).toEqual(['blocked', 'other']);
    });

    test('S2 a freeze of this boot that has time left is left alone: enrolment runs the same sweep', () => {
      pause();
      expect(sweep()).toBe(0);
      expect([unit('ledger'), said(), records()]).toEqual(['inactive', 'before', ['portal', 'portal.hooks']]);
    });

    test('S2 what does not run again at the boot stays recorded, with a dead-man that goes on trying; keys are published', () => {
      cutPower(pause());
      fs.writeFileSync(box.file('var/broken'), '');
      expect(sweep()).toBe(1);
      expect([unit('ledger'), said(), records()]).toEqual(['active', 'before', ['portal.hooks']]);
      expect(fs.readFileSync(box.state('home/.ssh/authorized_keys'), 'utf8')).toMatch(/ resurgo-director\n$/);
      fs.rmSync(box.file('var/broken'));
      box.waitFor('the dead-man’s next try', () => said() === 'before after', 15_000);
    }, 30_000);

    test('S2 a freeze that begins while the sweep still starts what the one before had stopped keeps its record and its dead-man', () => {
      cutPower(pause());
      const meta = '/var/lib/resurgo/deadman/portal/meta';
      fs.writeFileSync(box.file('run/on-start'), `sed -i 's/^token .*/token newer/' ${meta}\n`);
      expect(sweep()).toBe(0);
      expect(fs.readFileSync(box.state('deadman/portal/meta'), 'utf8')).toMatch(/^token newer$/m);
    });
  });
});
