/** `layout` over a fleet in memory, with no engine, and what other commands say of the layouts in backups. */
import type { CliContext } from '../../cli/context';
import { showBackupReport } from '../../cli/commands/backup';
import { showReport } from '../../cli/commands/reports';
import { layoutText } from '../../cli/layout-text';
import { Output } from '../../cli/output';
import { HostError } from '../../hosts/errors';
import type { Layout } from '../../planning/layout-schema';
import { canonicalJson } from '../../planning/canonical';
import { layoutSum } from '../../planning/layout-diff';
import { unkept } from '../../planning/recoverable';
import { altered, golden, layoutOf, machine } from '../planning/layout-machines';
import { useMemoryFleet } from './support/memory-fleet';
import { sampleBuild, sampleMedium } from '../planning/rescue-sample';
import { entry, own, stranger } from './support/stored';
import { storeWithLayout } from './support/stored-layout';

const fleet = useMemoryFleet();
const answers = (facts: unknown) => {
  fleet.intercept = ({ verb, host }) => (verb === 'layout' && host === 'app-1' ? { facts } : undefined);
};

it('shows each disk down to its mount points, and with --json the layout', async () => {
  answers(machine('lvm-raid1'));
  const ran = await fleet.run('layout', 'show', 'app-1');
  expect([ran.code, ran.stderr]).toEqual([0, '']);
  expect(ran.stdout).toContain(`└─ sda3  18.0 GiB, Linux RAID
   └─ raid1 web-1:lvm  18.0 GiB, 2 members
      └─ LVM group vg-0
         ├─ data  4.0 GiB, linear
         │  └─ xfs “data”  4.0 GiB, 558.6 MiB used, 11111111-0000-4000-8000-000000000004
         │     └─ /srv/data
`);
  expect(ran.stdout).toContain('   └─ raid1 web-1:lvm  (shown above)\n');
  expect(ran.stdout).toMatch(/bond0 +bond 802.3ad of eno1 eno2 +52:54:00:aa:00:01 +192.0.2.20\/24/);
  const json = await fleet.run('layout', 'show', 'app-1', '--json');
  const anyTime: unknown = expect.any(String);
  expect(JSON.parse(json.stdout)).toEqual({
    layout: { ...golden('lvm-raid1'), host: 'app-1', capturedAt: anyTime },
  });
  expect(fleet.verbs('layout')).toHaveLength(2);
});

it('exits 3 where the system can’t be made again, and says why', async () => {
  const facts = machine('uefi-ext4');
  answers({ ...facts, 'sfdisk:/dev/vda': { exit: 127, out: '', err: 'sfdisk is not installed' } });
  const ran = await fleet.run('layout', 'show', 'app-1');
  expect(ran.code).toBe(3);
  expect(ran.stdout).toContain(
    'vda: its partition table could not be read: sfdisk is not installed; the machine can’t be recovered from bare metal',
  );
});

it('a host that the runbook does not know is refused by name', async () => {
  const ran = await fleet.run('layout', 'show', 'nowhere');
  expect(ran.code).not.toBe(0);
  expect(ran.stderr).toContain('the runbook has no host "nowhere"');
});

it('S29 no byte of a hostile host reaches the terminal as it is', () => {
  const layout = golden('uefi-ext4');
  const bad = 'x\u001b[31m\n\u202e';
  layout.disks[0]!.model = bad;
  layout.partitions[0]!.name = bad;
  layout.fileSystems[0]!.label = bad;
  layout.mounts[0]!.path = `/${bad}`;
  layout.boot.commandLine = bad;
  layout.network.interfaces[0]!.name = bad;
  layout.configs[0]!.path = bad;
  layout.limits.push({ what: bad, why: bad, weight: 'part' });
  layout.system.os.name = bad;
  const text = layoutText(layout);
  expect(text).not.toMatch(/[\u001b\u202e]/);
  expect(text.split('\n').length).toBe(layoutText(golden('uefi-ext4')).split('\n').length + 3);
});

describe('layouts in backups', () => {
  const FACTS = machine('uefi-ext4');
  const layoutAt = (facts = FACTS): Layout => ({ ...layoutOf(facts), host: 'app-1' });
  const backup = (id: string, options: Partial<Omit<Parameters<typeof storeWithLayout>[0], 'fleet' | 'id'>> = {}) => {
    storeWithLayout({ fleet, layout: layoutAt(), ...options, id });
  };
  const grown = altered(FACTS, { 'config:/etc/fstab': `${FACTS['config:/etc/fstab']?.out ?? ''}# changed\n` });

  it('show --backup shows what lies in the backup, and asks no host', async () => {
    backup('20261120_013000');
    const ran = await fleet.run('layout', 'show', 'app-1', '--backup', 'latest');
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    expect(ran.stdout).toMatch(/^as in backup 20261120_013000 of portal\napp-1: Debian/);
    expect(fleet.verbs('layout')).toEqual([]);
    const json = await fleet.run('layout', 'show', 'app-1', '--backup', '20261120_013000', '--json');
    expect(JSON.parse(json.stdout)).toEqual({
      backup: { id: '20261120_013000', group: 'portal' },
      layout: layoutAt(),
    });
  });

  it('S19 a layout that is not the signed one, or of a stranger, is not shown', async () => {
    backup('20261120_013000', { byStranger: true });
    const strange = await fleet.run('layout', 'show', 'app-1', '--backup', 'latest');
    expect([strange.code, strange.stdout]).toEqual([1, '']);
    expect(strange.stderr).toContain('signed by the unknown key');
    backup('20261121_013000', { named: { sha256: 'd'.repeat(64) } });
    const changed = await fleet.run('layout', 'show', 'app-1', '--backup', 'latest');
    expect([changed.code, changed.stdout]).toEqual([1, '']);
    expect(changed.stderr).toContain('not the one that was signed');
  });

  it('says why a backup has none', async () => {
    fleet.store(entry({ id: '20261119_013000', layouts: [unkept({ host: 'app-1', why: 'it was away' })] }));
    const ran = await fleet.run('layout', 'show', 'app-1', '--backup', 'latest');
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain('no backup holds a layout of app-1 (20261119_013000 of portal: it was away)');
    const other = await fleet.run('layout', 'show', 'app-1', '--backup', '20200101_000000');
    expect(other.stderr).toContain('backup 20200101_000000 gives no layout of app-1');
  });

  it('diff tells what is another now, and between two backups', async () => {
    backup('20261120_013000');
    backup('20261121_013000', { layout: layoutAt(grown) });
    answers(FACTS);
    const same = await fleet.run('layout', 'diff', 'app-1', '--backup', '20261120_013000');
    expect([same.code, same.stdout]).toEqual([0, 'app-1: no change from backup 20261120_013000 of portal to now\n']);
    const now = await fleet.run('layout', 'diff', 'app-1');
    expect([now.code, now.stdout]).toEqual([
      0,
      'app-1: from backup 20261121_013000 of portal to now\nfiles:\n  ~ /etc/fstab\n',
    ]);
    const two = await fleet.run('layout', 'diff', 'app-1', '--backup', '20261120_013000', '--to', 'latest', '--json');
    expect(JSON.parse(two.stdout)).toMatchObject({
      from: { id: '20261120_013000' },
      to: { id: '20261121_013000' },
      changes: [{ area: 'files', change: 'changed' }],
    });
    const back = await fleet.run('layout', 'diff', 'app-1', '--backup', 'latest', '--to', '20261120_013000');
    expect([back.code, back.stderr]).toEqual([2, expect.stringContaining('name the older one with --backup')]);
  });

  it('check: 0 as in the backup, 1 changed, 3 where it can not be told', async () => {
    backup('20261120_013000');
    answers(FACTS);
    const same = await fleet.run('layout', 'check', 'app-1');
    expect([same.code, same.stdout]).toEqual([
      0,
      'app-1: as in backup 20261120_013000 of portal\napp-1: no rescue media of it are kept\n',
    ]);
    const all = await fleet.run('layout', 'check', '--all');
    expect(all.code).toBe(3);
    expect(all.stdout).toMatch(/^app-1: as in .*\n.*\napp-2: NOT KNOWN: no backup holds a layout of app-2/);
    answers(grown);
    const changed = await fleet.run('layout', 'check', '--all');
    expect(changed.code).toBe(1);
    expect(changed.stdout).toContain(
      'app-1: CHANGED since backup 20261120_013000 of portal\n  files:\n    ~ /etc/fstab\n',
    );
    expect(JSON.parse((await fleet.run('layout', 'check', 'app-1', '--json')).stdout)).toMatchObject({
      hosts: [{ host: 'app-1', since: { id: '20261120_013000' }, changes: [{ what: expect.any(String) as string }] }],
    });
  });

  describe('check with rescue media', () => {
    const media = (id: string, layoutSha256: string, key = own) => {
      const files = [sampleMedium({ name: 'rescue.iso', content: 'x' })];
      const director = { id: 'director-test', publicKeyHex: key.publicKeyHex };
      const bytes = Buffer.from(canonicalJson(sampleBuild({ files, director, id, layoutSha256 })));
      const medium = { group: 'portal', host: 'app-1', id, sig: key.sign(bytes) };
      fleet.hosts.host('target').media.push({ ...medium, build: bytes.toString('base64') });
    };
    const check = () => fleet.run('layout', 'check', 'app-1');

    it('1 where the newest usable ones were built for another layout, though the backup has this one', async () => {
      backup('20261120_013000');
      answers(FACTS);
      media('20261101_010000', layoutSum(layoutAt(grown)));
      const old = await check();
      expect([old.code, old.stdout]).toEqual([
        1,
        'app-1: as in backup 20261120_013000 of portal\napp-1: CHANGED since rescue media 20261101_010000 of portal, which were built for another layout: build them again (resurgo rescue build app-1)\n',
      ]);
      media('20261102_010000', layoutSum(layoutAt()));
      media('20261103_010000', 'd'.repeat(64), stranger);
      const built = await check();
      expect([built.code, built.stdout]).toEqual([
        0,
        'app-1: as in backup 20261120_013000 of portal\napp-1: as when rescue media 20261102_010000 of portal were built\n',
      ]);
      const { stdout } = await fleet.run('layout', 'check', 'app-1', '--json');
      expect(JSON.parse(stdout)).toMatchObject({
        hosts: [{ media: { id: '20261102_010000', group: 'portal', changed: false } }],
      });
    });

    it('1 too where no backup holds a layout; 3 where the media can not be looked at', async () => {
      answers(FACTS);
      media('20261101_010000', layoutSum(layoutAt(grown)));
      expect((await check()).code).toBe(1);
      backup('20261120_013000');
      fleet.intercept = ({ verb, host }) => {
        if (verb === 'rescue.list') throw new HostError({ host, verb, code: 'unreachable', message: 'gone' });
        return verb === 'layout' ? { facts: FACTS } : undefined;
      };
      const ran = await check();
      expect([ran.code, ran.stdout]).toEqual([
        3,
        expect.stringMatching(/as in backup.*\n.*NOT KNOWN of its rescue media/),
      ]);
    });
  });

  it('check: a host that is away, or does not tell its disks, has not changed', async () => {
    backup('20261120_013000');
    fleet.intercept = ({ verb, host }) => {
      if (verb === 'layout') throw new HostError({ host, verb, code: 'unreachable', message: 'gone' });
      return undefined;
    };
    expect(await fleet.run('layout', 'check', 'app-1')).toMatchObject({ code: 3 });
    answers(altered(FACTS, { lsblk: { exit: 137, out: '' } }));
    const ran = await fleet.run('layout', 'check', 'app-1');
    expect([ran.code, ran.stdout]).toEqual([3, expect.stringContaining('does not tell which disks it has')]);
  });

  it.each([[[]], [['app-1', '--all']], [['nowhere']]])('check %j is refused', async (words) => {
    expect(await fleet.run('layout', 'check', ...words)).toMatchObject({ code: 2 });
  });

  describe('what could not be made again', () => {
    const bad = { recoverable: false, reasons: ['sda: it is a bcache device'] };
    const words = 'app-1 is not recoverable from bare metal, because sda: it is a bcache device';

    it('is a verdict on a whole system: in show, list and status; the backup counts all the same', async () => {
      backup('20261120_013000', { kind: 'system', named: bad });
      const shown = await fleet.run('show', 'latest');
      expect(shown.code).toBe(0);
      expect(shown.stdout).toContain(`NOT RECOVERABLE: ${words}\nlayouts: app-1\n`);
      expect((await fleet.run('list')).stdout).toContain(words);
      expect((await fleet.run('status')).stdout).toContain(words);
    });

    it('headers of encrypted volumes that are in the backup are told by their number', async () => {
      const luksHeaders = [{ uuid: 'aa-01', bytes: 2 ** 24, headerSha256: 'c'.repeat(64) }];
      backup('20261120_013000', { kind: 'system', luksHeaders });
      expect((await fleet.run('show', 'latest')).stdout).toContain('headers of encrypted volumes: prod-app-1 (1)\n');
    });

    it('is a note where only data are backed up', async () => {
      backup('20261120_013000', { named: bad });
      const shown = await fleet.run('show', 'latest');
      expect(shown.stdout).not.toContain('NOT RECOVERABLE');
      expect(shown.stdout).toContain('note: blank disks could not be made app-1 again, because sda: it is');
      expect((await fleet.run('list')).stdout).not.toContain('bare metal');
    });

    it('makes a backup’s exit code 3, whoever asks for its report', () => {
      const written: string[] = [];
      jest.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(String(text)) > 0);
      const out: Pick<CliContext, 'out'> = { out: new Output({ json: false, quiet: false }) };
      const context = out as CliContext;
      const report = {
        ...{ state: 'Completed' as const, id: '20261120_013000', pauseMs: 1, label: 'none', sources: [], warnings: [] },
        notRecoverable: [{ host: 'app-1', reasons: bad.reasons }],
      };
      expect(showBackupReport(context, report)).toBe(3);
      expect(showBackupReport(context, { ...report, notRecoverable: [] })).toBe(0);
      const scheduled = { state: 'Completed', id: report.id, backup: report, prune: null };
      expect(showReport(context, { kind: undefined, report: scheduled })).toBe(3);
      expect(written.join('').split(words)).toHaveLength(3);
    });
  });
});
