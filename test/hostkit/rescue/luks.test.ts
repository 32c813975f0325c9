/** An encrypted volume that comes back by its header: real headers on a loop device; only the opening, which wants device-mapper, is played. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { describeAsRoot, SHELLS } from '../support';
import { useRescueShell } from './kit';

jest.setTimeout(120_000);
const UUID = '21bbbc30-f67f-4fbc-a0f1-90a0695b6803';
const TREE = 'web-1@+';
const MIB = 2 ** 20;
const ITERATIONS = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'];

function tool(command: string, ...args: string[]): string {
  const ran = spawnSync(command, args, { encoding: 'utf8' });
  if (ran.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${ran.stderr}`);
  return ran.stdout.trim();
}

describeAsRoot('an encrypted volume comes back by its header', () => {
  describe.each(SHELLS)('%s', (name) => {
    const shell = useRescueShell(name);
    let base: string;
    let loop: string;
    const at = (file: string) => path.join(base, file);
    const put = (file: string, text: string) => {
      mkdirSync(path.dirname(at(file)), { recursive: true });
      writeFileSync(at(file), text);
    };
    const headerFile = () => at(`mnt/headers/${TREE}/var/lib/resurgo/luks/${UUID}.header`);
    beforeAll(() => {
      base = shell.files({ disk: '', first: 'first', second: 'second', wrong: 'wrong' });
      truncateSync(at('disk'), 24 * MIB);
      loop = tool('losetup', '--show', '-f', at('disk'));
    });
    afterAll(() => {
      tool('losetup', '-d', loop);
    });

    /** Makes a volume with two keys, and takes its header; the disk is blank then. */
    const header = (type: string, ...more: string[]) => {
      const volume = at(`volume-${type}`);
      rmSync(volume, { force: true });
      writeFileSync(volume, '');
      truncateSync(volume, 24 * MIB);
      tool(
        'cryptsetup',
        'luksFormat',
        '-q',
        '--type',
        type,
        '--uuid',
        UUID,
        ...ITERATIONS,
        ...more,
        '--key-file',
        at('first'),
        volume,
      );
      tool('cryptsetup', 'luksAddKey', '-q', ...ITERATIONS, '--key-file', at('first'), volume, at('second'));
      mkdirSync(path.dirname(headerFile()), { recursive: true });
      rmSync(headerFile(), { force: true });
      tool('cryptsetup', 'luksHeaderBackup', volume, '--header-backup-file', headerFile());
      tool('wipefs', '--all', '--quiet', loop);
      rmSync(at('inside'), { force: true });
      rmSync(at('run'), { recursive: true, force: true });
      rmSync(at('var'), { recursive: true, force: true });
      put(`run/secrets/${UUID}`, 'second');
      mkdirSync(at('var/runs/run-1'), { recursive: true });
      const bytes = readFileSync(headerFile());
      const sum = createHash('sha256').update(bytes).digest('hex');
      return { header: sum, bytes: bytes.length, offset: type === 'luks1' ? 2 * MIB : 16 * MIB };
    };

    const job = (kind: string, args: Record<string, string | number>, more = ''): string => {
      const all = {
        uuid: UUID,
        tree: TREE,
        sector: 512,
        on: 'the-disk',
        disks: 'd',
        name: 'x-open',
        run: 'run-1',
        ...args,
      };
      return shell.run({
        parts: [`jobs/${kind}.sh`],
        script: [
          `cd '${base}'; RESURGO_RUN=$PWD/run RESURGO_VAR=$PWD/var LUKS_PLACE=$PWD/mnt/headers`,
          ...Object.entries(all).map(([key, value]) => `arg_${key}='${value}'`),
          `disks_check() { :; }; device_find() { device=${loop} device_bytes=$(blockdev --getsize64 ${loop}); }; device_luks() { :; }`,
          // Without device-mapper a volume is not opened; whether its key fits is seen all the same.
          'cryptsetup() { case $1:$2 in open:--test*) command cryptsetup "$@" ;; open:*) command cryptsetup open --test-passphrase "$2" "$3" "$4" ;; *) command cryptsetup "$@" ;; esac; }',
          'wipefs() { for last; do :; done; case $last in /dev/mapper/*) echo "$last" >>inside ;; *) command wipefs "$@" ;; esac; }',
          'atomic_put() { printf "%s\\n" "$2" >"$1"; }; job_result() { printf "ok {%s}\\n" "$1"; }',
          more,
          'job_main',
        ].join('\n'),
      });
    };
    const opens = (key: string) =>
      spawnSync('cryptsetup', ['open', '--test-passphrase', '--key-file', at(key), loop]).status === 0;
    const signature = () =>
      spawnSync('blkid', ['-p', '-s', 'TYPE', '-o', 'value', loop], { encoding: 'utf8' }).stdout.trim();

    test.each(['luks1', 'luks2'])('%s: with its UUID and all its keys', (type) => {
      const args = header(type, ...(type === 'luks2' ? ['--sector-size', '512', '--label', 'data'] : []));
      expect(job('luks-check', args)).toBe(`ok {"uuid":"${UUID}"}\n`);
      expect(signature()).toBe('');
      expect(job('luks-restore', args)).toMatch(/^ok \{"device"/);
      expect(tool('cryptsetup', 'luksUUID', loop)).toBe(UUID);
      expect(['first', 'second', 'wrong'].map(opens)).toEqual([true, true, false]);
      const dump = (of: string) => tool('cryptsetup', 'luksDump', of).replace(/^LUKS header information.*\n/, '');
      expect(dump(loop)).toBe(dump(at(`volume-${type}`)));
      // What opened it, and the header, are not needed here any more.
      expect(shell.run({ parts: [], script: `cd '${base}'; ls run/secrets; find mnt -type f` })).toBe('');
    });

    test('asked again after the answer was lost, the header is not written again', () => {
      const args = header('luks2', '--sector-size', '512');
      expect(job('luks-restore', args)).toMatch(/^ok/);
      put(`run/secrets/${UUID}`, 'first');
      tool('cryptsetup', 'luksKillSlot', '-q', '--key-file', at('first'), loop, '1');
      expect(job('luks-restore', args)).toMatch(/^ok/);
      expect(['first', 'second'].map(opens)).toEqual([true, false]);
      // Under the old key what was in the old volume shows again: it is wiped, and what was made in the new one since is not.
      expect(readFileSync(at('inside'), 'utf8')).toBe('/dev/mapper/x-open\n');
    });

    test('S24 a wrong passphrase, or none, is said before anything is written', () => {
      const args = header('luks2', '--sector-size', '512');
      put(`run/secrets/${UUID}`, 'wrong');
      for (const kind of ['luks-check', 'luks-restore'])
        expect(job(kind, args)).toMatch(/^needs-passphrase: the passphrase that was given does not open/);
      rmSync(at(`run/secrets/${UUID}`));
      for (const kind of ['luks-check', 'luks-restore'])
        expect(job(kind, args)).toMatch(/^needs-passphrase: .* is not here/);
      expect(signature()).toBe('');
    });

    test('a header that is not the one of the signed manifest is refused', () => {
      const args = header('luks2', '--sector-size', '512');
      expect(job('luks-restore', { ...args, header: 'f'.repeat(64) })).toMatch(/^identity-changed: .*signed manifest/);
      expect(job('luks-restore', { ...args, offset: 8 * MIB })).toMatch(
        /^identity-changed: .*at byte 16777216, and the layout at 8388608/,
      );
      rmSync(headerFile());
      expect(job('luks-check', args)).toMatch(/^not-found: the header .* is not here/);
      expect(signature()).toBe('');
    });

    test('a device that it does not fit on is refused, and left as it is', () => {
      const args = header('luks2', '--sector-size', '4096');
      const sized = (bytes: number) =>
        job('luks-restore', { ...args, sector: 4096 }, `device_find() { device=${loop} device_bytes=${bytes}; }`);
      expect(sized(16 * MIB)).toMatch(/^no-space: .* begins at byte 16777216/);
      expect(sized(24 * MIB - 512)).toMatch(/^failed: the volume is encrypted in sectors of 4096 bytes/);
      const sectors = 'blockdev() { echo 33554432; }';
      expect(job('luks-restore', { ...args, sector: 4096 }, sectors)).toMatch(/^failed: .* within a sector/);
      expect(job('luks-restore', args, `device_busy() { device_why=held; }`)).toMatch(
        /^busy: held: no header was put back/,
      );
      expect(signature()).toBe('');
    });
  });
});
