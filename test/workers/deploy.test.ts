/** The files in deploy/ as the tools that will read them see them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { TEMPORAL_CLI_VERSION } from '../../workers/temporal-cli';

const deploy = path.join(__dirname, '..', '..', 'deploy');
const composeFile = path.join(deploy, 'docker-compose.yml');

const configSchema = z.object({
  services: z.record(
    z.string(),
    z.object({
      image: z.string(),
      ports: z.array(z.union([z.string(), z.object({ host_ip: z.string().optional() }).loose()])).optional(),
      healthcheck: z.unknown().optional(),
      build: z.unknown().optional(),
      labels: z.record(z.string(), z.string()),
    }),
  ),
});

function config(password: string | undefined): ReturnType<typeof spawnSync> & { stdout: string; stderr: string } {
  const env = { PATH: process.env.PATH, HOME: '/nonexistent', RESURGO_POSTGRES_PASSWORD: password };
  return spawnSync('docker-compose', ['-f', composeFile, 'config'], { env, encoding: 'utf8', timeout: 30_000 });
}

test('docker-compose takes the file: every port on loopback, every image pinned, the parts healthchecked, none ever paused', () => {
  const { status, stdout, stderr } = config('secret');
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const { services } = configSchema.parse(parse(stdout));
  expect(Object.keys(services).sort()).toEqual(
    ['postgresql', 'temporal', 'temporal-namespace', 'temporal-schema', 'temporal-ui', 'worker'].sort(),
  );
  for (const { ports = [], image, build, labels } of Object.values(services)) {
    expect(labels['resurgo.engine']).toBe('true');
    for (const port of ports) expect(typeof port === 'string' ? port : port.host_ip).toMatch(/^127\.0\.0\.1(:|$)/);
    if (build === undefined) expect(image).toMatch(/:\d+[\w.-]*$/);
  }
  for (const name of ['postgresql', 'temporal', 'temporal-ui']) expect(services[name]?.healthcheck).toBeDefined();
}, 60_000);

test('docker-compose refuses to start without a password', () => {
  const { status, stderr } = config(undefined);
  expect(status).not.toBe(0);
  expect(stderr).toContain('RESURGO_POSTGRES_PASSWORD');
}, 60_000);

test('the systemd unit names the CLI version that the code pins', () => {
  expect(readFileSync(path.join(deploy, 'resurgo-temporal.service'), 'utf8')).toContain(TEMPORAL_CLI_VERSION);
});

describe.each(['resurgo-worker.service', 'resurgo-temporal.service'])('%s', (name) => {
  let scratch: string;
  let unit: string;
  beforeAll(() => {
    scratch = mkdtempSync(path.join(tmpdir(), 'resurgo-units-test-'));
    unit = path.join(scratch, name);
    // The programs and users that it names are not installed where tests run; all else is checked as it is.
    const text = readFileSync(path.join(deploy, name), 'utf8')
      .replace(/^(ExecStart(?:Post)?=)\S+/gm, '$1/bin/true')
      .replace(/^(User|Group)=.*$/gm, '$1=root');
    writeFileSync(unit, text);
  });
  afterAll(() => {
    rmSync(scratch, { recursive: true, force: true });
  });

  test('systemd takes the unit without a complaint', () => {
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' });
    expect(stderr.split('\n').filter((line) => line.includes(name))).toEqual([]);
    expect(status).toBe(0);
  });

  test('it leaves little open', () => {
    const out = execFileSync('systemd-analyze', ['security', '--offline=true', unit], { encoding: 'utf8' });
    const exposure = /Overall exposure level for \S+: (\d+\.\d+)/.exec(out)?.[1];
    // 0 is closed, 10 wide open; root in place of the unit's own user costs about half a point.
    expect(Number(exposure)).toBeLessThan(3);
  });
});
