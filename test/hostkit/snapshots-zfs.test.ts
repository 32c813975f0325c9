/** Snapshots of ZFS whose datasets lie one above the other, in whichever order they are taken: `zfs` is a stand-in that keeps names. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { SHELLS } from './support';

const LIB = resolve(__dirname, '../../hostkit');
const DATASETS = ['tank', 'tank/a b', 'tank/a b/deep', 'tank/logs', 'tank/vm'];

/** As both implementations do it: with -r none is taken where one is there. `several`: more than one at a time. */
const ZFS = `#!/bin/sh
cd "\${0%/*}"
for last; do :; done
case $1 in
  list)
    case $* in
      *snapshot*) grep -qxF "$last" snapshots && echo "$last" ;;
      *) while IFS= read -r name; do case $name/ in "$last"/*) echo "$name" ;; esac; done <datasets ;;
    esac
    ;;
  snapshot)
    echo "\${2%@*} $#" >>calls
    if [ "$2" = -r ]; then
      while IFS= read -r name; do case $name/ in "\${last%@*}"/*) echo "$name@\${last#*@}" ;; esac; done <datasets >new
    else
      [ $# -eq 2 ] || [ -e several ] || { echo 'too many arguments' >&2; exit 2; }
      shift
      printf '%s\\n' "$@" >new
    fi
    ! grep -qxFf new snapshots || { echo "cannot create snapshot: dataset already exists" >&2; exit 1; }
    cat new >>snapshots
    ;;
esac
`;

describe.each(SHELLS)('snapshots of ZFS under %s', (shell) => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'resurgo-zfs-'));
    writeFileSync(join(folder, 'zfs'), ZFS, { mode: 0o755 });
    writeFileSync(join(folder, 'datasets'), DATASETS.map((each) => `${each}\n`).join(''));
    writeFileSync(join(folder, 'snapshots'), '');
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** Takes those of one freeze in that order. */
  function take(order: readonly string[]): string {
    const libs = ['base', 'types', 'config', 'snapshots'].map((lib) => `. "$RESURGO_LIB/lib/${lib}.sh"`);
    const script = [
      'set -u',
      ...libs,
      `. "$RESURGO_LIB/snapshots/zfs.sh"; snapshot_zfs_nested() { zfs_children=''; }; zfs_rest=''`,
      ...order.map(
        (each) =>
          `zfs_dataset='${each}' snap_record='${folder}/record'; snapshot_zfs_take g r 1 || { echo "$snap_problem"; exit 0; }`,
      ),
      'echo taken',
    ].join('\n');
    const env = { ...process.env, LC_ALL: 'C', RESURGO_LIB: LIB, PATH: `${folder}:${process.env['PATH'] ?? ''}` };
    const [command = 'dash', ...args] = shell.split(' ');
    return execFileSync(command, [...args, '-c', script], { env, encoding: 'utf8' }).trim();
  }
  const held = () => readFileSync(join(folder, 'snapshots'), 'utf8').trimEnd().split('\n').sort();
  const all = DATASETS.map((each) => `${each}@resurgo_g_r_1`).sort();

  test.each([
    ['from above', ['tank', 'tank/a b', 'tank/logs']],
    ['from below, as their places may lie', ['tank/a b', 'tank/logs', 'tank']],
    ['twice the same', ['tank', 'tank']],
  ])('%s, every dataset has one', (_, order) => {
    expect(take(order)).toBe('taken');
    expect(held()).toEqual(all);
  });

  test('those that were missing are taken at one instant where that is possible', () => {
    writeFileSync(join(folder, 'several'), '');
    expect(take(['tank/a b', 'tank'])).toBe('taken');
    expect(held()).toEqual(all);
    expect(readFileSync(join(folder, 'calls'), 'utf8').trimEnd().split('\n')).toHaveLength(3);
  });

  test('one of that name that this freeze has not taken is a leftover, and no snapshot of it', () => {
    writeFileSync(join(folder, 'snapshots'), 'tank/logs@resurgo_g_r_1\n');
    expect(take(['tank'])).toMatch(/already exists/);
    expect(held()).toEqual(['tank/logs@resurgo_g_r_1']);
  });
});
