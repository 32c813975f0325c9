/** Pools of ZFS that come back: the jobs against stand-ins for `zpool` and `zfs`, which keep in files what they were told. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { describeAsRoot, SHELLS } from '../support';
import { useRescueShell } from './kit';

const TREE = 'web-1@+';
const UUIDS = { vdb1: '22222221-0000-4000-8000-000000000000', vdc1: '32222221-0000-4000-8000-000000000000' };

/** `zpool` and `zfs`, as far as the jobs call them. A pool is a folder: altroot, guid, members, and a file for each dataset's properties. */
const STAND_INS = `
zpool() {
  printf 'zpool %s\\n' "$*" >>calls
  for last; do :; done
  case $1 in
    list)
      if [ "$3:$4" = '-o:name,altroot' ]; then
        for each in state/*; do [ ! -d "$each" ] || printf '%s\\t%s\\n' "\${each#state/}" "$(cat "$each/altroot")"; done
        return 0
      fi
      [ -d "state/$last" ] || return 1
      [ "$4:$(cat "state/$last/health")" != health:gone ] || return 1
      case $4 in
        guid) cat "state/$last/guid" ;;
        altroot) cat "state/$last/altroot" ;;
        name) echo "$last" ;;
        health) cat "state/$last/health" ;;
        guid,altroot) printf '%s\\t%s\\n' "$(cat "state/$last/guid")" "$(cat "state/$last/altroot")" ;;
      esac
      ;;
    create)
      shift
      name='' root=''
      while [ $# -gt 0 ]; do
        case $1 in -f | -d) ;; -R) root=$2; shift ;; -o | -O) shift ;; *) name=$1; shift; break ;; esac
        shift
      done
      mkdir "state/$name" || return 1
      echo "$root" >"state/$name/altroot"
      wc -l <calls | tr -d ' ' >"state/$name/guid"
      echo ONLINE >"state/$name/health"
      for each; do case $each in /*) echo "$each" ;; esac; done >"state/$name/members"
      printf 'type=filesystem\\ncanmount=off\\n' >"state/$name/set"
      ;;
    status) printf '  pool: x\\nconfig:\\n\\n\\tNAME STATE\\n'; sed 's/^/\\t    /; s/$/ ONLINE 0 0 0/' "state/$last/members" ;;
    destroy | export) rm -r "state/$last" ;;
    set) case $2 in cachefile=*) printf 'nvlist\\0%s\\0' "$last" >"\${2#cachefile=}" ;; esac ;;
  esac
}
# A dataset's file: state/POOL/DATASET with dashes; the first one's is \`set\`.
zfs_file() { case $1 in */*) zfs_file=state/\${1%%/*}/$(printf '%s' "$1" | tr / -) ;; *) zfs_file=state/$1/set ;; esac; }
zfs() {
  printf 'zfs %s\\n' "$*" >>calls
  for last; do :; done
  zfs_file "$last"
  case $1 in
    get)
      [ -f "$zfs_file" ] || return 1
      for word; do case $word in type | volsize | canmount | readonly) break ;; esac; done
      sed -n "s/^$word=//p" "$zfs_file" | tail -n 1
      ;;
    create)
      kind=filesystem
      for word; do [ "$word" != -V ] || kind=volume; done
      echo "type=$kind" >"$zfs_file"
      ;;
    set) echo "$2" >>"$zfs_file"; [ ! -e refuse ] ;;
    inherit) echo "$3=on" >>"$zfs_file" ;;
  esac
}`;

describeAsRoot('pools of ZFS', () => {
  describe.each(SHELLS)('%s', (name) => {
    const shell = useRescueShell(name);
    let base = '';
    const at = (file: string) => path.join(base, file);
    const calls = (): string[] => (existsSync(at('calls')) ? readFileSync(at('calls'), 'utf8').trim().split('\n') : []);
    const writes = (): string[] => calls().filter((line) => !/^(?:zpool (?:list|status)|zfs get) /.test(line));
    beforeEach(() => {
      base = shell.files({ state: null, 'run/x': '', 'var/runs/run-1/made/x': '' });
    });

    /** Runs a job of the rescue system; its devices are vdb1 and vdc1. */
    const job = (
      kind: string,
      args: Record<string, string>,
      more = '',
      sys: Record<string, string | null> = {},
    ): string => {
      const declared = readFileSync(path.join(__dirname, `../../../hostkit/rescue/jobs/${kind}.sh`), 'utf8');
      const keys = [...declared.matchAll(/^# keys: (.*)$/gm)].flatMap(([, line = '']) => line.split(' '));
      const all = {
        ...Object.fromEntries(keys.map((key) => [key.split(':')[0] ?? '', ''])),
        tree: TREE,
        run: 'run-1',
        ...args,
      };
      return shell.run({
        parts: [`jobs/${kind}.sh`],
        sys: shell.files({ block: null, 'class/block': null, ...sys }),
        script: [
          `cd '${base}'; RESURGO_RUN=$PWD/run RESURGO_VAR=$PWD/var NEW_ROOT=$PWD/mnt/new`,
          ...Object.entries(all).map(([key, value]) => `arg_${key}='${value}'`),
          'mkdir -p /dev/disk && mount -t tmpfs links /dev/disk',
          'disks_check() { [ "$1" != gone ] || fail identity-changed "0 disks"; }',
          'device_find() { device=/dev/${1##* }; }; device_busy() { device_why="$1 is mounted"; [ -e "busy" ]; }',
          'wipefs() { printf "wipefs %s\\n" "$4" >>calls; }; modprobe() { :; }; sleep() { :; }',
          `blkid() { case $6 in */vdb1) echo ${UUIDS.vdb1} ;; */vdc1) echo ${UUIDS.vdc1} ;; esac; }`,
          'readlink() { case $2 in /dev/disk/*) printf "/dev/%s\\n" "$(command readlink "$2" | sed "s|.*/||")" ;; *) echo "$2" ;; esac; }',
          'timeout() { shift; "$@"; }; atomic_put() { printf "%s\\n" "$2" >"$1"; }',
          'job_result() { printf "ok {%s}\\n" "$1"; }; new_outside() { "$@"; }; mountpoint() { [ -e "mounted" ]; }',
          'findmnt() { cat mounted; }; mount() { printf "mount %s\\n" "$*" >>calls; printf "%s\\n" "$4" >mounted; }',
          STAND_INS,
          more,
          'job_main',
        ].join('\n'),
      });
    };
    const MIRROR = {
      disks: 'd',
      name: 'tank',
      features: 'lz4_compress\nasync_destroy',
      properties: 'ashift=12\ncomment=two words',
      once: 'normalization=formD',
      vdevs: 'mirror\non partition 1 of vdb1\non partition 1 of vdc1\nspare\non lv vg0 spare',
    };

    test('a pool is made once, below the new system, mounted nowhere, of devices by names that last', () => {
      expect(job('zpool-create', MIRROR)).toBe('ok {"pool":"tank"}\n');
      const made = `zpool create -f -d -R ${base}/mnt/new/${TREE} -O canmount=off -o feature@lz4_compress=enabled -o feature@async_destroy=enabled -o ashift=12 -o comment=two words -O normalization=formD tank mirror /dev/disk/by-partuuid/${UUIDS.vdb1} /dev/disk/by-partuuid/${UUIDS.vdc1} spare /dev/spare`;
      expect(writes()).toEqual(['wipefs /dev/vdb1', 'wipefs /dev/vdc1', 'wipefs /dev/spare', made]);
      expect(job('zpool-create', MIRROR)).toBe('ok {"pool":"tank","was":true}\n');
      expect(writes()).toHaveLength(4);
    });

    test('killed before it was noted, it is made anew; what lies on other devices, or elsewhere, is left', () => {
      // The mark was never written.
      job('zpool-create', MIRROR, 'atomic_put() { exit 0; }');
      expect(existsSync(at('var/runs/run-1/made/pool.tank'))).toBe(false);
      const links = `mkdir -p /dev/disk/by-partuuid; ln -s ../../vdb1 /dev/disk/by-partuuid/${UUIDS.vdb1}; ln -s ../../vdc1 /dev/disk/by-partuuid/${UUIDS.vdc1}`;
      expect(job('zpool-create', MIRROR, links)).toBe('ok {"pool":"tank"}\n');
      expect(
        writes()
          .filter((line) => /destroy|create/.test(line))
          .map((line) => line.split(' ')[1]),
      ).toEqual(['create', 'destroy', 'create']);
    });

    test.each([
      ['of other devices', 'members', '/dev/vdz1\n'],
      ['of some other devices', 'members', `/dev/vdb1\n/dev/vdz1\n`],
      ['imported elsewhere', 'altroot', '-\n'],
      ['of devices that are not told', 'members', ''],
    ])('a pool of that name %s is another: nothing is written', (_, file, text) => {
      mkdirSync(at('state/tank'));
      const own = { members: '/dev/vdb1\n', altroot: `${base}/mnt/new/${TREE}\n`, guid: '7\n', health: 'ONLINE\n' };
      for (const [each, was] of Object.entries({ ...own, [file]: text })) writeFileSync(at(`state/tank/${each}`), was);
      expect(job('zpool-create', MIRROR)).toMatch(/^exists: another pool is called tank/);
      expect(writes()).toEqual([]);
    });

    test.each([
      ['a disk that is gone', { disks: 'gone' }, '', /^identity-changed/],
      ['a device in use', {}, ': >busy', /^busy: \/dev\/vdb1 is mounted: nothing was made/],
      ['an option for a name', { name: '-f' }, '', /^bad-request/],
      ['a dataset for a name', { name: 'tank/a' }, '', /^bad-request/],
      ['a word that is none', { vdevs: 'mirror\ndraid1' }, '', /^bad-request: 'draid1' is no part/],
      ['a path for a device', { vdevs: '/dev/sda' }, '', /^bad-request/],
      ['an option for a property', { properties: '-o x=y' }, '', /^bad-request/],
      [
        'two partitions with one id',
        {},
        `mkdir -p /dev/disk/by-partuuid; ln -s ../../null /dev/disk/by-partuuid/${UUIDS.vdb1}`,
        /^identity-changed: .* two say that they are the same/,
      ],
    ])('%s is refused before anything is written', (_, args, more, why) => {
      expect(job('zpool-create', { ...MIRROR, ...args }, more)).toMatch(why);
      expect(writes()).toEqual([]);
    });

    test('a disk that a pool holds, which nothing else shows, is not wiped', () => {
      const held = `wipefs() { case $2 in --no-act) echo 'probing failed: Device or resource busy' >&2; return 1 ;; esac; echo wiped >>calls; }
device_bytes=0; dd() { echo dd >>calls; }; partx() { echo partx >>calls; }`;
      expect(job('disk-wipe', { disk: 'x' }, held)).toMatch(
        /^busy: \/dev\/x or a part of it is in use .*Device or resource busy/,
      );
      expect(calls()).toEqual([]);
      // What a run has made by then is not the rescue system's own.
      expect(existsSync(at('var/held'))).toBe(false);
    });

    const DATASET = { disks: 'd', type: 'filesystem', bytes: '0' };

    test('datasets are made unmounted; the first of a pool is there, and set', () => {
      job('zpool-create', MIRROR);
      const before = writes().length;
      const set = { ...DATASET, dataset: 'tank', properties: 'compression=lz4\norg:note=a b' };
      expect(job('zfs-create', set)).toBe('ok {"dataset":"tank","was":true}\n');
      const child = { ...DATASET, dataset: 'tank/a b', once: 'utf8only=on', properties: 'recordsize=16384' };
      expect(job('zfs-create', child)).toBe('ok {"dataset":"tank/a b"}\n');
      expect(job('zfs-create', child)).toBe('ok {"dataset":"tank/a b","was":true}\n');
      expect(writes().slice(before)).toEqual([
        'zfs set compression=lz4 tank',
        'zfs set org:note=a b tank',
        'zfs create -o canmount=off -o utf8only=on -o recordsize=16384 tank/a b',
        'zfs set recordsize=16384 tank/a b',
      ]);
    });

    test('a volume has a reservation if it had one, and is waited for until the kernel shows it', () => {
      job('zpool-create', MIRROR);
      const before = writes().length;
      const volume = { ...DATASET, type: 'volume', bytes: '1073741824', once: 'volblocksize=8192' };
      const seen = 'zvol_id() { echo "tank/$(basename "$1")"; }';
      expect(job('zfs-create', { ...volume, dataset: 'tank/zd0' }, seen, { 'block/zd0': null })).toMatch(/^ok/);
      const reserved = { ...volume, dataset: 'tank/zd16', properties: 'refreservation=1073741824' };
      expect(job('zfs-create', reserved, seen, { 'block/zd16': null })).toMatch(/^ok/);
      expect(job('zfs-create', { ...volume, dataset: 'tank/never' }, seen, { 'block/zd0': null })).toMatch(
        /^failed: .* the kernel shows no device/,
      );
      expect(writes().slice(before, before + 2)).toEqual([
        'zfs create -s -V 1073741824 -o volblocksize=8192 tank/zd0',
        'zfs create -V 1073741824 -o volblocksize=8192 -o refreservation=1073741824 tank/zd16',
      ]);
    });

    test.each([
      ['zfs-create', { ...DATASET, dataset: 'tank/a' }],
      ['mount-zfs', { dataset: 'tank/a', path: '/srv' }],
      ['zpool-finish', { name: 'tank' }],
    ])('%s works on no pool but the one that this run has made', (kind, args) => {
      const more = 'new_enter() { new=$NEW_ROOT/$arg_tree; }';
      expect(job(kind, args, more)).toMatch(/^identity-changed: the pool tank that this run has made is not imported/);
      job('zpool-create', MIRROR);
      writeFileSync(at('state/tank/guid'), 'another\n');
      expect(job(kind, args, more)).toMatch(/^identity-changed/);
      expect(writes().filter((line) => /^zfs|^mount/.test(line))).toEqual([]);
    });

    test('a dataset is mounted once, where the plan has it, and not through a link', () => {
      job('zpool-create', MIRROR);
      const args = { dataset: 'tank/data', path: '/srv/data' };
      expect(job('mount-zfs', args)).toBe('ok {"dataset":"tank/data"}\n');
      expect(job('mount-zfs', args)).toBe('ok {"dataset":"tank/data","was":true}\n');
      expect(calls().filter((line) => line.startsWith('mount '))).toEqual([
        `mount -i -t zfs tank/data ${base}/mnt/new/${TREE}/srv/data`,
      ]);
      expect(job('mount-zfs', { ...args, dataset: 'tank/other' })).toMatch(/^busy: something else is mounted/);
      expect(
        job(
          'mount-zfs',
          args,
          'mkdir -p "$NEW_ROOT/$arg_tree"; ln -sfn /tmp "$NEW_ROOT/$arg_tree/link"; arg_path=/link/x',
        ),
      ).toMatch(/^not-allowed: .* symbolic link/);
    });

    const FINISH = {
      name: 'tank',
      datasets: 'canmount - tank\ncanmount noauto tank/a b\nreadonly on tank/a b',
      cache: '/etc/zfs/zpool.cache',
    };
    const enter = 'new_enter() { new=$NEW_ROOT/$arg_tree; mkdir -p "$new"; }';

    test('at the end a pool is as it was: mounted by itself or not, read-only, and noted for the boot', () => {
      job('zpool-create', MIRROR);
      job('zfs-create', { ...DATASET, dataset: 'tank/a b' });
      const before = writes().length;
      for (let time = 0; time < 2; time += 1)
        expect(job('zpool-finish', FINISH, enter)).toBe('ok {"pool":"tank","cache":"/etc/zfs/zpool.cache"}\n');
      expect(writes().slice(before, before + 4)).toEqual([
        'zfs inherit -S canmount tank',
        'zfs set canmount=noauto tank/a b',
        'zfs set readonly=on tank/a b',
        `zpool set cachefile=${base}/run/zpool.cache tank`,
      ]);
      expect(readFileSync(at(`mnt/new/${TREE}/etc/zfs/zpool.cache`), 'utf8')).toBe('nvlist\0tank\0');
      expect(readFileSync(at('var/runs/run-1/made/cache.tank'), 'utf8')).toBe('/etc/zfs/zpool.cache\n');
    });

    test.each([
      [
        'a property that is not taken',
        'zfs() { case $1 in get) echo off ;; esac; }',
        /^failed: canmount=on can not be set for tank/,
      ],
      [
        'a file that is never written',
        'zpool() { case $1 in list) printf "%s\\t%s\\n" "$(cat state/tank/guid)" "$NEW_ROOT/$arg_tree" ;; esac; }',
        /^failed: ZFS has not noted pool tank/,
      ],
      ['a link on the way', 'mkdir -p "$NEW_ROOT/$arg_tree"; ln -s /tmp "$NEW_ROOT/$arg_tree/etc"', /^not-allowed/],
      ["another pool's dataset", 'arg_datasets="canmount - other/a"', /^bad-request: other\/a is not of pool tank/],
    ])('%s ends it', (_, more, why) => {
      job('zpool-create', MIRROR);
      job('zfs-create', { ...DATASET, dataset: 'tank/a b' });
      expect(job('zpool-finish', FINISH, `${enter}\n${more}`)).toMatch(why);
      expect(existsSync('/tmp/zfs')).toBe(false);
    });

    test('what is let go are the pools below the new system, and no other', () => {
      job('zpool-create', MIRROR);
      mkdirSync(at('state/own'));
      writeFileSync(at('state/own/altroot'), '-\n');
      const print = 'job_main() { unmount_pools; }';
      expect(job('new-unmount', {}, print, { 'module/zfs': null })).toBe('tank\n');
      // Without its module nobody asks: that alone would load it.
      const before = calls().length;
      expect(job('new-unmount', {}, print)).toBe('');
      expect(calls()).toHaveLength(before);
    });

    test('before the reboot each pool is whole, and the new system can import it', () => {
      job('zpool-create', MIRROR);
      const problems = (health: string, files: Record<string, string>): string[] => {
        const root = shell.files({ 'lib/modules/6.1/updates/dkms/x.ko': '', ...files });
        writeFileSync(at('state/tank/health'), `${health}\n`);
        writeFileSync(at('var/runs/run-1/made/cache.tank'), '/etc/zfs/zpool.cache\n');
        const more = `. "$RESURGO_LIB/lib/verify.sh"; new='${root}' new_modules='${root}/lib/modules' verify_kernel=6.1
new_find() { new_place=$new$1; }
new_has() { [ -s "$new/no-$1" ] && return 1; return 0; }
job_main() { : >problems; verify_pools; cat problems; }`;
        return job('mount-zfs', {}, more)
          .split('\n')
          .filter((line) => line !== '');
      };
      const module = { 'lib/modules/6.1/updates/dkms/zfs.ko.xz': '' };
      const cache = { ...module, 'etc/zfs/zpool.cache': 'x\0tank\0y' };
      expect(problems('ONLINE', cache)).toEqual([]);
      expect(problems('DEGRADED', cache)).toEqual([expect.stringMatching(/^pool tank is DEGRADED here/)]);
      expect(problems('ONLINE', { ...cache, 'no-zpool': 'x' })).toEqual([expect.stringMatching(/has no zpool/)]);
      expect(problems('ONLINE', { ...cache, 'etc/zfs/zpool.cache': 'old' })).toEqual([
        expect.stringMatching(/does not name pool/),
      ]);
      const { 'etc/zfs/zpool.cache': text } = cache;
      expect(problems('ONLINE', { 'etc/zfs/zpool.cache': text })).toEqual([
        expect.stringMatching(/^kernel 6.1 has no module of ZFS/),
      ]);
      const builtin = { 'lib/modules/6.1/modules.builtin': 'kernel/fs/zfs/zfs.ko\n', 'etc/zfs/zpool.cache': text };
      expect(problems('ONLINE', builtin)).toEqual([]);
      expect(problems('gone', cache).length).toBe(1);
    });
  });
});
