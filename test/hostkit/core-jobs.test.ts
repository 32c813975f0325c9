import fs from 'node:fs';
import { Box, SHELLS, UNIQUE, describeAsRoot, fence } from './support';
import type { Reply, Shell } from './support';

/** A job that counts its starts, leaves a tree of processes, and ends as its keys say. */
const KIND = `#!/bin/sh
# keys: ms:int=0 code:int=0 tree:bool=0 deaf:bool=0
job_main() {
  echo x >>"$RESURGO_VAR/starts.$arg_job"
  echo "working in $PWD"
  job_progress '"step":"work","bytes":7'
  if [ "$arg_tree" = 1 ]; then
    sleep 321 &
    setsid sh -c 'sleep 322 & sleep 323' &
    [ "$arg_deaf" = 0 ] || (trap '' TERM; sleep 324; sleep 325) &
  fi
  sleep "$((arg_ms / 1000)).$((arg_ms % 1000 / 100))"
  case $arg_code in
    0) job_result "\\"answer\\":42" ;;
    1) job_fail no-space 'make "room"' ;;
    *) exit "$arg_code" ;;
  esac
}
`;

describeAsRoot('durable jobs', () => {
  describe.each(SHELLS)('under %s', (shell: Shell) => {
    let box: Box;
    let count = 0;
    beforeAll(() => {
      box = new Box({ shell });
      fs.writeFileSync(box.file('lib/resurgo/jobs/test.sh'), KIND);
    });
    afterAll(() => {
      box.close();
    });

    const name = () => `${UNIQUE}.job.${++count}`;
    const start = (job: string, keys: Record<string, string | number> = {}) =>
      box.ask('job.start', { ...fence({ step: job }), job, kind: 'test', ...keys });
    const poll = (job: string) => box.ask('job.poll', { job });
    const starts = (job: string) => fs.readFileSync(box.state(`starts.${job}`), 'utf8').length / 2;
    const settled = (job: string): Reply => {
      let last = poll(job);
      box.waitFor(`the end of ${job}`, () => (last = poll(job)).state !== 'running');
      return last;
    };
    const runner = (job: string) => Number(fs.readFileSync(box.state(`jobs/${job}/pid`), 'utf8').split(' ')[0]);
    const alive = (job: string) => marked(job).length;

    it('a start that waits tells how the job is, and one for another boot does nothing', () => {
      const boot = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
      const [short, long, never] = [name(), name(), name()];
      const ended = { attached: false, state: 'exited', exit: 0, result: { answer: 42 }, tail: '' };
      expect(start(short, { ms: 300, wait_ms: 10_000, boot })).toMatchObject({ ok: true, job: short, ...ended });
      expect(start(short, { wait_ms: 1, boot })).toMatchObject({ ...ended, attached: true });
      expect(starts(short)).toBe(1);
      expect(start(long, { ms: 3_000, wait_ms: 100 })).toMatchObject({ ok: true, state: 'running' });
      expect(start(name(), { code: 1, wait_ms: 10_000 })).toMatchObject({
        state: 'exited',
        exit: 1,
        result: { code: 'no-space' },
      });
      expect(start(never, { boot: boot.replace(/.$/, (last) => (last === '0' ? '1' : '0')) })).toMatchObject({
        ok: false,
        code: 'rebooted',
      });
      expect(poll(never)).toMatchObject({ state: 'unknown' });
    });

    it('runs once, and a retry attaches', () => {
      const job = name();
      expect(start(job, { ms: 3_000 })).toMatchObject({ ok: true, attached: false });
      expect(start(job, { ms: 3_000, attempt: 2 })).toMatchObject({ ok: true, attached: true });
      expect(poll(job)).toMatchObject({ state: 'running', progress: { step: 'work', bytes: 7 } });
      const ended = settled(job);
      expect(ended).toMatchObject({ state: 'exited', exit: 0, result: { answer: 42 }, tail: '' });
      expect(ended.endedMs).toBeGreaterThanOrEqual(Number(ended.startedMs));
      expect(start(job, { attempt: 3 })).toMatchObject({ attached: true });
      expect(starts(job)).toBe(1);
    });

    it('ten starts at once make one job', async () => {
      const job = name();
      const one: [string, Record<string, string | number>] = ['job.start', { ...fence(), job, kind: 'test', ms: 200 }];
      const replies = await box.askAll(Array.from({ length: 10 }, () => one));
      expect(replies.map(({ attached }) => attached).filter((attached) => attached === false)).toHaveLength(1);
      settled(job);
      expect(starts(job)).toBe(1);
    });

    it('says why it failed, and only a later attempt starts it again', () => {
      const job = name();
      start(job, { code: 1 });
      expect(settled(job)).toMatchObject({ exit: 1, result: { code: 'no-space', message: 'make "room"' } });
      expect(String(poll(job).tail)).toContain(`working in /var/lib/resurgo/jobs/${job}`);
      expect(start(job, { code: 0 })).toMatchObject({ attached: true });
      expect(start(job, { code: 0, attempt: 2 })).toMatchObject({ attached: false });
      expect(settled(job)).toMatchObject({ exit: 0, result: { answer: 42 } });
      expect(starts(job)).toBe(2);
    });

    it('a runner that was killed has died, and any retry starts it again once its children are gone', () => {
      const job = name();
      start(job, { ms: 60_000, tree: 1 });
      box.waitFor('its processes', () => alive(job) > 4);
      process.kill(runner(job), 'SIGKILL');
      box.waitFor('its death', () => poll(job).state === 'died');
      expect(start(job, { ms: 0 })).toMatchObject({ ok: true, attached: false });
      expect(settled(job)).toMatchObject({ state: 'exited', exit: 0 });
      expect(alive(job)).toBe(0);
    });

    it('a boot that is over has ended it', () => {
      const job = name();
      start(job);
      settled(job);
      fs.rmSync(box.state(`jobs/${job}/exit`));
      fs.writeFileSync(box.state(`jobs/${job}/pid`), `1 1 00000000-0000-0000-0000-000000000000\n`);
      expect(poll(job)).toMatchObject({ state: 'died' });
    });

    it('a start that was cut off between its folder and its process is repaired by the next', () => {
      const job = name();
      fs.mkdirSync(box.state(`jobs/${job}`), { recursive: true });
      expect(poll(job)).toMatchObject({ state: 'died' });
      expect(start(job)).toMatchObject({ attached: false });
      expect(settled(job)).toMatchObject({ exit: 0 });
    });

    it('stop ends the whole tree, also what left its session or ignores TERM', () => {
      const job = name();
      start(job, { ms: 60_000, tree: 1, deaf: 1 });
      box.waitFor('its processes', () => alive(job) > 5);
      expect(box.ask('job.stop', { ...fence(), job })).toMatchObject({ ok: true, state: 'exited' });
      expect(alive(job)).toBe(0);
      expect(poll(job)).toMatchObject({ state: 'exited', exit: 143 });
    });

    it('S3 an attempt that is superseded neither starts nor stops', () => {
      const job = name();
      start(job, { ms: 60_000, attempt: 5 });
      expect(start(job, { attempt: 4 })).toMatchObject({ ok: false, code: 'fenced' });
      expect(box.ask('job.stop', { ...fence({ step: job, attempt: 4 }), job })).toMatchObject({ code: 'fenced' });
      expect(poll(job)).toMatchObject({ state: 'running' });
      expect(box.ask('job.forget', { ...fence({ step: job, attempt: 5 }), target_run: 'run-00000001' })).toMatchObject({
        ok: true,
      });
      expect(poll(job)).toMatchObject({ state: 'unknown' });
      expect(alive(job)).toBe(0);
      expect(fs.readdirSync(box.state('lock'))).not.toContain(`job-${job}`);
    });

    it('a lock that is forgotten while others wait for it lets one in at a time', () => {
      const script = `RESURGO_LIB=/usr/local/lib/resurgo; . $RESURGO_LIB/lib/base.sh
        echo 0 >$RESURGO_VAR/count
        adds() {
          for turn in 1 2 3 4 5 6 7 8; do
            with_lock counted; read -r count <$RESURGO_VAR/count; sleep 0.02; echo $((count + 1)) >$RESURGO_VAR/count; lock_forget counted
          done
        }
        adds & adds & adds & adds & adds & wait; cat $RESURGO_VAR/count; ls $RESURGO_VAR/lock`;
      const [command = 'dash', ...args] = shell.split(' ');
      const { stdout } = box.runs(command, [...args, '-c', script]);
      expect(stdout).toMatch(/^40\n/);
      expect(stdout).not.toContain('counted');
    });

    it("another run's job of that name is not attached", () => {
      const job = name();
      start(job);
      const other = box.ask('job.start', { ...fence({ run: 'run-00000002', term: 2 }), job, kind: 'test' });
      expect(other).toMatchObject({ ok: false, code: 'exists' });
    });
  });
});

/** The processes that carry this job's mark. */
function marked(job: string): string[] {
  return fs.readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return environment(pid).includes(`RESURGO_JOB=${job}\0`);
    } catch {
      return false;
    }
  });
}

function environment(pid: string): string {
  return fs.readFileSync(`/proc/${pid}/environ`, 'latin1');
}
