/** The commands of `rescue` that need no engine, over a fleet in memory. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FAKE_MEDIUM } from '../../hosts/fake-replies';
import { openNetbootMedia } from '../../hosts/netboot-media';
import { rescueKeys } from '../../hosts/rescue-ref';
import { showRescueReport } from '../../cli/commands/rescue-build';
import type { CliContext } from '../../cli/context';
import { COLUMNS, lookAtDisk, refusals, tools } from '../../cli/usb-disk';
import type { RescueReport } from '../../workflows/rescue';
import { canonicalJson } from '../../planning/canonical';
import type { RescueBuild } from '../../planning/rescue-media';
import { SAMPLE_HOST_KEY as HOST_KEY, sampleBuild, sampleMedium } from '../planning/rescue-sample';
import { useMemoryFleet } from './support/memory-fleet';
import { own, stranger } from './support/stored';

const fleet = useMemoryFleet();
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'resurgo-media-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function build(over: Partial<RescueBuild> = {}, key = own): RescueBuild {
  const files = [sampleMedium({ name: 'rescue.iso', content: FAKE_MEDIUM, pinned: true })];
  return sampleBuild({ files, director: { id: 'director-test', publicKeyHex: key.publicKeyHex }, ...over });
}

function keep(made: RescueBuild, { key = own, sig }: { key?: typeof own; sig?: string } = {}): void {
  const bytes = Buffer.from(canonicalJson(made));
  const { host, id } = made;
  fleet.hosts
    .host('target')
    .media.push({ group: 'portal', host, id, build: bytes.toString('base64'), sig: sig ?? key.sign(bytes) });
}

const stateDir = () => process.env.RESURGO_STATE ?? '';

describe('rescue list and show', () => {
  it('says what is kept, what boots and what is a secret, and notes the host key of the newest', async () => {
    keep(build({ id: '20261120_013000', verdict: 'made', bootedAt: null, hostKey: null, secureBoot: false }));
    keep(build());
    const ran = await fleet.run('rescue', 'list', 'app-1');
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    expect(ran.stdout).toMatch(/app-1 +20261120_013000 +made .*made at boot +no Secure Boot\n/);
    expect(ran.stdout).toMatch(/app-1 +20261121_013000 +booted .*6\.1\.0-18 +pinned: secret\n/);
    expect(fleet.verbs('rescue.list')[0]?.args).toEqual({ store: 'main', group: 'portal', host: 'app-1' });
    expect(await rescueKeys({ stateDir: stateDir(), host: 'app-1' })).toMatchObject([
      { base64: HOST_KEY.split(' ')[1] },
    ]);
    const json = await fleet.run('rescue', 'list', '--json');
    expect(JSON.parse(json.stdout)).toMatchObject({
      group: 'portal',
      media: [{ id: '20261120_013000' }, { build: { host: 'app-1' } }],
    });
  });

  it.each([
    [{ biosBoot: false, uefiBoot: true }, 'no BIOS', /does not start by BIOS: .*grub-pc-bin/],
    [{ biosBoot: true, uefiBoot: false, secureBoot: false }, 'no UEFI', /does not start by UEFI: .*grub-efi-amd64-bin/],
  ])('says which firmware does not start it: %j', async (of, note, told) => {
    keep(build(of));
    expect((await fleet.run('rescue', 'list', 'app-1')).stdout).toMatch(new RegExp(`pinned: secret +${note}\n`));
    expect((await fleet.run('rescue', 'show', 'app-1')).stdout).toMatch(told);
    const json = JSON.parse((await fleet.run('rescue', 'list', '--json')).stdout) as { media: { build: object }[] };
    expect(json.media[0]?.build).toMatchObject(of);
  });

  it('S19 media that a stranger has signed, and changed ones, are shown as such, and their key is not noted', async () => {
    keep(build({}, stranger), { key: stranger });
    keep(build({ id: '20261122_013000' }), { sig: own.sign(Buffer.from('another')) });
    const ran = await fleet.run('rescue', 'list');
    expect(ran.stdout).toMatch(/20261121_013000 .*signed by the unknown key [0-9a-f]{12}, see resurgo adopt/);
    expect(ran.stdout).toMatch(/20261122_013000 +UNUSABLE .*changed after it was signed/);
    expect(await rescueKeys({ stateDir: stateDir(), host: 'app-1' })).toEqual([]);
    const shown = await fleet.run('rescue', 'show', 'app-1');
    expect([shown.code, shown.stderr]).toEqual([
      1,
      'the store keeps no usable rescue media of app-1. See `resurgo rescue list app-1`\n',
    ]);
    const named = await fleet.run('rescue', 'fetch', 'app-1', '20261121_013000', '--to', join(folder, 'x.iso'));
    expect([named.code, existsSync(join(folder, 'x.iso'))]).toEqual([1, false]);
    expect(named.stderr).toContain('are not to be used: signed by the unknown key');
  });

  it('media that say they are another host’s are not given out as this one’s', async () => {
    const bytes = Buffer.from(canonicalJson(build({ host: 'app-2' })));
    const lie = { group: 'portal', host: 'app-1', id: '20261121_013000', sig: own.sign(bytes) };
    fleet.hosts.host('target').media.push({ ...lie, build: bytes.toString('base64') });
    expect((await fleet.run('rescue', 'list')).stdout).toContain(
      'its build.json is of other media, 20261121_013000 of app-2',
    );
  });

  it('shows a build', async () => {
    keep(build());
    const { stdout } = await fleet.run('rescue', 'show', 'app-1', 'latest');
    expect(stdout.split('\n').slice(0, 5)).toEqual([
      'rescue media 20261121_013000 of app-1: booted',
      'built 2026-11-21 01:30:00 UTC; started and logged into 2026-11-21 01:31:00 UTC',
      'kernel 6.1.0-18, 913 modules (common), 40 firmware files, network captured',
      'boots with Secure Boot',
      expect.stringMatching(/^host key: SHA256:\S+, in the image: it is a secret$/),
    ]);
  });

  it('names what helps where there is none, or a host is none of the group’s', async () => {
    expect((await fleet.run('rescue', 'list', 'app-1')).stdout).toBe(
      'no rescue media of app-1 yet; build some with: resurgo rescue build app-1\n',
    );
    const target = await fleet.run('rescue', 'build', 'target');
    expect([target.code, target.stderr]).toEqual([2, expect.stringContaining('no group has a source on target')]);
    expect((await fleet.run('rescue', 'build')).stderr).toBe('name the hosts, or give --all\n');
    expect((await fleet.run('rescue', 'build', 'app-1', '--output', 'iso,floppy')).stderr).toContain(
      '"floppy" is no kind',
    );
  });
});

describe('the report of a build', () => {
  const ok = {
    state: 'ok' as const,
    id: '20261121_013000',
    bytes: 5_000_000,
    pinned: true,
    secureBoot: false,
    removed: ['20261101_013000'],
  };
  const shown = (report: RescueReport) => {
    const said: string[] = [];
    const out = { result: ({ text }: { text: string }) => said.push(text) };
    return { code: showRescueReport({ out } as unknown as CliContext, report), text: said.join('\n') };
  };

  it('says what is known to boot, what went, and what is a secret', () => {
    const media = [{ host: 'app-1', ...ok, verdict: 'booted' as const }];
    expect(shown({ state: 'Completed', media, warnings: [] })).toEqual({
      code: 0,
      text: [
        'Completed: rescue media of 1 of 1 host',
        'app-1  booted  20261121_013000, 4.8 MiB  no Secure Boot',
        'removed as older: app-1 20261101_013000',
        'Images with a pinned host key are secrets: who has one can pose as the rescue system.',
      ].join('\n'),
    });
  });

  it('a host that was left out is exit 3', () => {
    const media = [{ host: 'app-1', state: 'missing' as const, reason: 'left out by anna: it is off' }];
    const { code, text } = shown({ state: 'Partial', media, warnings: ['boot app-2: no'] });
    expect(code).toBe(3);
    expect(text).toContain('app-1  MISSING    left out by anna: it is off');
    expect(text).toContain('warning: boot app-2: no');
  });
});

describe('rescue fetch', () => {
  it('S30 writes the image 0600, compared, and says that it is a secret', async () => {
    keep(build());
    const to = join(folder, 'app-1.iso');
    const ran = await fleet.run('rescue', 'fetch', 'app-1', '--to', to);
    expect(ran.code).toBe(0);
    expect(ran.stdout).toContain('keep it as a secret');
    expect(readFileSync(to).equals(FAKE_MEDIUM)).toBe(true);
    expect(statSync(to).mode & 0o777).toBe(0o600);
    const again = await fleet.run('rescue', 'fetch', 'app-1', '--to', to);
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('is there already; nothing was written')]);
  });

  it('an image with another sum than the signed one is not written', async () => {
    const made = build();
    keep({ ...made, files: made.files.map((each) => ({ ...each, sha256: 'c'.repeat(64) })) });
    const to = join(folder, 'app-1.iso');
    const ran = await fleet.run('rescue', 'fetch', 'app-1', '--to', to);
    expect([ran.code, existsSync(to), existsSync(`${to}.part`)]).toEqual([1, false, false]);
    expect(ran.stderr).toContain('another size or sum than it was built with');
    expect((await fleet.run('rescue', 'fetch', 'app-1', '--output', 'pxe', '--to', folder)).stderr).toContain(
      'have no pxe',
    );
  });

  it('files for the network come with what is said of them, and netboot takes the folder as it is', async () => {
    const files = ['vmlinuz', 'initramfs.img'].map((name) => sampleMedium({ name, content: FAKE_MEDIUM }));
    keep(build({ files }));
    writeFileSync(join(folder, 'initramfs.img'), 'of another build');
    const fetch = (...more: string[]) =>
      fleet.run('rescue', 'fetch', 'app-1', '--output', 'pxe', '--to', folder, ...more);
    expect((await fetch()).stderr).toContain('is there already; nothing was written');
    expect(readdirSync(folder)).toEqual(['initramfs.img']);
    const ran = await fetch('--force');
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    const media = await openNetbootMedia({ folder, host: 'app-1' });
    await media.close();
    expect([media.id, [...media.files.keys()]]).toEqual(['20261121_013000', ['vmlinuz', 'initramfs.img']]);
  });
});

describe('rescue write-usb', () => {
  const stick = {
    name: '/dev/sdz',
    type: 'disk',
    size: 8_000_000_000,
    serial: 'SN1',
    model: 'Stick',
    vendor: 'V',
    tran: 'usb',
    rm: true,
    hotplug: true,
    ro: false,
  };
  const shows = (...answers: object[]) => {
    let at = 0;
    const next = () => answers[Math.min(at++, answers.length - 1)];
    jest.spyOn(tools, 'lsblk').mockImplementation(() => Promise.resolve(JSON.stringify({ blockdevices: [next()] })));
  };
  const write = (...more: string[]) => fleet.run('rescue', 'write-usb', 'app-1', '--device', '/dev/sdz', ...more);

  it.each([
    [
      'mounted',
      { children: [{ name: '/dev/sdz1', type: 'part', size: 5, fstype: 'vfat', mountpoint: '/media/x' }] },
      '/dev/sdz1 is mounted at /media/x',
    ],
    ['in use', { children: [{ name: '/dev/md0', type: 'raid1', size: 5 }] }, '/dev/md0 (raid1) is in use'],
    ['fixed', { rm: false, tran: 'sata' }, 'neither removable nor on USB'],
    ['read-only', { ro: true }, 'it is read-only'],
    ['nameless', { serial: null }, 'it tells no serial number'],
    ['empty', { size: 0 }, 'it has no medium in it'],
  ])('a disk that is %s is refused', async (_what, over, why) => {
    keep(build());
    shows({ ...stick, ...over });
    const ran = await write('--serial', 'SN1');
    expect([ran.code, ran.stderr]).toEqual([2, expect.stringContaining(why)]);
    expect(fleet.verbs('rescue.file')).toEqual([]);
  });

  it('an lsblk of before util-linux 2.37 is asked for what it knows alone, and understood', async () => {
    // Of `lsblk --help` in util-linux 2.34.
    const known =
      'NAME KNAME PATH MAJ:MIN FSAVAIL FSSIZE FSTYPE FSUSED FSUSE% MOUNTPOINT LABEL UUID PTUUID PTTYPE PARTTYPE PARTLABEL PARTUUID PARTFLAGS RA RO RM HOTPLUG MODEL SERIAL SIZE STATE OWNER GROUP MODE ALIGNMENT MIN-IO OPT-IO PHY-SEC LOG-SEC ROTA SCHED RQ-SIZE TYPE DISC-ALN DISC-GRAN DISC-MAX DISC-ZERO WSAME WWN RAND PKNAME HCTL TRAN SUBSYSTEMS REV VENDOR ZONED';
    expect(COLUMNS.split(',').filter((column) => !known.split(' ').includes(column))).toEqual([]);
    const part = { name: '/dev/sdz1', type: 'part', size: '5', fstype: 'vfat', label: null, mountpoint: '/media/x' };
    shows({ ...stick, size: '8000000000', rm: '1', ro: '0', children: [part] });
    const disk = await lookAtDisk('/dev/sdz');
    expect([disk.size, refusals(disk)]).toEqual([8_000_000_000, ['/dev/sdz1 is mounted at /media/x']]);
  });

  it('a partition is no stick, and another serial is no agreement', async () => {
    keep(build());
    shows({ ...stick, type: 'part' });
    expect((await write('--serial', 'SN1')).stderr).toContain('/dev/sdz is no whole disk but a part');
    shows(stick);
    expect((await write('--serial', 'SN2')).stderr).toBe(
      '"SN2" is not the serial number of /dev/sdz: nothing was written\n',
    );
    expect((await write()).stderr).toContain('there is nobody to ask here');
    const small = await (shows({ ...stick, size: 5 }), write('--serial', 'SN1'));
    expect(small.stderr).toContain('/dev/sdz has 5 B: nothing was written');
    expect(fleet.verbs('rescue.file')).toEqual([]);
  });

  it('what is no block device is not written, whatever lsblk said of it', async () => {
    keep(build());
    const file = join('/dev/shm', `resurgo-stick-${process.pid}`);
    writeFileSync(file, 'untouched');
    try {
      shows({ ...stick, name: file });
      const ran = await fleet.run('rescue', 'write-usb', 'app-1', '--device', file, '--serial', 'SN1');
      expect([ran.code, readFileSync(file, 'utf8')]).toEqual([1, 'untouched']);
      expect(ran.stderr).toContain('is another disk now');
    } finally {
      rmSync(file);
    }
  });
});
