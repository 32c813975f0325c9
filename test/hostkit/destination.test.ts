import fs from 'node:fs';
import { Box, SHELLS, describeAsRoot } from './support';
import type { Shell } from './support';

describeAsRoot('the place of a restore', () => {
  describe.each(SHELLS)('under %s', (shell: Shell) => {
    let box: Box;
    beforeAll(() => {
      box = new Box({ shell, conf: ['source portal data none /var/lib/srv/data app-1@+srv+data'] });
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
      const wanted = ['/plain', '/a b/c', '/x\\[1\\]\\*', '/back\\\\slash', '/line?feed'];
      expect(asked).toMatchObject({ ok: true, protected: wanted });
    });
  });
});
