/** `layout show` over a fleet in memory, with no engine. */
import { layoutText } from '../../cli/layout-text';
import { golden, machine } from '../planning/layout-machines';
import { useMemoryFleet } from './support/memory-fleet';

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
