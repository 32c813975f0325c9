/** What watches LVM's snapshots, with stubs in the place of LVM's programs. Under dash and busybox's ash. */
import { Box, describeAsRoot, SHELLS, UNIQUE } from './support';

const GUARD = '/usr/local/lib/resurgo/snapshot-guard';
const RUN = `run-${UNIQUE}`;
/** Jest’s own is `any`. */
const containing = (text: string): unknown => expect.stringContaining(text);
const ours = (percent: string, pool = '') =>
  `  vg0|resurgo_0123456789abcdef|104857600|${pool}|${percent}|resurgo,resurgo/portal/${RUN}/1/root\n`;

describeAsRoot('the guard of LVM snapshots', () => {
  describe.each(SHELLS)('in %s', (shell) => {
    let box: Box;
    beforeAll(() => {
      box = new Box({ shell });
      box.runs('mount', ['-t', 'tmpfs', 'none', '/usr/local/sbin']);
      // Its answers in their order: `EXIT` and below it what it prints. The last one is given ever after.
      program(
        'lvs',
        'case $* in *metadata_percent*) cat /run/pool; exit ;; esac\nat=$(cat /run/at); [ ! -e /run/answer.$((at + 1)) ] || echo $((at + 1)) >/run/at\nsed 1d /run/answer.$at; exit "$(sed -n 1p /run/answer.$at)"',
      );
      program('vgs', 'echo "  1073741824"');
      for (const name of ['lvextend', 'lvremove']) program(name, `echo "${name} $*" >>/run/done`);
    });
    afterAll(() => {
      box.close();
    });

    const program = (name: string, script: string) => {
      box.runs(
        'sh',
        ['-c', `cat >/usr/local/sbin/${name}; chmod 0755 /usr/local/sbin/${name}`],
        `#!/bin/sh\n${script}\n`,
      );
    };
    /** What the guard did of what `lvs` answered, and how it ended. */
    const watched = (answers: { exit: number; out: string }[], pool = '') => {
      box.runs('sh', ['-c', 'rm -f /run/answer.* /run/done; echo 1 >/run/at; cat >/run/pool'], pool);
      answers.forEach(({ exit, out }, at) => box.runs('sh', ['-c', `cat >/run/answer.${at + 1}`], `${exit}\n${out}`));
      const [command = 'dash', ...words] = shell.split(' ');
      const { status } = box.runs('timeout', ['20', command, ...words, GUARD, 'portal', RUN, '1']);
      return {
        status,
        asked: Number(box.runs('cat', ['/run/at']).stdout),
        done: box.runs('cat', ['/run/done']).stdout,
        left: box.runs('ls', ['/run/resurgo/lvm']).stdout,
      };
    };

    it('goes on where LVM did not answer, makes a snapshot larger that fills, and ends when ours are gone', () => {
      const answers = [
        { exit: 0, out: ours('1.00') },
        { exit: 5, out: '' },
        { exit: 0, out: ours('80.10') },
        { exit: 0, out: '' },
      ];
      expect(watched(answers)).toEqual({
        ...{ status: 0, asked: 4, left: '' },
        done: 'lvextend --quiet --size +104857600b vg0/resurgo_0123456789abcdef\n',
      });
    });

    it('acts on what was told of our group where another one could not be read', () => {
      const answers = [
        { exit: 5, out: ours('70.00') },
        { exit: 0, out: '  vg0|other|104857600|||resurgo,resurgo/portal/run-00000000/1/root\n' },
      ];
      expect(watched(answers)).toMatchObject({ status: 0, asked: 2, done: containing('lvextend') });
    });

    it('removes a thin snapshot before its pool is full, also after LVM did not answer', () => {
      const answers = [
        { exit: 5, out: '' },
        { exit: 0, out: ours('', 'pool') },
        { exit: 0, out: '' },
      ];
      expect(watched(answers, '  95.20|10.00\n').done).toBe('lvremove --yes --quiet vg0/resurgo_0123456789abcdef\n');
      expect(box.runs('cat', [`/var/lib/resurgo/snapshots/.removed/resurgo_0123456789abcdef`]).stdout).toContain(
        'the data of thin pool vg0/pool was 95 % full',
      );
      expect(watched(answers, '  94.90|89.99\n').done).toBe('');
    });

    it.each([
      ['an active classic one', '  swi-a-s---||', 'whole'],
      ['an overflowed one', '  swi-I-s---|snapshot invalid|', 'overflowed'],
      ['an overflowed one that is told by its letters alone', '  swi-I-s---||', 'overflowed'],
      ['an active thin one', '  Vwi-aotz--||', 'whole'],
      ['a thin one that failed', '  Vwi-aotzF-||failed', 'overflowed'],
      ['one whose pool is out of data', '  Vwi-aotzD-||', 'overflowed'],
    ])('of %s a backup knows what it holds', (_name, told, state) => {
      program('lvs', `echo "${told}"`);
      const [command = 'dash', ...words] = shell.split(' ');
      const script = `RESURGO_LIB=/usr/local/lib/resurgo; . $RESURGO_LIB/lib/base.sh; . $RESURGO_LIB/lib/snapshots.sh; . $RESURGO_LIB/lib/lvm.sh
        if lvm_whole vg0/resurgo_0123456789abcdef; then echo whole; else echo "$snap_problem"; fi`;
      expect(box.runs(command, [...words, '-c', script]).stdout).toContain(state);
    });
  });
});
