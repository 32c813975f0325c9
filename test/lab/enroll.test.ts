/** Enrolment on real hosts: from nothing to an answer through the director's own key, and back to nothing. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadDirectorKeys, type DirectorKeys } from '../../hosts/director-keys';
import { doctor } from '../../hosts/doctor';
import { enrollHosts, type EnrollOptions, type EnrollResult } from '../../hosts/enroll/enroll';
import { rotateKeys } from '../../hosts/enroll/rotate';
import { unenrollHost } from '../../hosts/enroll/unenroll';
import { fingerprint, KnownHosts } from '../../hosts/known-hosts';
import { hostRef } from '../../hosts/refs';
import { SshHosts } from '../../hosts/ssh-hosts';
import { addGrant, closeGrants, makeGrantKey } from '../../hosts/verbs/grants';
import { takeLease } from '../../hosts/verbs/lease';
import { check, probe, snapshots, status } from '../../hosts/verbs/reading';
import { listStore, storeSpace } from '../../hosts/verbs/store';
import type { Runbook } from '../../runbooks/types';
import { until } from './freeze-lab';
import { describeLab } from './support/describe-lab';
import { raiseEnrollFleet, runbookFor } from './support/enroll-fleet';
import type { Fleet } from './support/fleet';

describeLab('enrolment', () => {
  let fleet: Fleet;
  let runbook: Runbook;
  let stateDir: string;
  let fleetHosts: SshHosts | undefined;
  const lines: string[] = [];

  const options = (more: Partial<EnrollOptions> = {}): EnrollOptions => ({
    stateDir,
    runbook,
    hosts: ['app-1', 'sys-1', 'target'],
    admin: () => ({ login: { privateKey: readFileSync(fleet.adminKey, 'utf8') } }),
    adminKnownHosts: readFileSync(fleet.knownHosts, 'utf8'),
    log: ({ host, text }) => lines.push(`${host}: ${text}`),
    ...more,
  });
  const enroll = async (more: Partial<EnrollOptions> = {}): Promise<EnrollResult> => {
    const result = await enrollHosts(options(more));
    for (const { error } of result.failed) throw error;
    return result;
  };
  const open = async (): Promise<SshHosts> => {
    await fleetHosts?.close();
    fleetHosts = await SshHosts.open({ stateDir });
    return fleetHosts;
  };
  const at = (hosts: SshHosts, host: string) => ({ hosts, host: hostRef({ runbook, host }) });

  const expectOnly = async (want: { hosts: string[]; letIn: DirectorKeys; not: DirectorKeys }): Promise<void> => {
    const hosts = await open();
    for (const host of want.hosts) {
      expect((await probe(at(hosts, host))).host).toBe(host);
      const { stdout } = await fleet.exec(host, 'cat /var/lib/resurgo/home/.ssh/authorized_keys');
      expect(stdout).toContain(want.letIn.director.publicKey.split(' ')[1]);
      expect(stdout).not.toContain(want.not.director.publicKey.split(' ')[1]);
    }
  };

  beforeAll(async () => {
    stateDir = mkdtempSync(join(tmpdir(), 'resurgo-enroll-'));
    fleet = await raiseEnrollFleet();
    runbook = runbookFor(fleet);
  }, 400_000);

  afterAll(async () => {
    await fleetHosts?.close();
    rmSync(stateDir, { recursive: true, force: true });
    await fleet.down();
  }, 60_000);

  test('S28 without a known host key nothing is done, and the key is shown', async () => {
    const result = await enrollHosts(options({ hosts: ['app-1'], adminKnownHosts: '' }));
    expect(result.enrolled).toEqual([]);
    expect(result.failed[0]?.error).toMatchObject({ code: 'host-key-unknown' });
    expect(result.failed[0]?.error.message).toMatch(/SHA256:/);
    const wrong = await enrollHosts(options({ hosts: ['app-1'], acceptHostKey: 'SHA256:no' }));
    expect(wrong.failed[0]?.error).toMatchObject({ code: 'host-key-unknown' });
    expect((await fleet.exec('app-1', 'ls /etc/resurgo', { mayFail: true })).code).not.toBe(0);
  });

  test('a dry run says what would change and changes nothing', async () => {
    const { enrolled } = await enroll({ dryRun: true });
    expect(enrolled[0]?.changes).toEqual(expect.arrayContaining(['user resurgo', '/etc/resurgo/host.conf']));
    expect((await fleet.exec('app-1', 'ls /etc/resurgo; id resurgo', { mayFail: true })).code).not.toBe(0);
  });

  test('enrols all hosts, and each answers through the director’s own key', async () => {
    const { enrolled, toUpdate } = await enroll();
    expect(enrolled.map(({ host, bootSweep }) => `${host} ${bootSweep}`)).toEqual([
      expect.stringMatching(/^app-1 (cron|rc\.local)$/),
      'sys-1 systemd',
      expect.stringMatching(/^target (cron|rc\.local)$/),
    ]);
    expect(toUpdate).toEqual([]);
    expect(enrolled.map(({ probe: answer }) => answer?.groups)).toEqual([['portal'], ['portal'], ['portal']]);
    expect(enrolled[2]?.probe?.stores).toMatchObject([{ name: 'main', kind: 'hardlink' }]);
  }, 60_000);

  test('S26 what was installed is root’s own, and the user gets no shell and no other sudo', async () => {
    const { stdout } = await fleet.exec(
      'app-1',
      `stat -c '%n %U %a' /usr/local/lib/resurgo/hostkit /etc/resurgo/host.conf /etc/resurgo/host.key /etc/resurgo/peers \
        /etc/resurgo/director.keys /var/lib/resurgo /var/lib/resurgo/jobs /var/lib/resurgo/home/.ssh/authorized_keys /etc/sudoers.d/resurgo
       find /usr/local/lib/resurgo ! -user root -o -perm /022 | wc -l
       awk -F: '$1 == "resurgo" { print $2 }' /etc/shadow`,
    );
    expect(stdout.trim().split('\n')).toEqual([
      '/usr/local/lib/resurgo/hostkit root 755',
      '/etc/resurgo/host.conf root 600',
      '/etc/resurgo/host.key root 600',
      '/etc/resurgo/peers root 600',
      '/etc/resurgo/director.keys root 600',
      '/var/lib/resurgo root 711',
      '/var/lib/resurgo/jobs root 700',
      '/var/lib/resurgo/home/.ssh/authorized_keys root 644',
      '/etc/sudoers.d/resurgo root 440',
      '0',
      '*',
    ]);
    const sudo = await fleet.exec('app-1', `su resurgo -c 'sudo -n /usr/local/lib/resurgo/hostkit x; sudo -n id'`, {
      mayFail: true,
    });
    expect(sudo.code).not.toBe(0);
    expect(sudo.stdout).not.toContain('uid=0');
  });

  test('enrolling again changes nothing, and an arm-system line of the host’s root stays', async () => {
    await fleet.exec('app-1', 'echo "arm-system /etc" >>/etc/resurgo/host.conf');
    const { enrolled } = await enroll();
    expect(enrolled.flatMap(({ changes }) => changes)).toEqual([]);
    expect((await fleet.exec('app-1', 'grep -c "^arm-system /etc" /etc/resurgo/host.conf')).stdout.trim()).toBe('1');
    const planned = await enroll({ dryRun: true });
    expect(planned.enrolled.flatMap(({ changes }) => changes)).toEqual([]);
  }, 60_000);

  test('a hostkit that was damaged, or that others may write to, is seen and mended', async () => {
    const lib = '/usr/local/lib/resurgo';
    await fleet.exec(
      'app-1',
      `cd ${lib} && echo true >>verbs/probe.sh && rm verbs/status.sh && chown nobody:nogroup hostkit lib && chmod 0775 verbs
       chmod 0666 lib/base.sh && chown nobody VERSION && mkdir more && ln -s /tmp/x more/link && chown nobody /etc/resurgo/peers`,
    );
    const dry = await enroll({ hosts: ['app-1'], dryRun: true });
    expect(dry.enrolled[0]?.changes.sort()).toEqual(
      [
        ...['probe', 'status'].map((verb) => `${lib}/verbs/${verb}.sh (not as installed)`),
        ...['hostkit', 'lib', 'lib/base.sh', 'VERSION', 'verbs', 'more/link'].map(
          (at) => `${lib}/${at} (owner or mode)`,
        ),
        '/etc/resurgo/peers (owner or mode)',
      ].sort(),
    );
    const kit = async () => {
      const findings = await doctor({ runbook, group: 'portal', hosts: await open() });
      return findings.find(({ host, check: checked }) => host === 'app-1' && checked === 'hostkit');
    };
    expect(await kit()).toMatchObject({ level: 'warn', message: expect.stringMatching(/^others than root/) as string });
    const { enrolled } = await enroll({ hosts: ['app-1'] });
    expect(enrolled[0]?.changes).toEqual(
      expect.arrayContaining([`${lib}/hostkit`, `${lib}/lib (owner or mode)`, `${lib}/verbs/status.sh`]),
    );
    expect((await enroll({ hosts: ['app-1'], dryRun: true })).enrolled[0]?.changes).toEqual([]);
    expect(await kit()).toMatchObject({ level: 'ok' });
    await fleet.exec('app-1', `rm ${lib}/verbs/status.sh`);
    expect(await kit()).toMatchObject({
      level: 'warn',
      message: expect.stringMatching(/not as it was installed/) as string,
    });
    expect((await enroll({ hosts: ['app-1'] })).enrolled[0]?.changes).toEqual([`${lib}/verbs/status.sh`]);
    const { stdout } = await fleet.exec(
      'app-1',
      `find ${lib} ! -user root -o ! -group root -o -perm /022 -o ! -type f ! -type d; stat -c '%n %U %a' ${lib}/hostkit /etc/resurgo/peers; ls -d ${lib}/more`,
      { mayFail: true },
    );
    expect(stdout.trim().split('\n')).toEqual([`${lib}/hostkit root 755`, '/etc/resurgo/peers root 600']);
  }, 60_000);

  test('every reading verb answers in the form that the director expects, and so do lease and grants', async () => {
    const hosts = await open();
    const app = at(hosts, 'app-1');
    const target = at(hosts, 'target');
    expect((await probe(app)).systemd).toBe(false);
    const checked = await check({ ...app, group: 'portal' });
    expect(checked.sources).toMatchObject([{ name: 'data', path: '/srv/data', kind: 'btrfs', problems: [] }]);
    expect(await snapshots({ ...app, group: 'portal' })).toEqual([]);
    expect((await status({ ...app, group: 'portal' })).jobs).toEqual([]);
    expect((await listStore({ ...target, store: 'main', group: 'portal' })).backups).toEqual([]);
    expect((await storeSpace({ ...target, store: 'main', group: 'portal' })).freeBytes).toBeGreaterThan(0);
    const lease = { group: 'portal', run: 'run-enroll-01', owner: 'lab', ttlS: 60 };
    const { term } = await takeLease({ ...target, ...lease, store: 'main', term: 0 });
    await takeLease({ ...app, ...lease, term });
    const fence = { group: 'portal', run: lease.run, term, step: 'grant', attempt: 1 };
    const grant = 'run-enroll-01.app-1.data';
    const key = await makeGrantKey({ ...app, fence, grant, purpose: 'receive' });
    const tree = runbook.groups['portal']?.sources[0]?.tree ?? '';
    const asked = {
      fence,
      grant,
      purpose: 'receive' as const,
      scope: { scope: 'store' as const, store: 'main', tree },
      expiresS: 60,
    };
    const granted = await addGrant({ ...target, ...asked, ...key, peer: 'app-1' });
    expect(granted.hostKeys.length).toBeGreaterThan(0);
    await closeGrants({ ...target, fence });
  }, 60_000);

  test('the doctor finds the clock, the sources and what a host lacks', async () => {
    const hosts = await open();
    const findings = await doctor({ runbook, group: 'portal', hosts });
    expect(findings.filter(({ level }) => level === 'fail')).toEqual([]);
    expect(findings.map(({ host, check: checked }) => `${host} ${checked}`)).toEqual(
      expect.arrayContaining([
        'app-1 clock',
        'app-1 source data',
        'sys-1 hostkit',
        'target store main',
        'target leftovers',
      ]),
    );
    await fleet.exec('app-1', 'echo "0.0.1 old" >/usr/local/lib/resurgo/VERSION');
    const drift = await doctor({ runbook, group: 'portal', hosts });
    expect(drift).toContainEqual(expect.objectContaining({ host: 'app-1', check: 'hostkit', level: 'warn' }));
    const { enrolled } = await enroll({ hosts: ['app-1'] });
    expect(enrolled[0]?.changes).toEqual(['/usr/local/lib/resurgo/VERSION']);
  }, 60_000);

  test('keys are rotated everywhere, and an interrupted rotation is taken up', async () => {
    const before = await loadDirectorKeys({ stateDir });
    const { admin } = options();
    const cut = (host: string) => {
      if (host === 'target') throw new Error('cut off');
      return admin(host);
    };
    await expect(rotateKeys({ stateDir, runbook, admin: cut })).rejects.toThrow('cut off');
    expect((await loadDirectorKeys({ stateDir })).director.publicKey).toBe(before.director.publicKey);
    expect((await probe(at(await open(), 'app-1'))).host).toBe('app-1');
    await expect(rotateKeys({ stateDir, runbook, admin })).resolves.toMatchObject({ failed: [], leftOut: [] });
    const after = await loadDirectorKeys({ stateDir });
    expect(after.director.publicKey).not.toBe(before.director.publicKey);
    expect(after.directorNext).toBeUndefined();
    await expectOnly({ hosts: ['app-1', 'sys-1', 'target'], letIn: after, not: before });
  }, 90_000);

  test('a host that is away keeps the old key, is named, and gets the key of the next rotation', async () => {
    const before = await loadDirectorKeys({ stateDir });
    const { admin } = options();
    await fleet.cut('target', 'director');
    const half = await rotateKeys({ stateDir, runbook, admin }).finally(() => fleet.heal('target', 'director'));
    expect(half.rotated).toEqual(['app-1', 'sys-1']);
    expect(half.failed).toMatchObject([{ host: 'target', error: { code: 'unreachable' } }]);
    const after = await loadDirectorKeys({ stateDir });
    await expectOnly({ hosts: ['app-1', 'sys-1'], letIn: after, not: before });
    const { stdout } = await fleet.exec('target', 'cat /var/lib/resurgo/home/.ssh/authorized_keys');
    expect(stdout).toContain(before.director.publicKey.split(' ')[1]);
    await expect(rotateKeys({ stateDir, runbook, admin })).resolves.toMatchObject({ failed: [] });
    const last = await loadDirectorKeys({ stateDir });
    expect(last.director.publicKey).not.toBe(after.director.publicKey);
    for (const not of [before, after]) {
      await expectOnly({ hosts: ['app-1', 'sys-1', 'target'], letIn: last, not });
    }
  }, 120_000);

  test('the jump’s key forwards to the hosts behind it and does nothing else', async () => {
    const { jump } = await loadDirectorKeys({ stateDir });
    const { stdout } = await fleet.exec('app-1', 'cat /var/lib/resurgo/home/.ssh/authorized_keys2');
    expect(stdout).toBe(
      `restrict,port-forwarding,permitlisten="127.0.0.1:1",permitopen="${fleet.host('sys-1').address}:22",command="exit 1" ${jump.publicKey}\n`,
    );
    const elsewhere = { ...hostRef({ runbook, host: 'target' }), via: hostRef({ runbook, host: 'app-1' }) };
    const knownHosts = await KnownHosts.open({ stateDir });
    await knownHosts.pin({ host: elsewhere, keys: knownHosts.keysOf(hostRef({ runbook, host: 'target' })) });
    await expect(probe({ hosts: await open(), host: elsewhere })).rejects.toThrow(/through app-1/);
  }, 60_000);

  test('another director is not pushed aside by the way', async () => {
    const other = mkdtempSync(join(tmpdir(), 'resurgo-other-'));
    try {
      const { failed } = await enrollHosts(options({ stateDir: other, hosts: ['app-1'] }));
      expect(failed[0]?.error).toMatchObject({ code: 'exists' });
    } finally {
      rmSync(other, { recursive: true });
    }
  }, 60_000);

  test('an administrator with sudo and a password enrols, and the password is nowhere afterwards', async () => {
    await fleet.exec(
      'app-1',
      `useradd -m -s /bin/sh anna && echo anna:s3cretword | chpasswd && echo 'anna ALL=(ALL) ALL' >/etc/sudoers.d/anna
       mkdir -p ~anna/.ssh && cp /root/.ssh/authorized_keys ~anna/.ssh/ && chown -R anna ~anna/.ssh && chmod 700 ~anna/.ssh`,
    );
    const asAnna = structuredClone(runbook);
    const host = asAnna.hosts['app-1'];
    if (host !== undefined) host.adminUser = 'anna';
    const login = { privateKey: readFileSync(fleet.adminKey, 'utf8') };
    const wrong = await enrollHosts(
      options({ runbook: asAnna, hosts: ['app-1'], admin: () => ({ login, sudoPassword: 'wrong' }) }),
    );
    expect(wrong.failed[0]?.error).toMatchObject({ code: 'sudo-refused' });
    const { enrolled } = await enroll({
      runbook: asAnna,
      hosts: ['app-1'],
      admin: () => ({ login, sudoPassword: 's3cretword' }),
    });
    expect(enrolled[0]?.probe?.host).toBe('app-1');
    const { stdout } = await fleet.exec(
      'app-1',
      'grep -rls s3cretword /etc /var /home /root /usr/local 2>/dev/null || true',
    );
    expect(stdout).toBe('');
    expect(lines.join('\n')).not.toContain('s3cretword');
  }, 60_000);

  test('S28 a changed host key needs its fingerprint said', async () => {
    await (await open()).close();
    const before = (await KnownHosts.open({ stateDir })).keysOf(hostRef({ runbook, host: 'app-1' }));
    await fleet.exec(
      'app-1',
      `for key in /etc/ssh/ssh_host_*_key; do rm -f $key $key.pub; done; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key; pkill -HUP -o sshd || true`,
    );
    const refused = await enrollHosts(options({ hosts: ['app-1'] }));
    expect(String(refused.failed[0]?.error)).toMatch(/\[(host-key-changed|unreachable)\]/);
    const { stdout } = await fleet.exec('app-1', 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub');
    const { enrolled } = await enroll({ hosts: ['app-1'], acceptHostKey: stdout.split(' ')[1] });
    expect(enrolled[0]?.hostKey).toBe(stdout.split(' ')[1]);
    expect(before.map(fingerprint)).not.toContain(enrolled[0]?.hostKey);
  }, 60_000);

  test('S2 the power fails while all is paused: what was enrolled for the boot has it running again, with systemd and without', async () => {
    const sh = async (host: string, command: string): Promise<string> =>
      (await fleet.exec(host, command, { mayFail: true })).stdout.trim();
    const hosts = await open();
    const lease = { group: 'portal', run: 'run-enroll-01', owner: 'lab', ttlS: 60 };
    const { term } = await takeLease({ ...at(hosts, 'target'), ...lease, store: 'main', term: 0 });
    for (const host of ['app-1', 'sys-1']) await takeLease({ ...at(hosts, host), ...lease, term });
    const fence = { group: 'portal', run: lease.run, term, step: 'freeze', attempt: 1 };
    await sh('sys-1', 'docker run -d --name writer --restart=always --network none bb:1 sleep 100000');
    const hook = { ...fence, step: 'hook', phase: 'before', name: 'dump' } as const;
    await hosts.call({ host: hostRef({ runbook, host: 'app-1' }), verb: 'hook', step: 'hook', args: hook });
    const host = hostRef({ runbook, host: 'sys-1' });
    const session = await hosts.openFreeze({ host, fence, freeze: 1, maxPauseS: 30, step: 'freeze' });
    await session.pause();
    const onSys =
      "systemctl is-active ledger; docker ps --format '{{.Names}} {{.Status}}'; ls /var/lib/resurgo/deadman";
    const onApp = 'cat /var/lib/hooked; ls /var/lib/resurgo/deadman';
    expect(await sh('sys-1', onSys)).toMatch(/^inactive\nwriter .*\(Paused\)\nportal$/);
    expect(await sh('app-1', onApp)).toBe('before\nportal.hooks');
    await Promise.all(['sys-1', 'app-1'].map((each) => fleet.killHost(each)));
    await Promise.all(['sys-1', 'app-1'].map((each) => fleet.bootHost(each)));
    await until(async () => (await sh('sys-1', onSys)).startsWith('active'), 15_000);
    expect(await sh('sys-1', onSys)).toMatch(/^active\nwriter Up [^(]*$/);
    expect(await sh('sys-1', 'systemctl show -p Result --value resurgo-sweep')).toBe('success');
    await until(async () => (await sh('app-1', onApp)) === 'before\nafter', 15_000);
    expect(await sh('app-1', onApp)).toBe('before\nafter');
  }, 90_000);

  test('unenrolment refuses while a freeze is armed, then leaves nothing', async () => {
    const admin = await options().admin('sys-1');
    await fleet.exec('sys-1', 'mkdir -p /var/lib/resurgo/deadman/portal');
    await expect(unenrollHost({ stateDir, runbook, host: 'sys-1', admin })).rejects.toMatchObject({ code: 'busy' });
    await fleet.exec('sys-1', 'rmdir /var/lib/resurgo/deadman/portal');
    await unenrollHost({
      stateDir,
      runbook,
      host: 'sys-1',
      admin,
      adminKnownHosts: readFileSync(fleet.knownHosts, 'utf8'),
    });
    const { stdout } = await fleet.exec(
      'sys-1',
      'find /etc /usr/local /var/lib /run -name "*resurgo*" 2>/dev/null; grep -l resurgo /etc/passwd /etc/group /etc/rc.local 2>/dev/null; ls -d /srv/data',
      { mayFail: true },
    );
    expect(stdout.trim()).toBe('/srv/data');
    await expect(probe(at(await open(), 'sys-1'))).rejects.toMatchObject({ code: 'host-key-unknown' });
  }, 60_000);
});
