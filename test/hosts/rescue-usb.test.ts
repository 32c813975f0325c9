/** Rescue media onto a disk that is one: a loop device, which `lsblk` is made to call a stick. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tools } from '../../cli/usb-disk';
import { FAKE_MEDIUM } from '../../hosts/fake-replies';
import { canonicalJson } from '../../planning/canonical';
import { useMemoryFleet } from '../cli/support/memory-fleet';
import { own } from '../cli/support/stored';
import { describeAsRoot } from '../hostkit/support';
import { sampleBuild, sampleMedium } from '../planning/rescue-sample';

jest.setTimeout(60_000);

describeAsRoot('rescue write-usb', () => {
  const fleet = useMemoryFleet();
  let folder = '';
  let device = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'resurgo-stick-'));
    const disk = join(folder, 'disk');
    writeFileSync(disk, 'what was on it');
    truncateSync(disk, 8 << 20);
    device = execFileSync('losetup', ['-f', '--show', disk], { encoding: 'utf8' }).trim();
    keep();
  });
  afterEach(() => {
    execFileSync('losetup', ['-d', device]);
    rmSync(folder, { recursive: true, force: true });
  });

  function keep(): void {
    const files = [sampleMedium({ name: 'rescue.iso', content: FAKE_MEDIUM })];
    const director = { id: 'director-test', publicKeyHex: own.publicKeyHex };
    const bytes = Buffer.from(canonicalJson(sampleBuild({ files, hostKey: null, director })));
    const medium = { group: 'portal', host: 'app-1', id: '20261121_013000', sig: own.sign(bytes) };
    fleet.hosts.host('target').media.push({ ...medium, build: bytes.toString('base64') });
  }

  const stick = (over: object = {}) => ({
    ...{ name: device, type: 'disk', size: 8 << 20, serial: 'SN1', model: 'Stick', tran: 'usb', rm: true },
    ...{ hotplug: true, ro: false, ...over },
  });
  const shows = (...answers: (() => object)[]) => {
    let at = 0;
    jest.spyOn(tools, 'lsblk').mockImplementation(() => {
      const answer = answers[Math.min(at, answers.length - 1)] ?? stick;
      at += 1;
      return Promise.resolve(JSON.stringify({ blockdevices: [answer()] }));
    });
  };
  const write = () => fleet.run('rescue', 'write-usb', 'app-1', '--device', device, '--serial', 'SN1');
  const content = () => readFileSync(device).subarray(0, FAKE_MEDIUM.length).toString();

  it('writes the image and reads it back', async () => {
    shows(stick);
    const ran = await write();
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    expect(ran.stdout).toContain(
      `${device} (serial SN1) holds rescue media 20261121_013000 of app-1, read back and compared`,
    );
    expect(content()).toBe(FAKE_MEDIUM.toString());
  });

  it('another disk under the same name since it was looked at is left alone', async () => {
    shows(stick, () => stick({ serial: 'SN2' }));
    const ran = await write();
    expect([ran.code, ran.stderr]).toEqual([1, `${device} is another disk now, serial SN2: nothing was written\n`]);
    expect(content()).toMatch(/^what was on it/);
  });

  it('one that is in use is left alone, whatever lsblk says', async () => {
    shows(stick);
    execFileSync('mkfs.ext4', ['-q', device]);
    const at = join(folder, 'mounted');
    execFileSync('sh', ['-c', `mkdir "$1" && mount "$2" "$1"`, 'sh', at, device]);
    try {
      const ran = await write();
      expect([ran.code, ran.stderr]).toEqual([1, `${device} can't be opened: it is in use\n`]);
    } finally {
      execFileSync('umount', [at]);
    }
  });

  it('a stick that gives back other bytes is no medium', async () => {
    shows(stick);
    jest.spyOn(tools, 'forget').mockImplementation(() => {
      execFileSync('sh', ['-c', `printf X | dd of="$1" conv=notrunc status=none`, 'sh', device]);
      return Promise.resolve();
    });
    const ran = await write();
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining('the stick is broken')]);
  });
});
