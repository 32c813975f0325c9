/** A full disk, one that has become read-only, one that is still mounted: what must not be lost by them. */
import fs from 'node:fs';
import path from 'node:path';
import { Box, describeAsRoot, SHELLS } from './support';

const REMOVE = fs.readFileSync(path.join(__dirname, '../../hosts/enroll/remove.sh'), 'utf8');
const LIBS = ['base', 'types', 'config', 'freeze'].map((lib) => `. $RESURGO_LIB/lib/${lib}.sh`).join('\n');
const RECORD = '/var/lib/resurgo/deadman/portal';

describeAsRoot('trouble with disks', () => {
  describe.each(SHELLS)('under %s', (shell) => {
    let box: Box;
    const sh = (code: string): string => {
      const [command = 'dash', ...args] = shell.split(' ');
      const script = `set -u\nexport LC_ALL=C\nRESURGO_LIB=/usr/local/lib/resurgo\n${LIBS}\n${code}`;
      return box.runs(command, [...args, '-c', script]).stdout.trim();
    };
    beforeEach(() => {
      box = new Box({ shell });
      box.runs('mkdir', ['-p', RECORD, '/var/lib/resurgo/log']);
    });
    afterEach(() => {
      box.close();
    });

    test('a file that has no room keeps its old text, and the writer is told', () => {
      const full = 'mkdir /run/small && mount -t tmpfs -o size=8k none /run/small && cd /run/small && echo old >kept';
      const fill = 'head -c 8192 /dev/zero >filler 2>/dev/null';
      expect(sh(`${full}; ${fill}; set +e; atomic_put kept new; echo $?; cat kept; ls`)).toMatch(
        /1\nold\nfiller\nkept$/,
      );
      expect(sh(`cd /run/small; set +e; seq 1 9999 | atomic_write kept; echo $?; cat kept; ls`)).toMatch(
        /1\nold\nfiller\nkept$/,
      );
    });

    test('S2 a container that can not be written down is not paused', () => {
      const docker = `docker_run() { shift; case $1 in
        ps) echo "0123 Up 1 second" ;;
        inspect) echo "0123 $$ false image /late " ;;
        pause) echo paused >>/run/paused ;; esac; }
        containers_left_alone() { return 1; }; container_in_scope() { in_scope=yes; }; freezer_of() { freezer=/sys/x; }`;
      const room =
        'mkdir /run/rec && mount -t tmpfs -o size=8k none /run/rec && cd /run/rec && : >containers && : >left';
      const pause = `${room}; echo "1 2" >engine; head -c 8192 /dev/zero >filler 2>/dev/null
        ${docker}; set +e; problem=; containers_pause portal /run/rec; echo "status $? $problem"; cat /run/paused 2>/dev/null`;
      expect(sh(pause)).toMatch(
        /status 1 what is paused can't be written down in \/var\/lib\/resurgo: make room there$/,
      );
    });

    test('S2 the dead-man reverses also where it can write nothing', () => {
      box.runs('sh', ['-c', 'printf "#!/bin/sh\\necho ran \\$1 >>/run/hook\\n" >/run/dump && chmod 755 /run/dump']);
      box.conf(['host app-1', 'hook portal after dump 20 /run/dump']);
      sh(
        `record_new portal freeze portal r20990101t000000z-aaaaaa 1 200; echo dump >$rec/hooks; cp $rec/meta /run/meta`,
      );
      box.runs('sh', [
        '-c',
        'mount --bind /var/lib/resurgo /var/lib/resurgo && mount -o remount,ro,bind /var/lib/resurgo',
      ]);
      const token = /^token (.*)$/m.exec(fs.readFileSync(box.file('run/meta'), 'utf8'))?.[1] ?? '';
      const [command = 'dash', ...args] = shell.split(' ');
      const inBox = [...args, '/usr/local/lib/resurgo/deadman', 'portal', token];
      expect(box.runs(command, inBox).status).toBe(0);
      expect(fs.readFileSync(box.file('run/hook'), 'utf8')).toMatch(/^ran after/);
    });

    test('S2 a dead-man that is armed again after a reboot does not wait for the old boot’s clock', () => {
      sh(`record_new portal freeze portal r20990101t000000z-aaaaaa 1 200`);
      const meta = box.state('deadman/portal/meta');
      const old = fs.readFileSync(meta, 'utf8');
      fs.writeFileSync(meta, old.replace(/^boot .*$/m, 'boot 0000').replace(/^armed_up .*$/m, 'armed_up 99999999999'));
      const token = /^token (.*)$/m.exec(old)?.[1] ?? '';
      const [command = 'dash', ...args] = shell.split(' ');
      expect(box.runs(command, [...args, '/usr/local/lib/resurgo/deadman', 'portal', token]).status).toBe(0);
      box.waitFor('the mark', () => fs.existsSync(box.state('deadman/portal/fired')));
    });

    test('unenrolment never empties a file system that is still mounted below its folders', () => {
      fs.rmdirSync(box.state('deadman/portal'));
      fs.mkdirSync(box.file('precious'));
      fs.writeFileSync(box.file('precious/data'), 'all of it');
      const top = '/run/resurgo/btrfs/uuid';
      box.runs('sh', ['-c', `mkdir -p ${top} && mount --bind ${box.file('precious')} ${top}`]);
      const user = box.starts('sh', ['-c', `cd ${top} && echo in && exec sleep 60`]);
      box.waitFor('the user of the mount', () => fs.readlinkSync(`/proc/${user.pid}/cwd`).endsWith('uuid'));
      const busy = box.runs('sh', ['-s'], REMOVE);
      expect(busy.stderr).toMatch(/refused: this is still mounted and in use: \/run\/resurgo\/btrfs\/uuid/);
      expect(busy.status).toBe(3);
      user.kill('SIGKILL');
      box.waitFor('its end', () => !fs.existsSync(`/proc/${user.pid}/cwd`));
      const done = box.runs('sh', ['-s'], REMOVE);
      expect(done.stdout + done.stderr).toBe('removed\n');
      expect(fs.readFileSync(box.file('precious/data'), 'utf8')).toBe('all of it');
      expect([fs.existsSync(box.file('run/resurgo')), fs.existsSync(box.file('var/resurgo'))]).toEqual([false, false]);
    });

    test.each([
      ['r20261121t073145z-f26c39.0', 'safety', 'resurgo snapshots portal --drop r20261121t073145z-f26c39 drops'],
      ['r20261121t073145z-f26c39.-1', 'data', 'resurgo doctor --fix drops'],
    ])(
      'what unenrolment advises about snapshots that are left leads somewhere: %s with %s',
      (freeze, record, advice) => {
        fs.rmSync(box.state('deadman'), { recursive: true });
        const folder = box.state(`snapshots/portal/${freeze}`);
        fs.mkdirSync(folder, { recursive: true });
        fs.writeFileSync(path.join(folder, record), '1\n');
        const [command = 'dash', ...args] = shell.split(' ');
        const refused = box.runs(command, [...args, '-s'], REMOVE);
        expect(refused.stderr).toContain(advice);
        expect(refused.stderr).toContain('--force leaves them');
        expect(refused.status).toBe(3);
        expect(fs.existsSync(folder)).toBe(true);
      },
    );
  });
});
