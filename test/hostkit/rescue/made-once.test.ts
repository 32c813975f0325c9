/**
 * Volumes and arrays on disks that held the same ones before: what shows there again is the old one, and is made anew; what this run has
 * made is not made twice. With stand-ins for LVM's tools and mdadm, which write down how they were called.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { describeAsRoot, SHELLS } from '../support';
import { useRescueShell } from './kit';

const STAND_INS = `
call() { printf '%s\\n' "$*" >>calls; }
pvs() { [ ! -e pv ] || printf '  %s\\n' "$(cat pv)"; }
pvcreate() { call pvcreate; for last; do :; done; echo PV-1 >pv; }
lvs() { [ -e lv ]; }
lvcreate() { call lvcreate; : >lv; }
lvchange() { call lvchange "$3"; [ ! -e broken ] || { echo 'Check of pool failed'; return 5; }; }
wipefs() { for last; do :; done; call wipefs "$last"; [ "$last" != /dev/vda2 ] || rm -f pv; }
mdadm() {
  case $1 in
    --detail) cat "/sys/block/md0/\${3##*/}.export" ;;
    --stop) call mdadm --stop "$2"; [ ! -e used ] || { echo 'Cannot get exclusive access'; return 1; }; rm -r /sys/block/md0 ;;
    --create) call mdadm --create "$2"; mkdir -p /sys/block/md0/md; : >/sys/block/md0/md/array_state; echo MD_UUID=aa:bb >/sys/block/md0/md0.export ;;
  esac
}
modprobe() { :; }
`;

describeAsRoot('made once, and by this run', () => {
  describe.each(SHELLS)('%s', (name) => {
    const shell = useRescueShell(name);
    let base = '';
    let sys = '';
    const at = (file: string) => path.join(base, file);
    const calls = (): string[] => (existsSync(at('calls')) ? readFileSync(at('calls'), 'utf8').trim().split('\n') : []);
    beforeEach(() => {
      base = shell.files({ 'var/x': '' });
      sys = shell.files({ 'block/x': '', 'class/block/x': '' });
    });
    const job = (kind: string, args: Record<string, string>): string => {
      writeFileSync(at('calls'), '');
      const all = { disks: 'd', run: 'run-1', ...args };
      return shell.run({
        parts: [`jobs/${kind}.sh`],
        sys,
        script: [
          `cd '${base}'; RESURGO_VAR=$PWD/var`,
          ...Object.entries(all).map(([key, value]) => `arg_${key}='${value}'`),
          'disks_check() { :; }; device_find() { device=/dev/$1; }; device_busy() { return 1; }',
          'job_result() { printf "ok {%s}\\n" "$1"; }; atomic_put() { printf "%s\\n" "$2" >"$1"; }',
          STAND_INS,
          'job_main',
        ].join('\n'),
      });
    };

    const PV = { on: 'vda2', uuid: 'PV-1', data_offset: '1048576' };
    test('a physical volume', () => {
      writeFileSync(at('pv'), 'PV-1\n');
      expect(job('lvm-pv', PV)).toBe('ok {"device":"/dev/vda2"}\n');
      expect(calls()).toEqual(['wipefs /dev/vda2', 'pvcreate']);
      expect(job('lvm-pv', PV)).toBe('ok {"device":"/dev/vda2","was":true}\n');
      expect(calls()).toEqual(['']);
      // Another run finds it, and on the same device: it is an old one again.
      expect(job('lvm-pv', { ...PV, run: 'run-2' })).toBe('ok {"device":"/dev/vda2"}\n');
    });

    const LV = {
      ...{ lv_group: 'vg0', name: 'root', type: 'linear', extents: '10', areas: '', tags: '', stripes: '1' },
      ...{ stripe_bytes: '0', mirrors: '0', region_bytes: '0' },
    };
    test('a logical volume that is there is started, and where it does not start, that is told', () => {
      expect(job('lvm-lv', LV)).toBe('ok {"device":"/dev/vg0/root"}\n');
      expect(job('lvm-lv', LV)).toBe('ok {"device":"/dev/vg0/root","was":true}\n');
      expect(calls()).toEqual(['lvchange y']);
      writeFileSync(at('broken'), '');
      expect(job('lvm-lv', LV)).toBe('failed: volume vg0/root does not start: Check of pool failed \n');
    });

    const MD = {
      ...{ device: 'md0', name: 'data', homehost: '', uuid: 'aa:bb', level: 'raid1', metadata: '1.2', layout: '' },
      ...{ chunk_kib: '0', data_offset_kib: '0', component_kib: '0', bitmap: 'none', members: 'vda2', spares: '' },
    };
    test('an array: one that runs and is not of this run is stopped first; what its place shows is wiped', () => {
      expect(job('md-create', MD)).toBe('ok {"device":"/dev/md0"}\n');
      expect(calls()).toEqual(['wipefs /dev/vda2', 'mdadm --create /dev/md0', 'wipefs /dev/md0']);
      expect(job('md-create', MD)).toBe('ok {"device":"/dev/md0","was":true}\n');
      expect(calls()).toEqual(['']);
      expect(job('md-create', { ...MD, run: 'run-2' })).toBe('ok {"device":"/dev/md0"}\n');
      expect(calls()[0]).toBe('mdadm --stop /dev/md0');
      writeFileSync(at('used'), '');
      expect(job('md-create', { ...MD, run: 'run-3' })).toMatch(/^busy: array aa:bb runs as \/dev\/md0/);
      expect(calls()).toEqual(['mdadm --stop /dev/md0']);
    });
  });
});
