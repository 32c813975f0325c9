/** The freeze and a restore's stop where systemd runs: units, the dead-man as a unit of its own, the whole engine. */
import { ask, configure, fence, installHostkit, Session, until } from './freeze-lab';
import { describeLab } from './support/describe-lab';
import { raiseFleet, type Fleet } from './support/fleet';

const H = 'app-1';
const UNIT = '[Service]\\nExecStart=/bin/sleep 100000\\n[Install]\\nWantedBy=multi-user.target\\n';
const DATA = 'source portal data btrfs /srv app-1@+srv';
const UNITS = [
  DATA,
  'containers portal all',
  'max-pause portal 60',
  'unit portal stop ledger.service',
  'workload portal units',
];

jest.setTimeout(180_000);

describeLab('freeze: systemd', () => {
  let fleet: Fleet;
  const sh = async (command: string, mayFail = false): Promise<string> =>
    (await fleet.exec(H, command, { mayFail, timeoutMs: 60_000 })).stdout.trim();
  const active = (unit: string): Promise<string> => sh(`systemctl is-active ${unit}`, true);

  beforeAll(async () => {
    fleet = await raiseFleet({ name: 'freeze-sd', hosts: [{ name: H, disk: 'btrfs', docker: true, systemd: true }] });
    await sh(
      `printf '${UNIT}' > /etc/systemd/system/ledger.service && systemctl daemon-reload && systemctl enable --now ledger.service`,
    );
    await installHostkit(fleet, H, UNITS);
    await sh('docker run -d --name w1 --restart=always --network none bb:1 sleep 100000');
  }, 450_000);
  afterAll(async () => {
    await fleet.down();
  }, 120_000);
  afterEach(async () => {
    await ask(fleet, H, 'thaw', fence('thaw'));
    await ask(fleet, H, 'restore.start', fence('start'));
    await ask(fleet, H, 'snapshot.drop', { ...fence('drop'), target_run: 'run-00000001', freeze: -1 });
    await configure(fleet, H, UNITS);
  });

  test('S1 a unit is stopped for the freeze and started after it; started meanwhile, the instant is torn', async () => {
    for (const meddle of [false, true]) {
      const session = new Session(fleet, H, { maxPauseS: 30 });
      expect(await session.say()).toMatchObject({ ok: true });
      expect(await session.say('pause')).toMatchObject({ ok: true });
      expect(await active('ledger')).toBe('inactive');
      if (meddle) await sh('systemctl start ledger && systemctl stop ledger');
      await session.say('snapshot');
      expect((await session.say('thaw')).torn).toEqual(meddle ? expect.stringMatching(/ledger.*anew/) : '');
      expect(await active('ledger')).toBe('active');
    }
  });

  test('S2 the dead-man is a unit of its own: it outlives the session and starts the unit again', async () => {
    const session = new Session(fleet, H, { maxPauseS: 4 });
    await session.say();
    await session.say('pause');
    expect(await sh('systemctl list-units --no-legend "resurgo-deadman-*"')).toMatch(/running/);
    await sh('pkill -KILL -f "^sh /usr/local/lib/resurgo/hostkit"');
    session.vanish();
    expect(await active('ledger')).toBe('inactive');
    expect(await until(async () => (await active('ledger')) === 'active', 15_000)).toBe(true);
    expect(await sh("docker ps --format '{{.Status}}'")).not.toMatch(/Paused/);
  });

  test('S21 units and the whole engine refuse every start, as a boot would try it, until restore.start', async () => {
    await configure(fleet, H, [...UNITS, 'workload portal engine']);
    expect(await ask(fleet, H, 'restore.stop', fence('stop'))).toMatchObject({ ok: true });
    const seen = async (): Promise<string[]> => [
      await active('docker'),
      await active('docker.socket'),
      await active('ledger'),
    ];
    expect(await seen()).toEqual(['inactive', 'inactive', 'inactive']);
    await sh('systemctl start docker.socket docker ledger; systemctl isolate multi-user.target', true);
    expect(await seen()).toEqual(['inactive', 'inactive', 'inactive']);
    // Whose first answer was lost asks again: what the first has stopped is not forgotten.
    expect(await ask(fleet, H, 'restore.stop', fence('stop'))).toMatchObject({ ok: true });
    expect(await ask(fleet, H, 'restore.start', fence('start'))).toMatchObject({ ok: true, failed: [] });
    expect(await active('ledger')).toBe('active');
    expect(await active('docker')).toBe('active');
    expect(await until(async () => (await sh("docker ps --format '{{.Names}}'", true)) === 'w1', 15_000)).toBe(true);
    expect(await sh('find /etc/systemd/system -name "*resurgo*"')).toBe('');
  });

  test('S21 with the engine every container that ran is started again, whatever its restart policy, and only those', async () => {
    await configure(fleet, H, [DATA, 'containers portal all', 'workload portal engine']);
    await sh('docker run -d --name plain --network none bb:1 sleep 100000');
    await sh('docker run -d --name lost --network none bb:1 sleep 100000');
    await sh('docker run -d --name asleep --restart=always --network none bb:1 sleep 100000; docker stop -t 0 asleep');
    const running = (): Promise<string> => sh("docker ps --format '{{.Names}}' | sort");
    expect(await running()).toBe('lost\nplain\nw1');
    expect(await ask(fleet, H, 'restore.stop', fence('stop'))).toMatchObject({ ok: true });
    expect(await ask(fleet, H, 'restore.start', fence('start'))).toMatchObject({ ok: true, failed: [] });
    expect(await running()).toBe('lost\nplain\nw1');
    expect(await sh("docker inspect -f '{{.HostConfig.RestartPolicy.Name}}' plain w1 asleep")).toBe(
      'no\nalways\nalways',
    );
    const health = await ask(fleet, H, 'restore.health', fence('health'));
    expect(health.healthy).toBe(true);
    expect(health.containers.map(({ name }) => name).sort()).toEqual(['lost', 'plain', 'w1']);
    await sh('docker rm -f plain lost asleep');
  });

  test('S21 a unit that is down, or between two restarts, is kept from starting too, and is afterwards as it was', async () => {
    const flap =
      '[Service]\\nExecStart=/bin/false\\nRestart=always\\nRestartSec=3\\n[Unit]\\nStartLimitIntervalSec=0\\n';
    await sh(`cd /etc/systemd/system && printf '${flap}' > flap.service && cp ledger.service spare.service`);
    await sh('systemctl daemon-reload; systemctl enable spare; systemctl start flap', true);
    const waits = (): Promise<string> => sh('systemctl show -p ActiveState,SubState --value flap | paste -sd/');
    expect(await until(async () => (await waits()) === 'activating/auto-restart', 15_000)).toBe(true);
    await configure(fleet, H, [...UNITS, 'unit portal stop spare.service', 'unit portal stop flap.service']);
    const seen = async (): Promise<string[]> => [await active('ledger'), await active('spare'), await active('flap')];
    const down = [expect.stringMatching(/inactive|failed/), 'inactive', expect.stringMatching(/inactive|failed/)];
    expect(await ask(fleet, H, 'restore.stop', fence('stop'))).toMatchObject({ ok: true });
    expect(await seen()).toEqual(down);
    await sh('systemctl start ledger spare flap; systemctl isolate multi-user.target', true);
    expect(await seen()).toEqual(down);
    await fleet.rebootHost(H);
    expect(
      await until(async () => /running|degraded/.test(await sh('systemctl is-system-running', true)), 60_000),
    ).toBe(true);
    expect(await seen()).toEqual(down);
    expect(await ask(fleet, H, 'restore.stop', fence('stop'))).toMatchObject({ ok: true });
    expect(await ask(fleet, H, 'restore.start', fence('start'))).toMatchObject({ ok: true, failed: [] });
    expect([await active('ledger'), await active('spare')]).toEqual(['active', 'inactive']);
    expect(await until(async () => (await waits()).startsWith('activating'), 15_000)).toBe(true);
    expect(await sh('find /etc/systemd/system -name "*resurgo*"')).toBe('');
    await sh('systemctl stop flap');
  });

  test('S21 what the hand has stopped before a restore starts neither by it, nor by the hand before it is finished', async () => {
    expect(await ask(fleet, H, 'workload.stop', fence('stop'))).toMatchObject({ ok: true });
    expect(await ask(fleet, H, 'restore.stop', fence('stop'))).toMatchObject({ ok: true });
    const early = await ask(fleet, H, 'workload.start', fence('start'));
    expect(early).toMatchObject({ ok: true, started: [], restore: 'run-00000001' });
    expect(await ask(fleet, H, 'restore.start', fence('start'))).toMatchObject({ ok: true, failed: [] });
    await sh('systemctl start ledger', true);
    expect(await active('ledger')).toBe('inactive');
    expect(await ask(fleet, H, 'workload.start', fence('start'))).toMatchObject({ ok: true, failed: [] });
    expect(await active('ledger')).toBe('active');
    expect(await sh('find /etc/systemd/system -name "*resurgo*"')).toBe('');
  });
});
