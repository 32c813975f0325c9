/** A file system of the new system is mounted at its place: looked at afterwards, since all that is restored would go elsewhere else. */
import { existsSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { describeAsRoot, SHELLS } from '../support';
import { useRescueShell } from './kit';

const UUID = '5e5e0001-0000-4000-8000-0000000000ab';

/** What is mounted is a file with source and options; devices are the machine's own null (1:3), zero (1:5) and full (1:7). */
const STAND_INS = `
new_outside() { "$@"; }
device_find() { device=/dev/zero device_bytes=1; }
blkid() { echo '${UUID}'; }
mountpoint() { [ -e mounted ]; }
findmnt() { case $2 in SOURCE) cut -d ' ' -f 1 mounted ;; OPTIONS) cut -d ' ' -f 2 mounted ;; esac; }
mount() { printf '%s\\n' "$*" >>calls; [ ! -e mounts ] || cp mounts mounted; }
`;

describeAsRoot('mounting the new system', () => {
  describe.each(SHELLS)('%s', (name) => {
    const shell = useRescueShell(name);
    /** What the job says, and how mount was called. `has` is mounted before it, `gets` by it. */
    function job(how: { has?: string; gets?: string; type?: string; subvolume?: string; members?: string[] }): {
      said: string;
      calls: string;
    } {
      const { has, gets, type = 'ext4', subvolume = '', members = [] } = how;
      const base = shell.files({
        ...(has === undefined ? {} : { mounted: `${has}\n` }),
        ...(gets === undefined ? {} : { mounts: `${gets}\n` }),
        new: null,
      });
      const numbers = { null: '1:3', zero: '1:5', full: '1:7' };
      const links = Object.entries(numbers).flatMap(([device, number]) => [
        [`devices/${device}`, null] as const,
        [`dev/block/${number}`, `-> ../../devices/${device}`] as const,
      ]);
      const said = shell.run({
        parts: ['jobs/mount-new.sh'],
        sys: shell.files({
          ...Object.fromEntries(links),
          ...Object.fromEntries(members.map((each) => [`fs/btrfs/${UUID}/devices/${each}`, null])),
        }),
        script: [
          `cd '${base}'; NEW_ROOT=$PWD/new arg_tree=web arg_path=/srv arg_on='disk x' arg_options=rw,noatime`,
          `arg_type='${type}' arg_uuid='${UUID.toUpperCase()}' arg_subvolume='${subvolume}'`,
          STAND_INS,
          'job_result() { printf "ok {%s}\\n" "$1"; }',
          'job_main',
        ].join('\n'),
      });
      const calls = path.join(base, 'calls');
      return {
        said: said.trimEnd().replaceAll(base, ''),
        calls: existsSync(calls) ? readFileSync(calls, 'utf8').trimEnd().replaceAll(base, '') : '',
      };
    }

    test('once, and it is seen to be there', () => {
      expect(job({ gets: '/dev/zero rw,noatime' })).toEqual({
        said: 'ok {"device":"/dev/zero"}',
        calls: '-t ext4 -o rw,noatime,noinit_itable /dev/zero /new/web/srv',
      });
      expect(job({ has: '/dev/zero rw,noatime' })).toEqual({ said: 'ok {"device":"/dev/zero","was":true}', calls: '' });
    });

    test('where nothing, or another, is there afterwards, it is no success', () => {
      expect(job({}).said).toBe(
        'failed: /dev/zero was mounted, and at /new/web/srv is nothing: look at what else mounts there (findmnt /new/web/srv), and repeat this step',
      );
      expect(job({ gets: '/dev/full rw' }).said).toMatch(
        /^failed: \/dev\/zero was mounted, and at \/new\/web\/srv is \/dev\/full/,
      );
      expect(job({ has: '/dev/full rw' }).said).toMatch(/^busy: something else is mounted at \/new\/web\/srv/);
    });

    test('what takes no writes is told, also where it was mounted before', () => {
      const expected = /^failed: \/dev\/zero is mounted at \/new\/web\/srv, and takes no writes/;
      expect(job({ gets: '/dev/zero ro,noatime' }).said).toMatch(expected);
      expect(job({ has: '/dev/zero ro,noatime' }).said).toMatch(expected);
      expect(job({ gets: '/dev/zero rw,errors=remount-ro' }).said).toMatch(/^ok/);
    });

    test('of a btrfs on several devices the kernel names any; its subvolume must be the one', () => {
      const two = { type: 'btrfs', subvolume: '@srv', members: ['zero', 'full'] };
      expect(job({ ...two, gets: '/dev/full[/@srv] rw' }).said).toMatch(/^ok/);
      expect(job({ ...two, has: '/dev/full[/@srv] rw' }).said).toMatch(/"was":true/);
      expect(job({ ...two, gets: '/dev/null[/@srv] rw' }).said).toMatch(/^failed: .* is \/dev\/null\[\/@srv\]/);
      expect(job({ ...two, gets: '/dev/full[/@home] rw' }).said).toMatch(/^failed: /);
      // No btrfs: another device is another file system.
      expect(job({ members: ['zero', 'full'], gets: '/dev/full rw' }).said).toMatch(/^failed: /);
    });
  });
});
