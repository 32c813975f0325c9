/**
 * What the record of a restore holds is read whatever the runbook says by then, and starts only when the last restore that needs it
 * stopped has ended. With a systemctl and a docker of the test's own, over the real hostkit.
 */
import fs from 'node:fs';
import { Box, describeAsRoot, fence, SHELLS } from './support';
import type { Reply } from './support';

/** A unit's state is a file, its restart by block or condition refused with exit 0, as systemd does. `once` lists oneshot units. */
const SYSTEMCTL = `#!/bin/sh
echo "systemctl $*" >>/run/log
verb=$1
shift
for unit; do
  case $unit in -* | *State | *Result | *ID | Type | *Monotonic) continue ;; esac
  state=/run/units/$unit
  case $verb in
    show)
      was=$(cat "$state" 2>/dev/null)
      [ "$was" != deactivating ] || echo inactive >"$state"
      echo "ActiveState=\${was:-inactive}"
      echo "Result=$(cat "$state.result" 2>/dev/null || echo success)"
      echo "ConditionResult=$(cat "$state.condition" 2>/dev/null || echo no)"
      if [ -e "$state.condition" ]; then echo ConditionTimestampMonotonic=77; else echo ConditionTimestampMonotonic=0; fi
      if grep -qsx "$unit" /run/once; then echo Type=oneshot; else echo Type=simple; fi
      ;;
    stop)
      echo inactive >"$state"
      [ "$unit" != docker.service ] || { kill "$(cat /run/docker.pid)" && rm -f /run/docker.pid && sed -i 's/^true /false /' /run/containers/*; } 2>/dev/null
      ;;
    start)
      [ ! -e "/etc/systemd/system/$unit.d/50-resurgo-restore.conf" ] && [ ! -e "$state.unmet" ] || {
        echo no >"$state.condition"
        continue
      }
      echo yes >"$state.condition"
      [ ! -e "$state.fails" ] || { echo failed >"$state"; echo exit-code >"$state.result"; exit 1; }
      ! grep -qsx "$unit" /run/once || {
        echo inactive >"$state"
        ! grep -qsx "$unit" /run/unloaded || rm "$state.condition"
        ! grep -qsx "$unit" /run/slow || echo deactivating >"$state"
        continue
      }
      echo active >"$state"
      [ "$unit" != docker.service ] || { setsid /run/dockerd 600 </dev/null >/dev/null 2>&1 & echo $! >/run/docker.pid; sed -i 's/^false always/true always/' /run/containers/*; }
      ;;
  esac
done
exit 0
`;
/** A container is a file: RUNNING POLICY NAME. Without its engine the client can nothing. */
const DOCKER = `#!/bin/sh
echo "docker $*" >>/run/log
[ -e /run/docker.pid ] || { echo 'Cannot connect to the Docker daemon' >&2; exit 1; }
cd /run/containers || exit 1
verb=$1
shift
case $verb in
  ps)
    for id in *; do
      read -r running policy name <"$id"
      case $running/$1 in true/* | */-aq) echo "$id" ;; esac
    done
    ;;
  *)
    for id; do
      case $id in --restart=*) wanted=\${id#--restart=} ;; esac
      [ -f "$id" ] || continue
      read -r running policy name <"$id"
      case $verb in
        stop) running=false ;;
        start) [ ! -e "../never-$id" ] || { echo 'no such image' >&2; exit 1; }; running=true ;;
        update) policy=$wanted ;;
        inspect)
          case $4 in
            *ExitCode*) echo "$running 0" ;;
            *Image*) echo "$id 99999999 $running false running false $policy:0 image /$name " ;;
            *Policy*) echo "$policy /$name" ;;
            x) echo x ;;
          esac
          ;;
      esac
      echo "$running $policy $name" >"$id"
    done
    ;;
esac
`;

describeAsRoot('the record of what a restore stopped', () => {
  describe.each(SHELLS)('under %s', (shell) => {
    let box: Box;
    const conf = (...lines: string[]): void => {
      box.conf(['host app-1', ...lines]);
    };
    const units = (group: string): string[] => [`workload ${group} units`, `unit ${group} stop db.service`];
    const engine = (group: string): string[] => [`workload ${group} engine`, `containers ${group} all`];
    const containers = (group: string): string[] => [`workload ${group} containers`, `containers ${group} all`];
    let attempt = 0;
    const ask = (verb: string, group = 'portal'): Reply =>
      box.ask(verb, fence({ group, run: `run-${group}-0001`, attempt: (attempt += 1) }));
    const state = (unit: string): string => fs.readFileSync(box.file(`run/units/${unit}`), 'utf8').trim();
    const container = (id: string): string => fs.readFileSync(box.file(`run/containers/${id}`), 'utf8').trim();
    const put = (name: string, text: string): void => {
      fs.writeFileSync(box.file(`run/${name}`), `${text}\n`);
    };
    const blocked = (): string[] => fs.readdirSync(box.file('etc/systemd/system')).sort();
    const records = (): string[] =>
      fs.readdirSync(box.state('workloads')).filter((name) => fs.existsSync(box.state(`workloads/${name}/run`)));

    beforeEach(() => {
      box = new Box({ shell });
      for (const dir of ['bin', 'run/units', 'run/containers', 'run/systemd/system'])
        fs.mkdirSync(box.file(dir), { recursive: true, mode: 0o755 });
      fs.writeFileSync(box.file('bin/systemctl'), SYSTEMCTL, { mode: 0o755 });
      fs.writeFileSync(box.file('bin/docker'), DOCKER, { mode: 0o755 });
      put('log', '');
      for (const unit of ['db.service', 'web.service', 'docker.service', 'docker.socket'])
        put(`units/${unit}`, 'active');
      put('containers/aaaa', 'true always web');
      put('containers/bbbb', 'true no worker');
      put('containers/cccc', 'false always spare');
      box.runs('cp', ['/bin/sleep', '/run/dockerd']);
      put('docker.pid', String(box.starts('/run/dockerd', ['600']).pid));
      // Other engines of this machine are in its /proc as well: only the one that the pid file names counts here.
      const client = box.file('lib/resurgo/workloads/docker.sh');
      const script = fs.readFileSync(client, 'utf8');
      expect(script).toContain('in /proc/[0-9]*; do');
      fs.writeFileSync(client, script.replace('in /proc/[0-9]*; do', 'in /run/no-process; do'));
      expect(box.runs('mount', ['--bind', box.file('bin'), '/usr/local/sbin']).status).toBe(0);
    });
    afterEach(() => {
      box.close();
    });

    describe('when the runbook names another family meanwhile', () => {
      test('S21 containers that were stopped start again after the engine', () => {
        conf(...containers('portal'));
        expect(ask('restore.stop')).toMatchObject({ ok: true });
        expect([container('aaaa'), container('bbbb')]).toEqual(['false no web', 'false no worker']);
        conf(...engine('portal'));
        expect(ask('restore.stop')).toMatchObject({ ok: true });
        expect(state('docker.service')).toBe('inactive');
        expect(ask('restore.start')).toMatchObject({ ok: true, failed: [] });
        expect([state('docker.service'), container('aaaa'), container('bbbb'), container('cccc')]).toEqual([
          'active',
          'true always web',
          'true no worker',
          'false always spare',
        ]);
        expect([records(), blocked()]).toEqual([[], []]);
      });

      test.each(['containers', 'units'])('S21 an engine that was stopped starts again under %s', (family) => {
        conf(...engine('portal'));
        expect(ask('restore.stop')).toMatchObject({ ok: true });
        conf(...(family === 'units' ? units : containers)('portal'));
        expect(ask('restore.stop')).toMatchObject({ ok: true });
        expect(state('docker.service')).toBe('inactive');
        expect(ask('restore.start')).toMatchObject({ ok: true, failed: [] });
        expect([state('docker.service'), container('aaaa'), container('bbbb'), state('db.service')]).toEqual([
          'active',
          'true always web',
          'true no worker',
          'active',
        ]);
        expect([records(), blocked()]).toEqual([[], []]);
      });

      test('S21 units that were stopped start again', () => {
        conf(...units('portal'));
        expect(ask('restore.stop')).toMatchObject({ ok: true });
        conf(...containers('portal'));
        expect(ask('restore.start')).toMatchObject({ ok: true, started: ['db.service'], failed: [] });
        expect([state('db.service'), records(), blocked()]).toEqual(['active', [], []]);
      });
    });

    describe('a oneshot unit', () => {
      beforeEach(() => {
        conf(...units('portal'));
        put('units/db.service', 'activating');
        put('once', 'db.service');
        expect(ask('restore.stop')).toMatchObject({ ok: true, stopped: [{ family: 'units', name: 'db.service' }] });
      });

      test('that ran at the stop and runs to its good end is started again', () => {
        expect(ask('restore.start')).toMatchObject({ ok: true, started: ['db.service'], failed: [] });
        expect([records(), blocked()]).toEqual([[], []]);
        expect(fs.readFileSync(box.file('run/log'), 'utf8').match(/start -- db.service/g)).toHaveLength(1);
      });

      test('that systemd has unloaded after its good end is started again', () => {
        put('unloaded', 'db.service');
        expect(ask('restore.start')).toMatchObject({ ok: true, started: ['db.service'], failed: [] });
      });

      test('that is still on its way down is waited for', () => {
        put('slow', 'db.service');
        expect(ask('restore.start')).toMatchObject({ ok: true, started: ['db.service'], failed: [] });
      });

      test('that fails is named', () => {
        put('units/db.service.fails', '');
        expect(ask('restore.start')).toMatchObject({
          ok: false,
          message: expect.stringContaining('db.service: it is failed') as string,
        });
        expect(records()).toEqual(['portal']);
      });

      test('that a condition keeps from starting is not taken for one that ran', () => {
        put('units/db.service.unmet', '');
        expect(ask('restore.start')).toMatchObject({
          ok: false,
          message: expect.stringContaining('db.service: it is inactive') as string,
        });
        expect(records()).toEqual(['portal']);
      });
    });
  });
});
