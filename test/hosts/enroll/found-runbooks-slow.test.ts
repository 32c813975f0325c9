/** `adopt --target` where a target is slow: each group has its own time, and they are not bounded together as one answer is. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AdminShell } from '../../../hosts/enroll/admin';
import { readRunbooks } from '../../../hosts/enroll/found-runbooks';
import { readScript } from '../../../hosts/enroll/hostkit-tree';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'resurgo-slow-'));
});
afterEach(() => {
  jest.restoreAllMocks();
  rmSync(dir, { recursive: true });
});

test('a group that hangs is named with that, and keeps no other answer back', async () => {
  const conf = join(dir, 'host.conf');
  const hostkit = join(dir, 'hostkit');
  writeFileSync(conf, 'accept main able t h\naccept main hung t h\naccept main other t h\n');
  const answer = 'case $(cat) in *"group hung"*) sleep 300 ;; esac; echo answered';
  writeFileSync(hostkit, `#!/bin/sh\ntrap '' TERM\n${answer}\n`, { mode: 0o755 });
  const script = (await readScript('runbooks'))
    .replace('each=60', 'each=1')
    .replaceAll('/etc/resurgo/host.conf', conf)
    .replaceAll('/usr/local/lib/resurgo/hostkit', hostkit);
  const ran = spawnSync('/bin/sh', ['-c', script], { encoding: 'utf8', timeout: 20_000 });
  expect(ran.stdout.split('\n')).toEqual([
    'main able answered',
    'main hung {"ok":false,"message":"the target did not answer within 1 s"}',
    'main other answered',
    '',
  ]);
});

test('all of them together have more time than one', async () => {
  const root = jest.fn<Promise<object>, [string, { timeoutMs?: number }]>(() =>
    Promise.resolve({ stdout: 'main hung {"ok":false,"message":"slow"}\n', stderr: '', exit: 0 }),
  );
  jest.spyOn(AdminShell, 'open').mockResolvedValue({ root, close: () => undefined } as unknown as AdminShell);
  const target = { name: 'target', address: '192.0.2.1' };
  const trust = { stateDir: dir, adminKnownHosts: '', target, admin: { login: { agent: '/run/agent' } } };
  expect(await readRunbooks(trust)).toEqual({ found: [], problems: ['hung: slow'] });
  expect(root.mock.calls[0]?.[1].timeoutMs).toBeGreaterThan(10 * 60_000);
});
