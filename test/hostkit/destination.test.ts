import fs from 'node:fs';
import { Box, SHELLS, describeAsRoot } from './support';
import type { Shell } from './support';

describeAsRoot('the place of a restore', () => {
  describe.each(SHELLS)('under %s', (shell: Shell) => {
    let box: Box;
    beforeAll(() => {
      box = new Box({
        shell,
        conf: [
          'source portal data none /var/lib/srv/data app-1@+srv+data',
          'source portal top btrfs /var/lib/srv/top app-1@+srv+top',
          'source portal sub btrfs /var/lib/srv/top/sub app-1@+srv+top+sub',
          'restore-to /var/lib/srv/restore',
        ],
      });
    });
    afterAll(() => {
      box.close();
    });

    it('S20 mounts below it are protected, whatever their names hold', () => {
      const names = ['plain', 'a b/c', 'x[1]*', 'back\\slash', 'line\nfeed'];
      for (const name of names) {
        fs.mkdirSync(box.file(`var/srv/data/${name}`), { recursive: true });
        expect(box.runs('mount', ['-t', 'tmpfs', 'none', `/var/lib/srv/data/${name}`])).toMatchObject({ status: 0 });
      }
      const asked = box.ask('restore.check', { group: 'portal', run: 'run-00000001', source: 'data' });
      // As rsync reads them: a backslash escapes only where there is a wildcard.
      const wanted = ['/plain', '/a b/c', '/x\\[1]\\*', '/back\\slash', '/line?feed'];
      expect(asked).toMatchObject({ ok: true, protected: wanted });
    });

    it('S20 where it is the top level of a btrfs our snapshots are protected, also before there are any', () => {
      const disk = 'truncate -s 128M /var/lib/disk; mkfs.btrfs -q /var/lib/disk; mkdir -p /var/lib/srv/top';
      const made = box.runs('sh', [
        '-euc',
        `${disk}; mount -o loop /var/lib/disk /var/lib/srv/top; btrfs -q subvolume create /var/lib/srv/top/sub`,
      ]);
      expect(made).toMatchObject({ status: 0 });
      const asked = (source: string) => box.ask('restore.check', { group: 'portal', run: 'run-00000001', source });
      expect(asked('top')).toMatchObject({ ok: true, protected: ['/.resurgo'] });
      expect(asked('sub')).toMatchObject({ ok: true, protected: [] });
    });

    it('tells whether something lies in it already; a file on the way to it is no folder', () => {
      const tree = 'app-1@+srv+data';
      const into = (name: string) =>
        box.ask('restore.check', { group: 'portal', run: 'run-00000001', path: `/var/lib/srv/restore/${name}`, tree });
      fs.mkdirSync(box.file(`var/srv/restore/empty/${tree}`), { recursive: true });
      fs.mkdirSync(box.file(`var/srv/restore/full/${tree}`), { recursive: true });
      fs.writeFileSync(box.file(`var/srv/restore/full/${tree}/.hidden`), 'x');
      fs.writeFileSync(box.file('var/srv/restore/file'), 'x');
      expect(into('new')).toMatchObject({ ok: true, exists: false, holds: false });
      expect(into('empty')).toMatchObject({ ok: true, exists: true, holds: false });
      const destination = `/var/lib/srv/restore/full/${tree}`;
      expect(into('full')).toMatchObject({ ok: true, exists: true, holds: true, destination });
      const message = '/var/lib/srv/restore/file is no folder; name a folder, or move away what is there';
      expect(into('file')).toMatchObject({ ok: false, code: 'exists', message });
      expect(fs.readFileSync(box.file('var/srv/restore/file'), 'utf8')).toBe('x');
    });
  });
});
