/** The job that makes an ext4, with the real tools on a file in the place of a device. */
import * as path from 'node:path';
import { spawnSync } from 'node:child_process';
import { SHELLS } from '../support';
import { useRescueShell } from './kit';

const BLOCKS = 153_600;
const FEATURES = 'has_journal,ext_attr,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,metadata_csum';

describe.each(SHELLS)('%s', (name) => {
  const shell = useRescueShell(name);
  let base = '';
  beforeEach(() => {
    base = shell.files({ 'var/x': '' });
    spawnSync('truncate', ['-s', String(BLOCKS * 4096), path.join(base, 'device')]);
  });
  const job = (args: Record<string, string | number>): string => {
    const all = {
      ...{
        disks: 'd',
        run: 'run-1',
        on: 'disk D',
        type: 'ext4',
        uuid: '11111111-0000-4000-8000-000000000001',
        label: '',
      },
      ...{ blocks: BLOCKS, block: 4096, inode: 256, inodes: 38_400, reserved: 7680, reserved_uid: 0, reserved_gid: 0 },
      ...{ features: FEATURES, options: '', hash: '', stride: 0, stripe: 0, journal: 0, errors: 'continue' },
      ...{ mounts: '-1', interval: 0, cluster: 0, ...args },
    };
    return shell.run({
      parts: ['jobs/mkfs-ext.sh'],
      script: [
        `cd '${base}'; RESURGO_VAR=$PWD/var`,
        ...Object.entries(all).map(([key, value]) => `arg_${key}='${value}'`),
        'disks_check() { :; }; device_find() { device=$PWD/device; }; device_busy() { return 1; }; blockdev() { :; }; sync() { :; }',
        // The programs of this machine, and not busybox's own.
        'timeout() { /usr/bin/timeout "$@"; }; blkid() { timeout 60 blkid "$@"; }; wipefs() { timeout 60 wipefs "$@"; }',
        'job_result() { printf "ok\\n"; }',
        'job_main',
      ].join('\n'),
    });
  };
  const made = () => {
    const { stdout } = spawnSync('dumpe2fs', ['-h', path.join(base, 'device')], { encoding: 'utf8' });
    const number = (title: string) => Number(new RegExp(`^${title}: *([0-9]+)`, 'm').exec(stdout)?.[1]);
    return [number('Block count'), number('Inode count'), number('Cluster size')];
  };

  test.each([16_384, 65_536, 262_144])('clusters of %i bytes come back, with as many inodes', (cluster) => {
    const inodes = { 16384: 38_400, 65536: 9600, 262144: 2400 }[cluster] ?? 0;
    expect(job({ features: `${FEATURES},bigalloc`, cluster, inodes })).toBe('ok\n');
    expect(made()).toEqual([BLOCKS, expect.closeTo(inodes, -2.5), cluster]);
  });

  test('without clusters it is made as ever', () => {
    expect(job({})).toBe('ok\n');
    expect(made()).toEqual([BLOCKS, 38_400, NaN]);
  });
});
