/** What job new-fix leaves in a new system beside the edits. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describeAsRoot, SHELLS } from '../support';
import { useRescueShell } from './kit';

describeAsRoot('the mark of the run', () => {
  describe.each(SHELLS)('%s', (name) => {
    const shell = useRescueShell(name);
    function fix(files: Record<string, string | null>): { told: string; root: string } {
      const root = shell.files({ 'tree/etc/fstab': 'x', ...files });
      const told = shell.run({
        parts: ['jobs/new-fix.sh'],
        script: `NEW_ROOT='${root}' arg_tree=tree arg_run=recover-20261129-1 arg_edits=
new_enter() { new=$NEW_ROOT/$arg_tree; }
job_result() { printf '%s\\n' "$1"; }
job_main`,
      });
      return { told, root };
    }

    test('lies beside the hostkit’s configuration, root’s alone, in the place of an older one', () => {
      const { told, root } = fix({ 'tree/etc/resurgo/host.conf': '', 'tree/etc/resurgo/recovered': 'older-run-1\n' });
      expect(told).toMatch(/"marked":true$/m);
      const mark = join(root, 'tree/etc/resurgo/recovered');
      expect(readFileSync(mark, 'utf8')).toBe('recover-20261129-1\n');
      expect(statSync(mark).uid).toBe(0);
    });

    test.each<[string, Record<string, string | null>]>([
      ['a system without a hostkit gets none', {}],
      ['nothing is written through a link', { 'tree/etc/resurgo': '-> ../../elsewhere', elsewhere: null }],
      ['nor over what is no file', { 'tree/etc/resurgo/recovered/x': '' }],
    ])('%s', (_, files) => {
      const { told, root } = fix(files);
      expect(told).toMatch(/"notes":\[\]$/m);
      expect(existsSync(join(root, 'elsewhere/recovered'))).toBe(false);
    });
  });
});
