/** Snapshots in the top level of a btrfs where others write too: what is not ours is neither listed, shown nor removed. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { sh } from './stores-kit';
import { describeAsRoot } from './support';

const LIB = resolve(__dirname, '../../hostkit');

describeAsRoot('btrfs snapshots beside hostile neighbours', () => {
  let root: string;
  let top: string;
  const ours = '.resurgo/portal/run-00000001.1';
  const run = (code: string): string => {
    const libs = ['base', 'types', 'config', 'snapshots', 'view'].map((lib) => `. "$RESURGO_LIB/lib/${lib}.sh"`);
    const set = `umask 077; btrfs_top='${top}' snap_uuid=x src_name=data inner=/data src_group=portal snap_record='${root}/record'`;
    const script = ['set -u', ...libs, 'btrfs_open() { :; }', 'config_loaded=yes config_text=', set, code].join('\n');
    return execFileSync('sh', ['-c', script], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C', RESURGO_LIB: LIB },
    });
  };
  const drop = (name: string): string => run(`snapshot_btrfs_drop '${name}' && echo dropped || echo "$snap_problem"`);

  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'resurgo-btrfs-'));
    top = join(root, 'top');
    mkdirSync(top);
    sh('truncate -s 256M "$1/disk"; mkfs.btrfs -q "$1/disk"; mount -o loop "$1/disk" "$1/top"', root);
    sh(
      `cd "$1"; umask 077; btrfs -q subvolume create data; mkdir -p victims "$2"
       btrfs -q subvolume create victims/data
       btrfs -q subvolume snapshot -r data "$2/data"
       ln -s ../../victims .resurgo/portal/run-00000002.1
       mkdir .resurgo/portal/run-00000003.1 .resurgo/portal/run-00000004.1
       btrfs -q subvolume create .resurgo/portal/run-00000003.1/data
       chown 1000 .resurgo/portal/run-00000003.1
       btrfs -q subvolume create .resurgo/portal/run-00000004.1/data
       chmod 755 .resurgo/portal/run-00000004.1
       ln -s ../../../victims/data "$2/linked"
       btrfs -q subvolume create "$2/$(printf 'x\\nrun-00000001 1 victims 0')"
       ln -s ../victims .resurgo/elsewhere`,
      top,
      ours,
    );
  });
  afterAll(() => {
    spawnSync('umount', [top]);
    rmSync(root, { recursive: true, force: true });
  });

  test('only what is well-formed and root alone could have made is listed', () => {
    const lines = run('snapshot_btrfs_list portal').trim().split('\n');
    expect(lines).toEqual([
      expect.stringMatching(/^run-00000001 1 \.resurgo\/portal\/run-00000001\.1\/data \d+000 -1$/),
    ]);
    expect(run('snapshot_btrfs_list elsewhere')).toBe('');
  });

  test('S20 only in a top level, and only where it is ours, .resurgo is no data', () => {
    const left = (path: string, kind = 'btrfs') => run(`src_kind=${kind} src_path='${path}'; view_excludes data`);
    sh('mkdir -m 0700 "$1/top/data/.resurgo" "$1/plain" "$1/plain/.resurgo"', root);
    for (const kind of ['btrfs', 'none']) expect(left(top, kind)).toBe('/.resurgo\n');
    for (const path of [join(top, 'data'), join(top, 'victims'), join(root, 'plain')]) expect(left(path)).toBe('');
    sh('chmod 755 "$1/.resurgo"', top);
    expect(left(top)).toBe('');
    sh('chmod 700 "$1/.resurgo"; rmdir "$1/data/.resurgo"', top);
  });

  test.each([
    'victims/data',
    '.resurgo/portal/run-00000002.1/data',
    '.resurgo/portal/run-00000003.1/data',
    '.resurgo/portal/run-00000004.1/data',
    `${ours}/linked`,
    `${ours}/../../../victims/data`,
    '.resurgo/../victims.1/data',
  ])('%s is not removed', (name) => {
    const there = existsSync(join(top, name));
    expect(drop(name)).toBe(there ? `${name} is not a snapshot of ours: look at it by hand\n` : 'dropped\n');
    expect(existsSync(join(top, name))).toBe(there);
    expect(existsSync(join(top, 'victims/data'))).toBe(true);
  });

  test('what is not ours is not shown as a source', () => {
    const show = (dir: string): string =>
      run(
        `printf 'uuid x\\ndir ${dir}\\npart data .\\n' >"$snap_record"; view_bind() { echo "bound $1"; }; snapshot_btrfs_view "$snap_record" /x || echo "$snap_problem"`,
      );
    expect(show('.resurgo/portal/run-00000002.1')).toContain('is no snapshot of ours any more');
    expect(show(ours)).toBe(`bound ${top}/${ours}/data\n`);
  });

  test('none is taken into folders that others could write', () => {
    const take = (group: string, freeze: number): string =>
      run(
        `btrfs_sub=data btrfs_rest=; snapshot_btrfs_take ${group} run-00000003 ${freeze} && echo taken || echo "$snap_problem"`,
      );
    expect(take('portal', 1)).toContain("is not a folder of root's alone");
    expect(take('elsewhere', 1)).toContain("is not a folder of root's alone");
    expect(take('portal', 2)).toBe('taken\n');
    expect(existsSync(join(top, 'victims/run-00000003.1'))).toBe(false);
  });

  test('ours goes, and leaves the others', () => {
    expect(drop(`${ours}/data`)).toBe('dropped\n');
    expect(existsSync(join(top, ours, 'data'))).toBe(false);
    expect(existsSync(join(top, 'victims/data'))).toBe(true);
  });

  test('the top level is not unmounted while another request is at work in one, and waits for one that unmounts', () => {
    const libs = ['base', 'types', 'config', 'snapshots'].map((lib) => `. "$RESURGO_LIB/lib/${lib}.sh"`);
    const script = [
      'set -u',
      ...libs,
      `RESURGO_RUN='${root}/run' snap_uuid=free mount_device='${root}/free'`,
      'mount() { shift 4; command mount -o loop "$@"; }',
      'timeout() { shift 3; "$@"; }',
      'is() { if mountpoint -q "$btrfs_top"; then echo "$1 mounted"; else echo "$1 gone"; fi; }',
      'btrfs_open && is opened',
      // Another request, which holds what it has opened until it ends.
      '(exec 4>&-; btrfs_held=no; btrfs_open && : >"$RESURGO_RUN/there"; sleep 1; is other) &',
      'until [ -e "$RESURGO_RUN/there" ]; do sleep 0.05; done',
      'snapshot_btrfs_close; is beside',
      'wait; btrfs_open; snapshot_btrfs_close; is alone',
      // One that is about to unmount.
      'flock -x "$RESURGO_RUN/btrfs.lock" sh -c ": >$RESURGO_RUN/away; sleep 1; rm $RESURGO_RUN/away" & until [ -e "$RESURGO_RUN/away" ]; do sleep 0.05; done',
      'btrfs_open; [ -e "$RESURGO_RUN/away" ] && echo early; is again; snapshot_btrfs_close; wait',
    ].join('\n');
    sh('truncate -s 128M "$1/free"; mkfs.btrfs -q "$1/free"; mkdir "$1/run"', root);
    const env = { ...process.env, LC_ALL: 'C', RESURGO_LIB: LIB };
    const said = execFileSync('sh', ['-c', script], { encoding: 'utf8', env });
    expect(said.trim().split('\n')).toEqual([
      'opened mounted',
      'beside mounted',
      'other mounted',
      'alone gone',
      'again mounted',
    ]);
  });
});
