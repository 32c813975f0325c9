import fs from 'node:fs';
import { Box, SHELLS, describeAsRoot } from './support';
import type { Shell } from './support';

describeAsRoot('what a backup would meet', () => {
  describe.each(SHELLS)('under %s', (shell: Shell) => {
    let box: Box;
    beforeEach(() => {
      box = new Box({ shell });
    });
    afterEach(() => {
      box.close();
    });
    const stopped = (record: string, run: string) => {
      fs.mkdirSync(box.state(`workloads/${record}`), { recursive: true });
      fs.writeFileSync(box.state(`workloads/${record}/run`), `${run}\n`);
    };

    it('S21 a group that a restore has stopped and not started again is a problem, with the way out', () => {
      stopped('portal', 'run-0000000a');
      const { problems } = box.ask('check', { group: 'portal' });
      expect(problems).toEqual([
        expect.stringMatching(/run run-0000000a .*a restore that is not finished.*`resurgo start portal --as-it-is`/),
      ]);
    });

    it('one that was stopped by hand, and another group, are none', () => {
      stopped('portal.hand', 'run-0000000a');
      stopped('other', 'run-0000000b');
      expect(box.ask('check', { group: 'portal' }).problems).toEqual([]);
    });
  });
});
