/** What the jobs that make storage say to its tools: stand-ins write down how they were called. */
import { SHELLS } from '../support';
import { useRescueShell } from './kit';

describe.each(SHELLS)('what a job asks of the tool that makes it, in %s', (name) => {
  const shell = useRescueShell(name);

  /** Runs a job with these arguments; programs by their texts. What it and they print, a line each. */
  function job(kind: string, args: Record<string, string>, tools: Record<string, string> = {}): string[] {
    const root = shell.files(
      Object.fromEntries(Object.entries(tools).map(([tool, text]) => [`bin/${tool}`, `#!/bin/sh\n${text}\n`])),
    );
    return shell
      .run({
        parts: [`jobs/${kind}.sh`],
        script: [
          `cd '${root}'; mkdir -p bin; chmod -R +x bin; PATH=$PWD/bin:$PATH; RESURGO_VAR=$PWD/var`,
          ...Object.entries(args).map(([key, value]) => `arg_${key}='${value}'`),
          'disks_check() { :; }; device_busy() { return 1; }; device_find() { device=/dev/$1; }; wipefs() { :; }; modprobe() { :; }',
          'make_begin() { device=/dev/$arg_on; printf "begin %s\\n" "$1"; }; make_run() { printf "%s\\n" "$*"; }; make_end() { :; }',
          'job_result() { printf "ok {%s}\\n" "$1"; }',
          'job_main',
        ].join('\n'),
      })
      .trimEnd()
      .split('\n');
  }

  test('an array has its data where it was, whatever mdadm would choose today', () => {
    const create = (more: Record<string, string>) => {
      const uuid = '01234567:89abcdef:01234567:89abcdef';
      const args = {
        ...{ spares: '', name: '', homehost: '', layout: '', run: 'run-1' },
        disks: 'd',
        device: 'md0',
        level: 'raid1',
        metadata: '1.2',
        members: 'a\nb',
        uuid,
        bitmap: 'internal',
      };
      const mdadm = 'printf "%s\\n" "$*" >&2; exit 1';
      const said = job('md-create', { ...args, chunk_kib: '0', component_kib: '1024', ...more }, { mdadm });
      return said.join(' ');
    };
    expect(create({ data_offset_kib: '1024' })).toMatch(
      / --size=1024 --data-offset=1024K --bitmap=internal \/dev\/a \/dev\/b/,
    );
    expect(create({ data_offset_kib: '0' })).not.toContain('--data-offset');
  });

  test('a FAT has its clusters in sectors of the disk, and of no less than one', () => {
    const args = { on: 'sda1', disks: 'd', uuid: 'ABCD-0123', bits: '32', label: '' };
    expect(job('mkfs-vfat', { ...args, cluster: '4096', sector: '4096' })).toEqual([
      'begin vfat',
      'mkfs.vfat -F 32 -i ABCD0123 -S 4096 -s 1 /dev/sda1',
    ]);
    expect(job('mkfs-vfat', { ...args, cluster: '512', sector: '4096' })).toEqual([
      'bad-request: clusters of 512 bytes are not of whole sectors of 4096',
    ]);
  });

  describe('an XFS', () => {
    const make = (features: string, help: string) =>
      job(
        'mkfs-xfs',
        {
          ...{ on: 'sda2', disks: 'd', uuid: 'u', label: '', block: '4096', sector: '512', inode: '512' },
          ...{ directory: '4096', log_blocks: '0', unit: '0', width: '0', features },
        },
        { 'mkfs.xfs': `echo '${help}' >&2; exit 1` },
      );
    const OLD = '[-m crc=0|1,finobt=0|1] [-i sparse=0|1] [-n size=num,version=2|ci,ftype=0|1]';
    const NEW = `${OLD} [-m inobtcount=0|1,bigtime=0|1,metadir=0|1] [-i nrext64=0|1,exchange=0|1] [-n parent=0|1]`;

    test('gets back each feature that it had, and none that it had not, where the tool knows them', () => {
      const [begin, made = ''] = make('crc,ftype,nrext64,exchange,parent,bigtime', NEW);
      expect(begin).toBe('begin xfs');
      expect(made).toContain(
        '-m uuid=u,crc=1,finobt=0,rmapbt=0,reflink=0,bigtime=1,inobtcount=0,metadir=0 -i size=512,projid32bit=0,sparse=0,nrext64=1,exchange=1',
      );
      expect(made).toContain(' -n size=4096,ftype=1,parent=1');
      expect(make('crc,ftype,ascii-ci', NEW)[1]).toContain(' -n size=4096,ftype=1,version=ci,parent=0');
    });

    test('without newer features is made by an older tool, which is told of none of them', () => {
      expect(make('crc,ftype', OLD)[1]).toBe(
        'mkfs.xfs -q -f -m uuid=u,crc=1,finobt=0,rmapbt=0,reflink=0 -i size=512,projid32bit=0,sparse=0 -b size=4096 -s size=512 -n size=4096,ftype=1 /dev/sda2',
      );
    });

    test.each(['nrext64', 'exchange', 'parent', 'metadir', 'bigtime'])(
      'with %s, which the tool does not know, is not begun',
      (feature) => {
        expect(make(`crc,ftype,${feature}`, OLD)).toEqual([
          expect.stringMatching(
            `^failed: this mkfs.xfs does not know ${feature}, which the file system had: nothing was made`,
          ),
        ]);
      },
    );
  });

  test('subvolumes are made on the file system that is meant, and on no other', () => {
    const args = { on: 'sda3', uuid: 'wanted', subvolumes: '0 @', default: '' };
    const tools = { mount: 'echo mounted; exit 1', umount: '', blkid: 'echo other' };
    expect(job('btrfs-subvolumes', args, tools)).toEqual([
      'identity-changed: the file system on /dev/sda3 is not wanted',
    ]);
    expect(job('btrfs-subvolumes', args, { ...tools, blkid: 'echo wanted' }).join()).toMatch(
      /failed: \/dev\/sda3 can not be mounted/,
    );
  });
});
