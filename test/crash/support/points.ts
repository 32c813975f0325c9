/**
 * Points at which a test can hold a host, and a trace of what the hostkit did: only so can a worker be killed *in* a step that takes
 * some milliseconds, before it acted or after it acted and before its answer. The installed hostkit is the real one; each verb, each
 * answer and each job only passes a point on its way.
 *
 *   VERB             the request was checked and its fence recorded, nothing is done yet
 *   VERB.reply       done, and not yet answered
 *   freeze.PHASE     the same within a freeze: `armed`, `paused`, `snapshotted`, `thawed`
 *   job.KIND         a durable job begins; job.KIND.end it is done, and its exit is not yet written
 */
import type { Fleet } from '../../lab/support/fleet';
import { until } from '../../workers/fixtures/engine';

const FOLDER = '/var/lib/resurgo-lab';
const LIB = '/usr/local/lib/resurgo';

const POINTS = `
lab_point() {
  [ -d ${FOLDER} ] || return 0
  printf '%s|%s|%s\\n' "$1" "\${arg_run-}" "\${2-}" >>${FOLDER}/trace
  [ -e "${FOLDER}/hold.$1" ] || return 0
  : >"${FOLDER}/reached.$1"
  while [ -e "${FOLDER}/hold.$1" ]; do sleep 0.05; done
}
reply() {
  case \${1-} in
    '"phase":"'*) lab_phase=\${1#*:\\"}; lab_point "freeze.\${lab_phase%%\\"*}" ;;
    *) lab_point "$hostkit_verb.reply" "\${1-}" ;;
  esac
  hostkit_replied=yes
  printf '{"ok":true%s}\\n' "\${1:+,$1}"
}
`;

const INSTALL = `set -e
mkdir -p ${FOLDER}
cat >>${LIB}/lib/base.sh
sed -i 's/^fail() {$/&\\n  lab_point "fail.$hostkit_verb" "$1"/' ${LIB}/lib/base.sh
sed -i 's/^  verb_main$/  lab_point "$hostkit_verb"\\n&/' ${LIB}/hostkit
sed -i 's/^  job_main$/  lab_point "job.$arg_kind" "$job_name"\\n&\\n  lab_point "job.$arg_kind.end" "$job_name"/' ${LIB}/job-runner
for file in ${LIB}/lib/base.sh ${LIB}/hostkit ${LIB}/job-runner; do grep -q lab_point $file; done`;

/** One line of a host's trace. */
export interface Trace {
  point: string;
  run: string;
  /** The answer's members, a refusal's code, or the job's name. */
  detail: string;
}

/** Puts the points into the hostkit that was installed on these hosts. */
export async function installPoints(fleet: Fleet): Promise<void> {
  for (const { name } of fleet.hosts) await fleet.exec(name, INSTALL, { input: POINTS });
}

/** The points of a fleet. */
export class Points {
  constructor(private readonly fleet: Fleet) {}

  /** From now on whoever comes to this point on the host waits there. */
  async hold(host: string, point: string): Promise<void> {
    await this.fleet.exec(host, `rm -f ${FOLDER}/reached.${point}; : >${FOLDER}/hold.${point}`);
  }

  /** Waits until somebody waits there. */
  async reached(host: string, point: string, limitMs = 60_000): Promise<void> {
    const look = async (): Promise<boolean> =>
      (await this.fleet.exec(host, `test -e ${FOLDER}/reached.${point}`, { mayFail: true })).code === 0;
    await until(`${host} comes to ${point}`, look, limitMs);
  }

  /** Lets whoever waits at this point go on. */
  async pass(host: string, point: string): Promise<void> {
    await this.fleet.exec(host, `rm -f ${FOLDER}/hold.${point} ${FOLDER}/reached.${point}`);
  }

  /** Lets everybody go on, at one host. */
  async release(host: string): Promise<void> {
    await this.fleet.exec(host, `rm -f ${FOLDER}/hold.* ${FOLDER}/reached.*`);
  }

  /** What the host did for a run. */
  async trace(host: string, run: string): Promise<Trace[]> {
    const { stdout } = await this.fleet.exec(host, `grep -F '|${run}|' ${FOLDER}/trace || :`);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [point = '', traced = '', ...rest] = line.split('|');
        return { point, run: traced, detail: rest.join('|') };
      });
  }
}
