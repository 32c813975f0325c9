import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseRunbook } from '../../runbooks/load';
import { resurgo } from './support/run';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'resurgo-cli-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

test('init writes a runbook that validates, and never over a file', async () => {
  const file = join(folder, 'resurgo.yaml');
  expect((await resurgo('init', file)).code).toBe(0);
  expect(await resurgo('runbook', 'validate', file)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('valid') as string,
  });
  writeFileSync(file, 'mine');
  expect(await resurgo('init', file)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('left as it is') as string,
  });
  expect(readFileSync(file, 'utf8')).toBe('mine');
});

test('validate says what is wrong by line, with exit 2; --json has each issue', async () => {
  const file = join(folder, 'bad.yaml');
  writeFileSync(file, 'version: 1\nhosts:\n  a: { adress: x }\n');
  const ran = await resurgo('runbook', 'validate', file);
  expect(ran.code).toBe(2);
  expect(ran.stderr).toMatch(/bad\.yaml:3:\d+: .*did you mean `address`/);
  const json = await resurgo('--json', 'runbook', 'validate', file);
  expect(json.code).toBe(2);
  expect(JSON.parse(json.stdout)).toMatchObject({ valid: false, issues: [{ line: 3, suggestion: 'address' }] });
  expect(await resurgo('-r', join(folder, 'none.yaml'), 'runbook', 'validate')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('resurgo init') as string,
  });
});

test('validate warns of what is hardly meant, and a command that needs a group says that there is none', async () => {
  const file = join(folder, 'bare.yaml');
  writeFileSync(file, 'version: 1\nhosts:\n  a: {}\n');
  const ran = await resurgo('runbook', 'validate', file);
  expect(ran).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/warning: .*bare\.yaml:.*no group yet/) as string,
  });
  expect(ran.stdout).toContain('valid (1 host, 0 stores, 0 groups)');
  const json = await resurgo('--json', 'runbook', 'validate', file);
  expect(JSON.parse(json.stdout)).toMatchObject({ valid: true, issues: [], warnings: [{ path: 'groups' }] });
  const backup = await resurgo('-r', file, 'backup');
  expect(backup).toMatchObject({ code: 2, stderr: expect.stringContaining('the runbook has no group') as string });
});

test('show prints the defaults, and what it prints is the same runbook', async () => {
  const file = join(folder, 'resurgo.yaml');
  await resurgo('init', file);
  const { code, stdout } = await resurgo('runbook', 'show', file);
  expect(code).toBe(0);
  expect(parseRunbook({ text: stdout, file: 'shown' })).toEqual(
    parseRunbook({ text: readFileSync(file, 'utf8'), file }),
  );
  expect(JSON.parse((await resurgo('--json', 'runbook', 'show', file)).stdout)).toHaveProperty(
    'groups.portal.rpoS',
    86_400,
  );
  expect(JSON.parse((await resurgo('runbook', 'schema')).stdout)).toHaveProperty('title', 'Resurgo runbook');
});

test('import ansible lists what it does not carry over, by line, and writes no file twice', async () => {
  const inventory = join(folder, 'hosts');
  writeFileSync(
    inventory,
    '[backup_sources]\napp-1 lvm_backup_source=False backup_snapshot_storage=0 colour=red ansible_password=s3cr3t\n\n[backup_target]\ntarget-1\n',
  );
  const output = join(folder, 'resurgo.yaml');
  const ran = await resurgo('import', 'ansible', inventory, '-o', output);
  expect(ran.code).toBe(0);
  expect(ran.stderr).toMatch(/hosts:2: .*`colour`, `ansible_password`/);
  expect(ran.stderr).not.toContain('s3cr3t');
  expect(readFileSync(output, 'utf8')).toContain('app-1');
  expect((await resurgo('import', 'ansible', inventory, '-o', output)).code).toBe(2);
});

test('usage errors exit 2, help exits 0 with an example for every command', async () => {
  expect((await resurgo('nosuch')).code).toBe(2);
  expect((await resurgo('pause')).code).toBe(2);
  const ours = [
    'runbook',
    'import',
    'keys',
    'engine',
    'schedule',
    'help',
    'show',
    'init',
    'find',
    'diff',
    'status',
    'prune',
    'pause',
    'unpause',
    'stop',
    'start',
    'snapshots',
    'completion',
  ];
  const nested = [
    ['runbook', 'validate'],
    ['import', 'ansible'],
    ['schedule', 'apply'],
    ['schedule', 'show'],
    ['schedule', 'remove'],
  ];
  for (const path of [[], ...ours.map((each) => [each]), ...nested]) {
    const { code, stdout } = await resurgo(...path, '--help');
    expect([path, code, stdout.includes('Example:\n  $ resurgo')]).toEqual([path, 0, true]);
  }
});

test('completion knows commands, subcommands and options, and bash takes it', async () => {
  const { stdout } = await resurgo('completion', 'bash');
  expect(stdout).toMatch(/'schedule'\) words='apply show remove/);
  expect(stdout).toMatch(/'prune'\) words='--dry-run --yes -r --runbook/);
  const { execFileSync } = await import('node:child_process');
  const script = `${stdout}\nCOMP_WORDS=(resurgo schedule ap); COMP_CWORD=2; _resurgo; echo "\${COMPREPLY[*]}"`;
  expect(execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim()).toBe('apply');
  const shells = `${stdout}\nCOMP_WORDS=(resurgo completion ''); COMP_CWORD=2; _resurgo; echo "\${COMPREPLY[*]}"`;
  expect(execFileSync('bash', ['-c', shells], { encoding: 'utf8' })).toMatch(/^bash zsh fish -r/);
  const fish = (await resurgo('completion', 'fish')).stdout;
  expect(fish).toContain("-a apply -d 'make the server");
  expect(fish).toContain("-n '__fish_seen_subcommand_from completion' -a zsh -d 'which shell'");
  const zsh = (await resurgo('completion', 'zsh')).stdout;
  expect(zsh).toContain('#compdef resurgo');
  expect(zsh).toContain("'completion') items=('bash:which shell' 'zsh:which shell' 'fish:which shell'");
  expect((await resurgo('completion', 'tcsh')).code).toBe(2);
});
