/** A rescue system is given the hostkit of its director: whole and as it was sent, or not at all. */
import { appendFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { asRescue, readHostkit, sumOf, type HostkitTree } from '../../../hosts/enroll/hostkit-tree';
import { packTarGz } from '../../../hosts/enroll/tar';
import { Box, describeAsRoot, SHELLS } from '../support';

/** The tree with another part in it: of a later version. */
async function later(): Promise<HostkitTree> {
  const kit = asRescue(await readHostkit());
  const files = [...kit.files, { path: 'lib/later.sh', mode: 0o755, content: Buffer.from('# Of later.\n') }];
  const lines = files.map(({ path, content }) => `${sumOf(content)}  ./${path}\n`).sort();
  return { version: '9.1', hash: sumOf(lines.join('')), files };
}

function put({ version, hash, files }: HostkitTree, piece = 240_000): Record<string, string> {
  const tree = packTarGz(files).toString('base64');
  return {
    version,
    sum: hash,
    tree: tree.slice(0, piece),
    ...(tree.length > piece ? { rest: tree.slice(piece) } : {}),
  };
}

describeAsRoot('the hostkit of a rescue system', () => {
  describe.each(SHELLS)('%s', (shell) => {
    let box: Box;
    const lib = (name: string) => box.file(`lib/resurgo/${name}`);
    beforeAll(() => {
      box = new Box({ shell });
      for (const part of ['jobs', 'lib', 'verbs']) {
        cpSync(lib(`rescue/${part}`), lib(part), { recursive: true });
        rmSync(lib(`rescue/${part}`), { recursive: true });
      }
    });
    afterAll(() => {
      box.close();
    });

    test('one that was not sent whole, or as something else, is refused, and the old one stands', async () => {
      const kit = await later();
      expect(box.ask('kit.put', { ...put(kit), sum: '0'.repeat(64) })).toMatchObject({
        ok: false,
        code: 'bad-request',
      });
      expect(box.ask('kit.put', { ...put(kit), tree: 'QUJD' })).toMatchObject({ ok: false, code: 'bad-request' });
      mkdirSync(box.file('etc/tree'));
      spawnSync('ln', ['-s', '/etc/shadow', box.file('etc/tree/hostkit')]);
      const { stdout } = spawnSync('tar', ['-cz', '-C', box.file('etc/tree'), '.']);
      const reply = box.ask('kit.put', { version: '9.1', sum: '0'.repeat(64), tree: stdout.toString('base64') });
      expect(reply).toMatchObject({ ok: false, message: expect.stringContaining('nothing else') as unknown });
      expect(existsSync(lib('lib/later.sh'))).toBe(false);
      expect(box.ask('probe')).toMatchObject({ ok: true, version: '0' });
    });

    test('it is this one from then on, which its own probe tells, with what LVM and md are told; again changes nothing', async () => {
      const kit = await later();
      for (let times = 0; times < 2; times += 1) {
        expect(box.ask('kit.put', put(kit))).toEqual({ ok: true });
        expect(box.ask('probe')).toMatchObject({ version: '9.1', hash: kit.hash });
      }
      expect(readFileSync(box.file('etc/lvm/lvm.conf'), 'utf8')).toBe(readFileSync(lib('rescue/lvm.conf'), 'utf8'));
      expect(existsSync(box.file('etc/mdadm/mdadm.conf'))).toBe(true);
      expect(existsSync(box.file('lib/resurgo.old'))).toBe(false);
      appendFileSync(lib('lib/later.sh'), 'x');
      expect(box.ask('probe')).toMatchObject({ hash: 'damaged' });
    });

    test('not while a job runs', async () => {
      const job = box.state('jobs/run-00000001.a');
      mkdirSync(job, { recursive: true });
      const { pid } = process;
      const start =
        readFileSync(`/proc/${pid}/stat`, 'utf8')
          .replace(/^.*\) /, '')
          .split(' ')[19] ?? '';
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8');
      writeFileSync(`${job}/pid`, `${pid} ${start} ${boot}`);
      expect(box.ask('kit.put', put(await later()))).toMatchObject({ ok: false, code: 'busy' });
      rmSync(job, { recursive: true });
    });

    test('media are built with the one that their director knows by its sum', async () => {
      const kit = asRescue(await readHostkit());
      const fresh = new Box({ shell });
      try {
        for (const name of ['director.keys', 'peers'])
          writeFileSync(fresh.file(`etc/resurgo/${name}`), '', { mode: 0o600 });
        const [command = 'dash', ...args] = shell.split(' ');
        const script = [
          'set -eu; LC_ALL=C; RESURGO_LIB=/usr/local/lib/resurgo; mkdir /run/work; cd /run/work',
          '. $RESURGO_LIB/lib/base.sh; . $RESURGO_LIB/lib/types.sh; . $RESURGO_LIB/lib/config.sh; . $RESURGO_LIB/lib/rescue-image.sh',
          'rescue_own no dhcp; cat own/usr/local/lib/resurgo/VERSION; test -x own/init',
        ].join('\n');
        expect(fresh.runs(command, [...args, '-c', script])).toEqual({
          status: 0,
          stdout: `0 ${kit.hash}\n`,
          stderr: '',
        });
      } finally {
        fresh.close();
      }
    });
  });
});
