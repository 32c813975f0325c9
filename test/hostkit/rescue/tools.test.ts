/** What a rescue system tells of what it brings along: tools that are themselves and no applet, modules that are there and not only named. */
import { SHELLS } from '../support';
import { useRescueShell } from './kit';

describe.each(SHELLS)('tools and modules of a rescue system, in %s', (name) => {
  const shell = useRescueShell(name);
  const parts = ['lib/facts.sh', 'lib/tools.sh'];

  test('each tool that a job declares, with where it lies', () => {
    const root = shell.files({
      busybox: '',
      mkswap: '-> busybox',
      mke2fs: '',
      tune2fs: '-> mke2fs',
      thin_check: '-> gone',
    });
    const lines = shell
      .run({
        parts,
        script: `tool_path() { tool_at='${root}'/$1; [ -e "$tool_at" ] || { tool_at=''; return 1; }; }; tools_each`,
      })
      .trimEnd()
      .split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        `mke2fs ${root}/mke2fs`,
        `tune2fs ${root}/tune2fs`,
        // Busybox's own has the name and not the options.
        'mkswap -',
        'thin_check -',
        'mdadm -',
        'mkfs.xfs -',
        'chattr -',
        'zvol_id -',
      ]),
    );
    expect(lines.every((line) => /^[a-z_0-9.-]+ (?:-|\/\S+)$/.test(line))).toBe(true);
    expect(new Set(lines).size).toBe(lines.length);
  });

  test('the features that mkfs.xfs takes by name, of its own help', () => {
    const root = shell.files({
      'mkfs.xfs':
        "#!/bin/sh\nprintf '[-m crc=0|1,uuid=xxx,\\n bigtime=0|1] [-i attr=0|1|2,nrext64=0|1]\\n' >&2; exit 1\n",
    });
    const told = (path: string) =>
      shell.run({ parts, script: `chmod +x '${root}/mkfs.xfs'; PATH='${path}'$PATH; tools_xfs` });
    expect(told(`${root}:`)).toBe('attr\nbigtime\ncrc\nnrext64\n');
  });

  test('a module is one whose file is there, or that is built in, loaded or a file system already', () => {
    const root = shell.files({
      '6.1/kernel/fs/xfs/xfs.ko.xz': '',
      '6.1/kernel/drivers/md/dm-mod.ko': '',
      // Named, and not packed.
      '6.1/modules.dep': 'kernel/fs/xfs/xfs.ko.xz:\nkernel/drivers/md/dm-never.ko:\n',
      '6.1/modules.builtin': 'kernel/drivers/md/md-mod.ko\n',
    });
    const told = shell
      .run({
        parts,
        script: `sed 's|"/lib/modules/|"${root}/|g' "$RESURGO_LIB/lib/tools.sh" >tools.here
. ./tools.here
uname() { echo 6.1; }
tools_modules`,
      })
      .split('\n');
    expect(told).toEqual(expect.arrayContaining(['xfs', 'dm_mod', 'md_mod', 'proc', 'tmpfs']));
    expect(told).not.toContain('dm_never');
  });
});
