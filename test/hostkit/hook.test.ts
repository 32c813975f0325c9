import type { ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import { Box, HOSTKIT, SHELLS, describeAsRoot, fence, request } from './support';
import type { Shell } from './support';

const RUN = 'run-00000001';
/** Says when it begins and ends, and leaves a process behind. */
const HOOK = `#!/bin/sh
echo "begin $1" >>/var/lib/said
sleep 300 >/dev/null 2>&1 &
sleep 2
echo "end $1" >>/var/lib/said
`;

describeAsRoot('hooks', () => {
  describe.each(SHELLS)('under %s', (shell: Shell) => {
    let box: Box;
    beforeEach(() => {
      box = new Box({
        shell,
        conf: ['before', 'after'].map((phase) => `hook portal ${phase} dump 20 /usr/local/lib/hook`),
      });
      fs.writeFileSync(box.file('lib/hook'), HOOK, { mode: 0o755 });
    });
    afterEach(() => {
      box.close();
    });
    const keys = (phase: string, attempt: number) =>
      fence({ run: RUN, step: `hook ${phase} dump`, attempt, phase, name: 'dump' });
    const said = () =>
      (fs.existsSync(box.file('var/said')) ? fs.readFileSync(box.file('var/said'), 'utf8') : '').split('\n');
    /** An attempt whose director does not wait for it. */
    const start = (attempt: number): ChildProcess => {
      const [command = 'dash', ...args] = shell.split(' ');
      const child = box.starts(command, [...args, HOSTKIT]);
      child.stdin?.end(request('hook', keys('before', attempt)));
      box.waitFor(`attempt ${attempt}`, () =>
        fs.readFileSync(box.state(`fence/portal/${RUN}`), 'utf8').includes(`${attempt} hook`),
      );
      return child;
    };
    const answer = async (child: ChildProcess): Promise<unknown> => {
      let text = '';
      for await (const chunk of child.stdout ?? []) text += String(chunk);
      return JSON.parse(text);
    };

    it('S3 a second attempt waits until the first, whose director was lost, has ended; so does the hook after', () => {
      fs.mkdirSync(box.state('fence/portal'), { recursive: true });
      fs.writeFileSync(box.state(`fence/portal/${RUN}`), '');
      start(1);
      box.waitFor('the first', () => said().includes('begin before'));
      expect(box.ask('hook', keys('before', 2))).toMatchObject({ ok: true, exit: 0 });
      expect(box.ask('hook', keys('after', 1))).toMatchObject({ ok: true, exit: 0 });
      const twice = ['begin before', 'end before', 'begin before', 'end before'];
      expect(said()).toEqual([...twice, 'begin after', 'end after', '']);
    });

    it('S3 what waited and has a successor by then does not run', async () => {
      fs.mkdirSync(box.state('fence/portal'), { recursive: true });
      fs.writeFileSync(box.state(`fence/portal/${RUN}`), '');
      start(1);
      box.waitFor('the first', () => said().includes('begin before'));
      const answers = [start(2), start(3)].map(answer);
      expect(await Promise.all(answers)).toMatchObject([{ code: 'fenced' }, { ok: true }]);
      expect(said().filter((line) => line === 'begin before')).toHaveLength(2);
    });

    describe('S7 an "after" tells whether what its "before" did had stood until then', () => {
      const quick = '#!/bin/sh\n[ ! -e /var/lib/broken ] || exit 3\n';
      const record = 'deadman/portal.hooks';
      const fired = (attempt: number): unknown => {
        const answer = box.ask('hook', keys('after', attempt));
        expect(answer).toMatchObject({ ok: true, exit: 0 });
        return answer['deadmanFired'];
      };
      beforeEach(() => {
        fs.writeFileSync(box.file('lib/hook'), quick, { mode: 0o755 });
        expect(box.ask('hook', keys('before', 1))).toMatchObject({ ok: true, deadmanFired: false });
      });

      it('and tells the same when it is repeated', () => {
        expect([fired(1), fired(2)]).toEqual([false, false]);
        box.ask('hook', keys('before', 2));
        fs.writeFileSync(box.state(`${record}/fired`), '');
        expect([fired(3), fired(4)]).toEqual([true, true]);
        // Another try begins anew.
        box.ask('hook', keys('before', 3));
        expect(fired(5)).toBe(false);
      });

      it('also when its program fails at first, and the dead-man acts while somebody mends it', () => {
        fs.writeFileSync(box.file('var/broken'), '');
        expect(box.ask('hook', keys('after', 1))).toMatchObject({ ok: false, code: 'failed', exit: 3 });
        fs.writeFileSync(box.state(`${record}/fired`), '');
        fs.rmSync(box.file('var/broken'));
        expect(fired(2)).toBe(false);
      });

      it('also when a sweep has undone it and removed the record', () => {
        const meta = box.state(`${record}/meta`);
        fs.writeFileSync(meta, fs.readFileSync(meta, 'utf8').replace(/^limit_ms .*$/m, 'limit_ms 0'));
        expect(box.ask('sweep', { group: 'portal', fix: 1 })).toMatchObject({
          mended: [{ kind: 'deadman', name: 'portal.hooks' }],
        });
        expect(fs.existsSync(box.state(record))).toBe(false);
        expect(fired(1)).toBe(true);
      });
    });

    it('says so when an earlier one does not end by its own time-out', () => {
      box.conf(['host app-1', 'hook portal before dump 1 /usr/local/lib/hook']);
      fs.mkdirSync(box.state('lock'), { recursive: true });
      box.starts('flock', ['/var/lib/resurgo/lock/hooks-portal', 'sleep', '60']);
      box.waitFor(
        'the lock',
        () => box.runs('flock', ['-n', '/var/lib/resurgo/lock/hooks-portal', 'true']).status !== 0,
      );
      expect(box.ask('hook', keys('before', 1))).toMatchObject({ code: 'busy' });
      expect(said()).toEqual(['']);
    });
  });
});
