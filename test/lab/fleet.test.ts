/** The simulated fleet itself: that its hosts are real enough, and that nothing of it outlives its test. */
import { execFile, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { describeLab } from './support/describe-lab';
import { type Fleet, raiseFleet } from './support/fleet';

const run = promisify(execFile);
const script = path.join(__dirname, 'support', 'fleet.sh');
const sweep = path.join(__dirname, '..', '..', 'scripts', 'lab-sweep.sh');

/** Opens a TCP connection from a host to another one's sshd: the exit code is 0, or 124 when nothing answers. */
async function reach(fleet: Fleet, from: string, to: string): Promise<number> {
  const probe = `timeout 2 bash -c 'exec 3<> /dev/tcp/${fleet.host(to).address}/22'`;
  return (await fleet.exec(from, probe, { mayFail: true })).code;
}

async function startContainer(fleet: Fleet, host: string): Promise<string> {
  const command = `docker run -d --name writer bb:1 sh -c 'while :; do date >> /tmp/log; sleep 0.1; done'`;
  return (await fleet.ssh(host, command)).stdout.trim();
}

async function loopDevices(fleetName: string): Promise<string> {
  const { stdout } = await run('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE']);
  return stdout
    .split('\n')
    .filter((line) => line.includes(`/${fleetName}/`))
    .join('\n');
}

/** Names of everything on the machine that belongs to a fleet, by kind. */
async function remains(fleetName: string): Promise<Record<string, unknown>> {
  const namespaces = readdirSync('/run/netns').filter((name) => name.startsWith(`rl.${fleetName}.`));
  const cgroups = readdirSync('/sys/fs/cgroup')
    .map((hierarchy) => `/sys/fs/cgroup/${hierarchy}/resurgo-lab/${fleetName}`)
    .concat(`/sys/fs/cgroup/resurgo-lab/${fleetName}`)
    .filter((folder) => existsSync(folder));
  const folders = ['/run/resurgo-lab', '/var/tmp/resurgo-lab'].filter((base) => existsSync(`${base}/${fleetName}`));
  return { namespaces, cgroups, folders, loops: await loopDevices(fleetName) };
}

const nothing = { namespaces: [], cgroups: [], folders: [], loops: '' };

describeLab('fleet', () => {
  let fleet: Fleet;

  beforeAll(async () => {
    fleet = await raiseFleet({
      name: 'fleet',
      hosts: [
        { name: 'app-1', disk: 'btrfs', docker: true },
        { name: 'app-2', disk: 'btrfs', docker: true },
        { name: 'sys-1', disk: 'btrfs', docker: true, systemd: true },
        { name: 'target', disk: 'btrfs', docker: false, zfs: true, store: 'ext4', storeSize: '512M' },
      ],
    });
  }, 400_000);

  afterAll(async () => {
    await fleet.down();
    expect(await remains(fleet.name)).toEqual(nothing);
  }, 60_000);

  test('each host has its own name, processes, users and host key, and answers to ssh', async () => {
    for (const host of fleet.hosts) {
      const { stdout } = await fleet.ssh(
        host.name,
        'hostname; cat /proc/1/comm; ls -d /dev/vda /dev/sda 2>&1 | grep -c ^/ || true',
      );
      expect(stdout.split('\n').slice(0, 3)).toEqual([host.name, host.systemd ? 'systemd' : 'busybox', '0']);
    }
    const keys = await Promise.all(
      fleet.hosts.map((host) => fleet.exec(host.name, 'cat /etc/ssh/ssh_host_*_key.pub /etc/machine-id')),
    );
    expect(new Set(keys.map((key) => key.stdout)).size).toBe(fleet.hosts.length);
    await fleet.exec('app-1', 'useradd -m someone');
    expect((await fleet.exec('app-2', 'id someone', { mayFail: true })).code).toBe(1);
  });

  test('sudo works for the one command that sudoers names', async () => {
    await fleet.exec(
      'app-1',
      `useradd -m -s /bin/sh robot; echo 'robot ALL=(root) NOPASSWD: /usr/bin/id ""' > /etc/sudoers.d/robot`,
    );
    expect((await fleet.exec('app-1', `su robot -c 'sudo -n /usr/bin/id -un' 2>&1`, { mayFail: true })).code).toBe(1);
    expect((await fleet.exec('app-1', `su robot -c 'sudo -n /usr/bin/id'`)).stdout).toContain('uid=0(root)');
  });

  test('docker pauses a container and the freezer says so', async () => {
    const id = await startContainer(fleet, 'app-1');
    await fleet.ssh('app-1', 'docker pause writer');
    const state = `grep -l . /sys/fs/cgroup/freezer/resurgo-lab/${fleet.name}/app-1/docker/${id}/freezer.state | xargs cat`;
    const unified = `grep frozen /sys/fs/cgroup/resurgo-lab/${fleet.name}/app-1/docker/${id}/cgroup.events`;
    const { stdout } = await fleet.exec(
      'app-1',
      `if [ -d /sys/fs/cgroup/freezer ]; then ${state}; else ${unified}; fi`,
    );
    expect(stdout).toMatch(/FROZEN|frozen 1/);
    await fleet.ssh('app-1', 'docker unpause writer && docker rm -f writer');
  });

  test('/srv is a subvolume that takes snapshots, and the top of its disk can be mounted in private', async () => {
    await fleet.ssh(
      'app-1',
      'echo kept > /srv/file && btrfs subvolume snapshot -r /srv /srv/.before && echo lost > /srv/file',
    );
    expect((await fleet.exec('app-1', 'cat /srv/.before/file')).stdout).toBe('kept\n');
    const top = 'mkdir -p /run/top && mount -o subvolid=5 "$(findmnt -no SOURCE -v /srv)" /run/top && ls /run/top';
    expect((await fleet.exec('app-1', `unshare -m sh -c '${top}'`)).stdout.split('\n')).toEqual(
      expect.arrayContaining(['srv', 'docker']),
    );
    expect((await fleet.exec('app-1', 'findmnt -n /run/top', { mayFail: true })).code).toBe(1);
  });

  test('the target has its pool, and a store on a disk of its own', async () => {
    const { stdout } = await fleet.ssh(
      'target',
      'zpool list -H -o name,health; findmnt -no FSTYPE /backup; df --output=size -m /backup | tail -1',
    );
    expect(stdout).toMatch(/^tank\tONLINE\next4\n\s+4\d\d\n$/);
  });

  test('a cut drops what is between two hosts and nothing else, and outlives a reboot', async () => {
    await fleet.cut('app-1', 'target');
    expect(await reach(fleet, 'app-1', 'target')).toBe(124);
    expect(await reach(fleet, 'target', 'app-1')).toBe(124);
    expect(await reach(fleet, 'app-1', 'app-2')).toBe(0);
    await fleet.rebootHost('target');
    expect(await reach(fleet, 'app-1', 'target')).toBe(124);
    await fleet.heal('app-1', 'target');
    expect(await reach(fleet, 'app-1', 'target')).toBe(0);
    await fleet.cut('director', 'app-2');
    await expect(fleet.ssh('app-2', 'true', { timeoutMs: 2000 })).rejects.toThrow('not within 2000 ms');
    await fleet.heal();
    expect((await fleet.ssh('app-2', 'echo back')).stdout).toBe('back\n');
  }, 30_000);

  test('a power cut kills frozen containers too; the next boot has a new id and the old data', async () => {
    const boot = 'cat /proc/sys/kernel/random/boot_id; cut -d. -f1 /proc/uptime';
    const [before] = (await fleet.ssh('app-2', boot)).stdout.split('\n');
    await startContainer(fleet, 'app-2');
    await fleet.ssh('app-2', 'docker pause writer; echo data > /srv/data; echo root > /root/note; sync');
    await fleet.killHost('app-2');
    expect(await loopDevices(`${fleet.name}/app-2`)).toBe('');
    expect((await fleet.exec('app-2', 'true', { mayFail: true })).stderr).toContain('is not running');
    await fleet.bootHost('app-2');
    const [after, uptime] = (await fleet.ssh('app-2', boot)).stdout.split('\n');
    expect(after).not.toBe(before);
    expect(Number(uptime)).toBeLessThan(60);
    const found = await fleet.ssh('app-2', `cat /srv/data /root/note; docker ps -a --format '{{.Names}} {{.Status}}'`);
    expect(found.stdout).toMatch(/^data\nroot\nwriter Exited/);
  }, 60_000);

  test('docker can be restarted, stopped for good, and killed under a running container', async () => {
    await fleet.restartDocker('app-1');
    await fleet.exec('app-1', 'service docker stop');
    expect((await fleet.exec('app-1', 'sleep 2; docker info', { mayFail: true })).code).not.toBe(0);
    await fleet.exec('app-1', 'service docker start && docker info');
    await fleet.killDocker('app-1');
    await fleet.exec(
      'app-1',
      'for i in $(seq 100); do docker info > /dev/null 2>&1 && exit 0; sleep 0.1; done; exit 1',
    );
  }, 60_000);

  test('a host with systemd has units, transient ones too, and a dockerd that systemctl stops', async () => {
    await fleet.ssh('sys-1', 'systemctl is-active ssh docker && systemd-run --quiet --wait true');
    await startContainer(fleet, 'sys-1');
    await fleet.ssh('sys-1', 'systemctl stop docker.socket docker.service');
    expect((await fleet.ssh('sys-1', 'docker info', { mayFail: true })).code).not.toBe(0);
    await fleet.ssh('sys-1', 'systemctl start docker && docker start writer && docker pause writer');
    await fleet.rebootHost('sys-1');
    expect((await fleet.ssh('sys-1', `docker ps -a --format '{{.Status}}'`)).stdout).toMatch(/^Exited/);
    expect((await fleet.exec('app-1', 'systemctl', { mayFail: true })).code).toBe(127);
  });

  test('a hung host answers nothing and goes on where it was', async () => {
    await fleet.hangHost('app-1', true);
    await expect(fleet.ssh('app-1', 'true', { timeoutMs: 1500 })).rejects.toThrow('not within 1500 ms');
    await fleet.hangHost('app-1', false);
    expect((await fleet.ssh('app-1', 'echo back')).stdout).toBe('back\n');
  });

  test('the clock of one host can be shifted while a session is open, and no file has another time for it', async () => {
    const held = 'touch -d @1000000 /root/old; : >/run/held; while [ -e /run/held ]; do sleep 0.1; done; echo lived on';
    const session = fleet.ssh('app-2', held);
    while ((await fleet.exec('app-2', 'test -e /run/held', { mayFail: true })).code !== 0)
      await new Promise((resolve) => setTimeout(resolve, 50));
    await fleet.shiftClock('app-2', 7200);
    const [now, old] = (await fleet.ssh('app-2', 'date +%s; stat -c %Y /root/old')).stdout.split('\n').map(Number);
    expect(Math.round((now! - Date.now() / 1000) / 60)).toBe(120);
    expect(old).toBe(1_000_000);
    await fleet.shiftClock('app-2', 0);
    expect(Math.abs(Number((await fleet.ssh('app-2', 'date +%s')).stdout) - Date.now() / 1000)).toBeLessThan(5);
    await fleet.exec('app-2', 'rm /run/held');
    expect((await session).stdout).toBe('lived on\n');
  });

  test('a host that can not come up fails the raise and leaves nothing', async () => {
    const hosts = [{ name: 'tiny', disk: 'xfs', docker: false, size: '1M' }] as const;
    await expect(raiseFleet({ name: 'broken', hosts })).rejects.toThrow('cannot make a xfs file system of 1M');
    expect(await remains(`broken-${process.pid}`)).toEqual(nothing);
  }, 30_000);

  test('the sweep removes what a killed test left, frozen containers too, and spares the fleet of a living one', async () => {
    const name = `orphan-${process.pid}`;
    // Node here stands for a test process: it raises a fleet that it owns and is killed before it can remove it.
    const raise = `require('node:child_process').execFileSync(${JSON.stringify(script)}, ['up', '--owner', String(process.pid), '${name}', 'app-1:docker'], {stdio: 'inherit'});
      console.log('raised'); setInterval(() => undefined, 1000);`;
    const owner = spawn(process.execPath, ['-e', raise], { stdio: ['ignore', 'pipe', 'inherit'] });
    const raised = new Promise<void>((resolve, reject) => {
      owner.stdout.on('data', (chunk: Buffer) => {
        if (chunk.toString().includes('raised')) resolve();
      });
      owner.on('exit', () => {
        reject(new Error('the raise ended early'));
      });
    });
    try {
      await raised;
      await run(script, ['exec', name, 'app-1', 'docker run -d --name writer bb:1 sleep 1000 && docker pause writer']);
      await run(sweep);
      expect((await run(script, ['list'])).stdout.split('\n')).toEqual(expect.arrayContaining([name, fleet.name]));
    } finally {
      const gone = new Promise((resolve) => owner.once('close', resolve));
      owner.kill('SIGKILL');
      await gone;
      await run(sweep);
    }
    expect(await remains(name)).toEqual(nothing);
    expect((await fleet.ssh('app-1', 'echo alive')).stdout).toBe('alive\n');
  }, 60_000);
});
