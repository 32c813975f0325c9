/** `adopt --target`: director, state and runbook are gone, and a new machine has the target's address and its administrator's key. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { enrollHosts } from '../../../hosts/enroll/enroll';
import { fingerprint, parsePublicKey } from '../../../hosts/known-hosts';
import { parseRunbook } from '../../../runbooks/load';
import { resurgo } from '../../cli/support/run';
import { describeAsRoot } from '../../hostkit/support';
import { BoxHost } from './box-host';

jest.setTimeout(120_000);

describeAsRoot('a runbook that lies in the backups', () => {
  const target = new BoxHost();
  let folder: string;
  let text: string;
  const state = process.env.RESURGO_STATE;
  const file = () => join(folder, 'found.yaml');
  const adopt = (...words: string[]) =>
    resurgo(
      '-r',
      file(),
      'adopt',
      '--target',
      `root@127.0.0.1:${target.port}`,
      '--key',
      target.box.file('admin'),
      ...words,
    );
  const print = () => fingerprint(parsePublicKey(target.known.split(' ').slice(1).join(' ')));

  /** A sealed backup, as far as a runbook is in it. */
  function sealed(id: string, runbook: string | undefined): void {
    const at = `/var/lib/store/portal/backups/${id}/resurgo`;
    target.sh(`mkdir -p ${at}`);
    if (runbook !== undefined) writeFileSync(target.box.file(`${at.replace('/var/lib', 'var')}/runbook.yaml`), runbook);
  }

  beforeAll(async () => {
    await target.start();
    text = `version: 1
hosts:
  app-1: { address: 127.0.0.9 }
  target: { address: 127.0.0.1, port: ${target.port} }
stores: { main: { host: target, kind: hardlink, place: /var/lib/store } }
groups: { portal: { sources: [{ host: app-1, path: /, name: system, snapshot: none }], target: main } }
`;
    const first = mkdtempSync(join(tmpdir(), 'resurgo-first-'));
    const runbook = parseRunbook({ text, file: 'x.yaml' });
    const access = { admin: () => target.admin(), adminKnownHosts: target.known };
    target.sh('mkdir -p /var/lib/store');
    for (const { error } of (await enrollHosts({ stateDir: first, runbook, hosts: ['target'], ...access })).failed)
      throw error;
    rmSync(first, { recursive: true });
  }, 60_000);
  afterAll(() => {
    target.box.close();
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'resurgo-found-'));
    process.env.RESURGO_STATE = join(folder, 'state');
  });
  afterEach(() => {
    if (state === undefined) delete process.env.RESURGO_STATE;
    else process.env.RESURGO_STATE = state;
    rmSync(folder, { recursive: true });
  });

  test('there is none: that is said', async () => {
    expect(await adopt('--fingerprint', print())).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/portal: store 'main' holds no backup.*no backup there holds a runbook/s) as string,
    });
    sealed('20261119_010000', undefined);
    expect((await adopt('--fingerprint', print())).stderr).toMatch(/backup 20261119_010000 .* holds no runbook/);
  });

  test('the newest is written, with what comes next; then the target lets the new director in', async () => {
    sealed('20261120_010000', 'version: 1\n');
    sealed('20261121_010000', text);
    const { code, stdout } = await adopt('--fingerprint', print());
    expect(code).toBe(0);
    expect(stdout).toMatch(/the runbook of backup 20261121_010000 of portal\. Nobody has signed it: read it/);
    expect(stdout).toMatch(/then: resurgo enroll target --take-over; resurgo adopt portal/);
    expect(readFileSync(file(), 'utf8')).toBe(text);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    const access = ['--key', target.box.file('admin'), '--accept-host-key', print()];
    expect((await resurgo('-r', file(), 'enroll', 'target', '--take-over', ...access)).code).toBe(0);
    expect((await resurgo('-r', file(), 'list', 'portal')).stdout).toContain('20261121_010000');
  });

  test('a group that the target says nothing of takes no other’s answer along', async () => {
    sealed('20261121_010000', text);
    const kit = '/usr/local/lib/resurgo/hostkit';
    target.sh(`cp /etc/resurgo/host.conf /run/conf; mv ${kit} ${kit}.real
      printf 'accept main %s t h\\n' another '$(id)' >>/etc/resurgo/host.conf
      printf '%s\\n' '#!/bin/sh' 'asked=$(cat)' 'case $asked in *"group another"*) exit 1 ;; esac' 'printf "%s\\n" "$asked" | ${kit}.real' >${kit}
      chmod 0755 ${kit}`);
    try {
      const { code, stderr } = await adopt('--fingerprint', print());
      expect([code, stderr]).toEqual([0, expect.stringMatching(/another: what the target answered is no runbook/)]);
      expect(stderr).toMatch(/names no group: main \$\(id\)/);
      expect(readFileSync(file(), 'utf8')).toBe(text);
    } finally {
      target.sh(`mv ${kit}.real ${kit}; mv /run/conf /etc/resurgo/host.conf`);
    }
  });

  test('one that is there already is never replaced', async () => {
    sealed('20261121_010000', text);
    writeFileSync(file(), 'mine');
    expect(await adopt('--fingerprint', print())).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/is there already, and is not replaced/) as string,
    });
    expect(readFileSync(file(), 'utf8')).toBe('mine');
  });

  test('S30 of a target whose key is nobody’s word nothing is read', async () => {
    for (const words of [[], ['--fingerprint', 'SHA256:other']]) {
      const { code, stderr } = await adopt(...words, '--known-hosts', '/nowhere');
      expect([code, stderr]).toEqual([1, expect.stringMatching(/was not accepted/)]);
    }
    expect(existsSync(file())).toBe(false);
  });
});
