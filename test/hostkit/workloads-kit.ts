/**
 * A host for the tests of what restores stop and start: the real hostkit in a box, with a systemctl and a docker that keep their state in
 * files below /run.
 */
import fs from 'node:fs';
import { Box, fence } from './support';
import type { Reply, Shell } from './support';

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
      [ ! -e "$state.ends" ] || { echo inactive >"$state"; continue; }
      ! grep -qsx "$unit" /run/once || {
        echo inactive >"$state"
        ! grep -qsx "$unit" /run/unloaded || rm "$state.condition"
        ! grep -qsx "$unit" /run/slow || echo deactivating >"$state"
        continue
      }
      echo active >"$state"
      [ "$unit" != docker.service ] || { setsid /run/dockerd 600 </dev/null >/dev/null 2>&1 9>&- & echo $! >/run/docker.pid; sed -i 's/^false always/true always/' /run/containers/*; }
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

export const units = (group: string): string[] => [`workload ${group} units`, `unit ${group} stop db.service`];
export const engine = (group: string): string[] => [`workload ${group} engine`, `containers ${group} all`];
export const containers = (group: string): string[] => [`workload ${group} containers`, `containers ${group} all`];

/** Runs docker with three containers: `web`, `worker`, which has no restart policy, and `spare`, which is stopped; db and web are units. */
export class WorkloadHost {
  readonly box: Box;
  attempt = 0;

  constructor(shell: Shell) {
    const box = new Box({ shell });
    this.box = box;
    for (const dir of ['bin', 'run/units', 'run/containers', 'run/systemd/system', 'etc/systemd/system'])
      fs.mkdirSync(box.file(dir), { recursive: true, mode: 0o755 });
    fs.writeFileSync(box.file('bin/systemctl'), SYSTEMCTL, { mode: 0o755 });
    fs.writeFileSync(box.file('bin/docker'), DOCKER, { mode: 0o755 });
    this.put('log', '');
    for (const unit of ['db.service', 'web.service', 'docker.service', 'docker.socket'])
      this.put(`units/${unit}`, 'active');
    this.put('containers/aaaa', 'true always web');
    this.put('containers/bbbb', 'true no worker');
    this.put('containers/cccc', 'false always spare');
    box.runs('cp', ['/bin/sleep', '/run/dockerd']);
    this.put('docker.pid', String(box.starts('/run/dockerd', ['600']).pid));
    // Other engines of this machine are in its /proc as well: only the one that the pid file names counts here.
    const client = box.file('lib/resurgo/workloads/docker.sh');
    const script = fs.readFileSync(client, 'utf8');
    expect(script).toContain('in /proc/[0-9]*; do');
    fs.writeFileSync(client, script.replace('in /proc/[0-9]*; do', 'in /run/no-process; do'));
    expect(box.runs('mount', ['--bind', box.file('bin'), '/usr/local/sbin']).status).toBe(0);
  }

  conf(...lines: string[]): void {
    this.box.conf(['host app-1', ...lines]);
  }

  /** Writes what the fakes read. */
  put(name: string, text: string): void {
    fs.writeFileSync(this.box.file(`run/${name}`), `${text}\n`);
  }

  /** A fenced request of a further attempt. */
  ask(verb: string, group = 'portal'): Reply {
    this.attempt += 1;
    return this.box.ask(verb, fence({ group, run: `run-${group}-0001`, attempt: this.attempt }));
  }

  state(unit: string): string {
    return fs.readFileSync(this.box.file(`run/units/${unit}`), 'utf8').trim();
  }

  container(id: string): string {
    return fs.readFileSync(this.box.file(`run/containers/${id}`), 'utf8').trim();
  }

  /** The units that have a start block. */
  blocked(): string[] {
    return fs.readdirSync(this.box.file('etc/systemd/system')).sort();
  }

  /** The records that stand. */
  records(): string[] {
    const names = fs.readdirSync(this.box.state('workloads')).sort();
    return names.filter((name) => fs.existsSync(this.box.state(`workloads/${name}/run`)));
  }
}
