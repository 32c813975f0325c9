/** What the rescue system lies on itself is left alone when a new system is let go of. */
import { describeAsRoot, SHELLS } from '../support';
import { useRescueShell } from './kit';

const LIVE = 'AbCdEfgh1234ijkl5678mnop9012qrSt';
const dm = (number: number, name: string, uuid: string, seq: number) => ({
  [`block/dm-${number}/dm/name`]: `${name}\n`,
  [`block/dm-${number}/dm/uuid`]: `${uuid}\n`,
  [`block/dm-${number}/diskseq`]: `${seq}\n`,
});
const md = (name: string, state: string) => ({ [`block/${name}/md/array_state`]: `${state}\n` });

describeAsRoot('the end of a recovery', () => {
  describe.each(SHELLS)('%s', (name) => {
    const shell = useRescueShell(name);
    /** Notes the devices, then adds those of the recovery, and unmounts. */
    function end(own: Record<string, string>, added: Record<string, string>, first = 'held_note'): string[] {
      const sys = shell.files({ block: null, ...own });
      const more = shell.files({ block: null, ...added });
      return shell
        .run({
          sys,
          parts: ['jobs/new-unmount.sh'],
          script: `HELD_FILE=$PWD/held NEW_ROOT=/mnt/new arg_tree=tree arg_run=run-00000001
rm -f held
job_result() { printf 'result %s\\n' "$1"; }
gone() { rm -rf "/sys/block/$1"; }
lvm() { :; }
vgchange() { printf 'vgchange %s\\n' "$*" >&5; gone dm-3; }
dmsetup() { for each in /sys/block/dm-*; do ! grep -q ^CRYPT "$each/dm/uuid" || printf '%s (252:1)\\n' "$(cat "$each/dm/name")"; done; }
cryptsetup() { printf 'cryptsetup %s\\n' "$*" >&5; gone dm-2; }
mdadm() { printf 'mdadm %s\\n' "$*" >&5; gone "\${2#/dev/}"; }
swapoff() { printf 'swapoff %s\\n' "$1" >&5; }
exec 5>&1
${first}
cp -r '${more}/.' /sys/
job_main`,
        })
        .trimEnd()
        .split('\n')
        .filter((each) => !each.startsWith('swapoff'));
    }
    const ours = {
      ...dm(2, 'secret', 'CRYPT-LUKS2-0123-secret', 12),
      ...dm(3, 'vg-root', `LVM-${'z'.repeat(64)}`, 13),
      ...md('md0', 'clean'),
    };

    test('lets go of what the recovery has made, and of nothing that was there before', () => {
      const own = {
        ...dm(0, 'ventoy', '', 1),
        ...dm(1, 'live-root', `LVM-${LIVE}${'y'.repeat(32)}`, 2),
        ...dm(5, 'medium', 'CRYPT-LUKS2-4567-medium', 3),
        ...md('md126', 'active'),
        ...md('md125', 'clear'),
      };
      expect(end(own, ours)).toEqual([
        'vgchange --quiet --activate n --select vg_uuid!=AbCdEf-gh12-34ij-kl56-78mn-op90-12qrSt',
        'cryptsetup close secret',
        'mdadm --stop /dev/md0',
        'result "unmounted":0',
      ]);
    });

    test('a rescue system that held nothing lets go of all, and so does one that noted nothing', () => {
      const all = ['vgchange --quiet --activate n', 'cryptsetup close secret', 'mdadm --stop /dev/md0'];
      expect(end({}, ours)).toEqual([...all, 'result "unmounted":0']);
      expect(end({}, ours, ':')).toEqual([...all, 'result "unmounted":0']);
    });

    test('what has come into the place of such a device is the recovery’s', () => {
      const told = end(dm(0, 'vg-old', `LVM-${'x'.repeat(64)}`, 1), dm(0, 'vg-old', `LVM-${'x'.repeat(64)}`, 9));
      expect(told.at(-1)).toMatch(/^busy: still in use: vg-old/);
    });
  });
});
