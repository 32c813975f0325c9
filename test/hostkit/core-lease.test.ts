import fs from 'node:fs';
import net from 'node:net';
import { writeRequest } from '../../hosts/write-request';
import { Box, HOSTKIT, SHELLS, UNIQUE, describeAsRoot, fence, request } from './support';
import type { Shell } from './support';

const A = { group: 'portal', run: 'run-0000000a', owner: 'director-1/a' };
const B = { group: 'portal', run: 'run-0000000b', owner: 'director-2/b' };
const OLD = `${UNIQUE}.old`;
const MINE = `${UNIQUE}.mine`;
const KIND = `#!/bin/sh
# keys:
job_main() { sleep 600; }
`;

describeAsRoot('leases and the fence', () => {
  describe.each(SHELLS)('under %s', (shell: Shell) => {
    let box: Box;
    beforeEach(() => {
      box = new Box({ shell, conf: ['store vault hardlink /srv/vault none 5', 'accept vault portal app-1@+srv'] });
      fs.writeFileSync(box.file('lib/resurgo/jobs/test.sh'), KIND);
    });
    afterEach(() => {
      box.close();
    });
    /** As the director writes it. */
    const written = (step: string, attempt: number) => {
      const args = { ...fence({ term: 5, step, attempt }), targetRun: 'run-unheard' };
      const sent = writeRequest({ host: { name: 'app-1', address: '' }, verb: 'job.forget', args });
      return JSON.parse(box.raw(sent).stdout) as object;
    };
    const forget = (keys: Record<string, string | number>) =>
      box.ask('job.forget', { target_run: 'run-unheard', ...keys });

    it('S4 the second is told who holds it; the same run keeps its term; a lease given back is free', () => {
      expect(box.ask('lease.take', { ...A, store: 'vault', term: 0, ttl: 60 })).toMatchObject({ ok: true, term: 1 });
      const refused = box.ask('lease.take', { ...B, store: 'vault', term: 0, ttl: 60 });
      expect(refused).toMatchObject({ ok: false, code: 'lease-held', holder: { run: A.run, owner: A.owner } });
      expect(box.ask('lease.take', { ...A, store: 'vault', term: 0, ttl: 60 })).toMatchObject({ term: 1 });
      expect(box.ask('lease.release', { ...A, store: 'vault', term: 1 })).toMatchObject({ ok: true, released: true });
      expect(box.ask('lease.take', { ...B, store: 'vault', term: 0, ttl: 60 })).toMatchObject({ term: 2 });
      expect(box.ask('lease.renew', { ...A, term: 1, ttl: 60 })).toMatchObject({ ok: false, code: 'fenced' });
      expect(box.ask('lease.release', { ...A, term: 1 })).toMatchObject({ ok: true, released: false });
      expect(box.ask('lease.renew', { ...B, term: 2, ttl: 60 })).toMatchObject({ ok: true, term: 2 });
    });

    it('S4 a store that counts anew gives a higher term to who holds it; a group that is held here stays so', () => {
      const store = { ...A, store: 'vault', term: 0, ttl: 60 };
      expect(box.ask('lease.take', store)).toMatchObject({ term: 1 });
      expect(box.ask('lease.take', { ...store, least: 58 })).toMatchObject({ ok: true, term: 58 });
      expect(box.ask('lease.take', store)).toMatchObject({ term: 58 });
      expect(box.ask('lease.take', { ...store, ...B, least: 90 })).toMatchObject({ ok: false, code: 'lease-held' });
      // As a host that has seen 58: while that run holds the group here nothing lets another one past.
      const given = { ...B, term: 2, ttl: 60 };
      const held = box.ask('lease.take', given);
      expect(held).toMatchObject({ ok: false, code: 'fenced' });
      expect(held).not.toHaveProperty('seen');
      box.ask('lease.release', { ...A, term: 58 });
      expect(box.ask('lease.take', given)).toMatchObject({ ok: false, code: 'fenced', seen: 58 });
      expect(box.ask('lease.take', { ...given, term: 59 })).toMatchObject({ ok: true, term: 59 });
    });

    it('S4 two at once: one gets it', async () => {
      const take = (who: typeof A): [string, Record<string, string | number>] => [
        'lease.take',
        { ...who, term: 0, ttl: 60 },
      ];
      const replies = await box.askAll([
        take(A),
        take(B),
        take({ ...A, run: 'run-0000000c' }),
        take({ ...A, run: 'run-0000000d' }),
      ]);
      expect(replies.filter(({ ok }) => ok)).toHaveLength(1);
    });

    it('S4 a dead holder is taken over by a higher term, and its jobs are ended first', () => {
      expect(box.ask('lease.take', { ...A, term: 0, ttl: 1 })).toMatchObject({ term: 1 });
      box.ask('job.start', { ...fence({ run: A.run }), job: OLD, kind: 'test' });
      expect(box.ask('job.poll', { job: OLD })).toMatchObject({ state: 'running' });
      let taken = box.ask('lease.take', { ...B, term: 0, ttl: 60 });
      box.waitFor('the lease to run out', () => (taken = box.ask('lease.take', { ...B, term: 0, ttl: 60 })).ok);
      expect(taken).toMatchObject({ term: 2 });
      expect(box.ask('job.poll', { job: OLD })).toMatchObject({ state: 'exited', exit: 143 });
      expect(forget(fence({ run: A.run }))).toMatchObject({ code: 'fenced' });
    });

    it('S4 a store that takes nothing of the group has no lease to give', () => {
      const asked = box.ask('lease.take', { ...A, group: 'other', store: 'vault', term: 0, ttl: 60 });
      expect(asked).toMatchObject({ ok: false, code: 'not-allowed' });
    });

    it('S3 tells the attempts of a step apart from those of others, whatever file it names', () => {
      const long = `restore app-1:${'Räksmörgås/'.repeat(200)}`;
      for (const step of ['check app-1:/var/Rück', 'check app-1:/var/R%C3%BCck', `${long}a`, `${long}b`]) {
        expect(written(step, 2)).toMatchObject({ ok: true });
        expect(written(step, 1)).toMatchObject({ code: 'fenced' });
        expect(written(step, 2)).toMatchObject({ ok: true });
      }
      expect(written(`${long}c`, 1)).toMatchObject({ ok: true });
    });

    it('S3 refuses a lower term, another run under the same term, and a lower attempt of the step; records the higher', () => {
      expect(forget(fence({ term: 5, step: 's', attempt: 2 }))).toMatchObject({ ok: true });
      expect(forget(fence({ term: 4, step: 's', attempt: 9 }))).toMatchObject({ code: 'fenced' });
      expect(forget(fence({ term: 5, run: 'run-00000002' }))).toMatchObject({ code: 'fenced' });
      expect(forget(fence({ term: 5, step: 's', attempt: 1 }))).toMatchObject({ code: 'fenced' });
      expect(forget(fence({ term: 5, step: 's', attempt: 2 }))).toMatchObject({ ok: true });
      expect(forget(fence({ term: 5, step: 'copy app:data', attempt: 1 }))).toMatchObject({ ok: true });
      expect(forget(fence({ term: 5, step: 's', attempt: 10 }))).toMatchObject({ ok: true });
      expect(forget(fence({ term: 5, step: 's', attempt: 9 }))).toMatchObject({ code: 'fenced' });
      expect(forget(fence({ term: 6, run: 'run-00000002' }))).toMatchObject({ ok: true });
      expect(forget(fence({ term: 5, step: 's', attempt: 11 }))).toMatchObject({ code: 'fenced' });
      expect(forget(fence({ group: 'other', term: 1 }))).toMatchObject({ ok: true });
    });

    it('S3 a group keeps the fence of its newest run alone, and a run that is over still can not come back', () => {
      for (const term of [1, 2, 3])
        expect(forget(fence({ term, run: `run-0000000${term}`, step: 's', attempt: 7 }))).toMatchObject({ ok: true });
      expect(fs.readdirSync(box.state('fence/portal')).sort()).toEqual(['run-00000003', 'term']);
      expect(forget(fence({ term: 1, run: 'run-00000001', step: 's', attempt: 9 }))).toMatchObject({ code: 'fenced' });
      expect(forget(fence({ term: 3, run: 'run-00000003', step: 's', attempt: 6 }))).toMatchObject({ code: 'fenced' });
    });

    it('S3 a fence that can not be read lets nothing through', () => {
      expect(forget(fence({ term: 5 }))).toMatchObject({ ok: true });
      fs.writeFileSync(box.state('fence/portal/term'), '');
      expect(forget(fence({ term: 9 }))).toMatchObject({ ok: false, code: 'internal' });
    });

    it('S8 the sweep ends what a dead run left, and leaves a living one alone', () => {
      box.ask('lease.take', { ...A, term: 0, ttl: 60 });
      box.ask('job.start', { ...fence({ run: A.run }), job: MINE, kind: 'test' });
      expect(box.ask('status', { group: 'portal' })).toMatchObject({
        leases: [{ run: A.run, term: 1, live: true }],
        jobs: [{ name: MINE, run: A.run, state: 'running' }],
      });
      expect(box.ask('sweep', { group: 'portal', fix: 1 })).toMatchObject({ found: [], mended: [] });
      box.ask('lease.release', { ...A, term: 1 });
      const left = [{ kind: 'job', name: MINE }];
      expect(box.ask('sweep', { group: 'portal', fix: 0 })).toMatchObject({ found: left, mended: [] });
      expect(box.ask('job.poll', { job: MINE })).toMatchObject({ state: 'running' });
      expect(box.ask('sweep', { group: 'portal', fix: 1 })).toMatchObject({ found: left, mended: left });
      expect(box.ask('job.poll', { job: MINE })).toMatchObject({ state: 'unknown' });
      expect(box.ask('sweep', { group: 'portal', fix: 1 })).toMatchObject({ found: [] });
    });

    it('S8 a run that lives for days is no dead one, as long as its lease on this host is prolonged', () => {
      box.ask('lease.take', { ...A, term: 1, ttl: 60 });
      box.ask('job.start', { ...fence({ run: A.run }), job: MINE, kind: 'test' });
      // As it stands 25 hours after the run came here: run out by both clocks.
      const [term, run, owner, ttl, , boot] = fs.readFileSync(box.state('leases/portal'), 'utf8').trim().split(' ');
      const past = [term, run, owner, ttl, 1, boot, Date.now() - 25 * 3_600_000].join(' ');
      fs.writeFileSync(box.state('leases/portal'), `${past}\n`);
      expect(box.ask('sweep', { group: 'portal', fix: 0 }).found).toHaveLength(1);
      expect(box.ask('lease.renew', { ...A, term: 1, ttl: 60 })).toMatchObject({ ok: true });
      expect(box.ask('sweep', { group: 'portal', fix: 1 })).toMatchObject({ found: [] });
      expect(box.ask('job.poll', { job: MINE })).toMatchObject({ state: 'running' });
    });

    it('S8 a run that begins while a sweep waits for what a dead one has left is no dead one', async () => {
      const stubborn = KIND.replace(
        'sleep 600;',
        "trap ': >/run/asked' TERM; : >/run/deaf; while :; do sleep 1; done;",
      );
      fs.writeFileSync(box.file('lib/resurgo/jobs/test.sh'), stubborn);
      box.ask('lease.take', { ...A, term: 0, ttl: 60 });
      box.ask('job.start', { ...fence({ run: A.run }), job: OLD, kind: 'test' });
      box.waitFor('that the old job hears nothing', () => fs.existsSync(box.file('run/deaf')));
      box.ask('lease.release', { ...A, term: 1 });
      const swept = box.askAll([['sweep', { group: 'portal', fix: 1 }]]);
      // From here on it waits for three seconds before it insists.
      box.waitFor('that the old job is asked to end', () => fs.existsSync(box.file('run/asked')));
      box.ask('lease.take', { ...B, term: 0, ttl: 60 });
      fs.mkdirSync(box.state(`runs/${B.run}`), { recursive: true });
      fs.writeFileSync(box.state(`runs/${B.run}/group`), 'portal\n');
      const job = { kind: 'job', name: OLD };
      expect(await swept).toMatchObject([{ ok: true, found: [job], mended: [job] }]);
      expect(fs.existsSync(box.state(`runs/${B.run}`))).toBe(true);
    });

    it('S4 a job of a run whose lease is taken between the look at its fence and the start does not run', () => {
      fs.writeFileSync(box.file('run/taking'), request('lease.take', { ...B, term: 9, ttl: 60 }));
      // The verb's parts are read once the fence has been checked.
      fs.appendFileSync(
        box.file('lib/resurgo/lib/jobs.sh'),
        `[ "$hostkit_verb" != job.start ] || ${HOSTKIT} </run/taking >/dev/null\n`,
      );
      const started = box.ask('job.start', { ...fence({ run: A.run }), job: MINE, kind: 'test' });
      expect(started).toMatchObject({ ok: false, code: 'fenced' });
      expect(box.ask('job.poll', { job: MINE }).state).not.toBe('running');
    });

    it('a job that another request forgets at this moment is none, and hinders no lease', async () => {
      fs.mkdirSync(box.state(`jobs/${OLD}`), { recursive: true });
      // As it looks to who has just seen that it is there: what can be looked at, and not opened.
      const socket = net.createServer();
      await new Promise<void>((resolve) => socket.listen(box.state(`jobs/${OLD}/pid`), resolve));
      const taken = box.ask('lease.take', { ...A, term: 0, ttl: 60 });
      socket.close();
      expect(taken).toMatchObject({ ok: true });
    });

    it("S8 S21 a run whose restore is not done or undone is swept on nobody's word", () => {
      box.ask('lease.take', { ...A, term: 0, ttl: 60 });
      box.ask('job.start', { ...fence({ run: A.run }), job: MINE, kind: 'test' });
      box.ask('lease.release', { ...A, term: 1 });
      fs.mkdirSync(box.state('workloads/portal'), { recursive: true });
      fs.writeFileSync(box.state('workloads/portal/run'), `${A.run}\n`);
      expect(box.ask('sweep', { group: 'portal', fix: 1, target_run: A.run })).toMatchObject({ found: [] });
      expect(box.ask('job.poll', { job: MINE })).toMatchObject({ state: 'running' });
      fs.rmSync(box.state('workloads/portal'), { recursive: true });
      expect(box.ask('sweep', { group: 'portal', fix: 1, target_run: A.run }).found).toHaveLength(1);
    });
  });
});
