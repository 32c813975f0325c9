import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { storeKit, type StoreKit } from './stores-kit';
import { describeAsRoot } from './support';

jest.setTimeout(60_000);

const sum = (text: string) => createHash('sha256').update(text).digest('hex');
const naming = (...texts: string[]) => ({
  manifest: { layouts: texts.map((text, i) => ({ host: `h${i}`, sha256: sum(text), recoverable: true, reasons: [] })) },
});

describeAsRoot('the layouts of a backup', () => {
  let kit: StoreKit;
  const fence = (run: string) => ({ run, term: '1', step: 'layout', attempt: '1' });
  const put = (run: string, host: string, text: string | Buffer) => {
    const layout = (typeof text === 'string' ? gzipSync(text) : text).toString('base64');
    return kit.verb('store.layout.put', { ...fence(run), host, layout });
  };
  const sealed = (id: string, name = '') => join(kit.place, 'web/backups', id, 'resurgo/layouts', name);

  beforeAll(async () => {
    kit = await storeKit({ kind: 'hardlink', fs: 'ext4' });
    writeFileSync(join(kit.source, 'a'), 'a');
  });
  afterAll(() => {
    kit.close();
  });

  it('are taken by the run that the store is open for, sealed with it, and read back as they were', async () => {
    expect(put('run-0001', 'app-1', '{"a":1}')).toMatchObject({ ok: false, code: 'fenced' });
    await kit.copy('run-0001');
    // Of a former try of the step: the later one counts.
    expect(put('run-0001', 'app-1', '{"a":0}')).toMatchObject({ ok: true, sha256: sum('{"a":0}') });
    expect(put('run-0001', 'app-1', '{"a":1}')).toMatchObject({ ok: true, sha256: sum('{"a":1}'), bytes: 7 });
    const long = JSON.stringify({ text: 'x'.repeat(300_000) });
    expect(put('run-0001', 'app-2', long)).toMatchObject({ ok: true });
    // It could be read in a former try, and no more: the manifest names none, and none is sealed.
    expect(put('run-0001', 'app-3', '{}')).toMatchObject({ ok: true });
    expect(put('run-0002', 'app-1', '{"a":2}')).toMatchObject({ ok: false, code: 'fenced' });
    expect(kit.seal('run-0001', '20261121_013000', naming('{"a":1}', long))).toMatchObject({ ok: true });
    expect(readdirSync(sealed('20261121_013000')).sort()).toEqual(['app-1.json', 'app-2.json']);
    expect(readFileSync(sealed('20261121_013000', 'app-1.json'), 'utf8')).toBe('{"a":1}');
    for (const [host, text] of [
      ['app-1', '{"a":1}'],
      ['app-2', long],
    ] as const) {
      const { layout } = kit.verb('store.layout', { id: '20261121_013000', host });
      expect(gunzipSync(Buffer.from(String(layout), 'base64')).toString()).toBe(text);
    }
    for (const [id, host] of [
      ['20261121_013000', 'app-3'],
      ['20261121_013001', 'app-1'],
    ] as const)
      expect(kit.verb('store.layout', { id, host })).toMatchObject({ ok: false, code: 'not-found' });
  });

  it('none of them comes from the backup before', async () => {
    await kit.copy('run-0003');
    expect(kit.seal('run-0003', '20261121_013100')).toMatchObject({ ok: true });
    expect(existsSync(sealed('20261121_013100'))).toBe(false);
    expect(existsSync(sealed('20261121_013000', 'app-1.json'))).toBe(true);
  });

  it('the runbook of the newest backup is told', () => {
    writeFileSync(join(kit.place, 'web/backups/20261121_013100/resurgo/runbook.yaml'), 'version: 1\n');
    const { id, runbook } = kit.verb('store.runbook', {});
    expect(id).toBe('20261121_013100');
    expect(gunzipSync(Buffer.from(String(runbook), 'base64')).toString()).toBe('version: 1\n');
  });

  it('a verb that is ended before it has answered says so, and its view is gone', () => {
    const part = join(kit.root, 'lib/lib/stores.sh');
    const whole = readFileSync(part, 'utf8');
    writeFileSync(part, `${whole}\ngzip() { return 1; }\nbase64() { exit 3; }\ntr() { exit 4; }\n`);
    const answer = kit.verb('store.runbook', {});
    writeFileSync(part, whole);
    expect(answer).toMatchObject({ ok: false, code: 'internal' });
    expect(answer.message).toContain('exit 4');
  });

  it('S17 nothing is sealed where one that the manifest names is missing or another', async () => {
    await kit.copy('run-0004');
    put('run-0004', 'app-1', '{"a":1}');
    const seal = (at: number, ...texts: string[]) => kit.seal('run-0004', `20261121_01320${at}`, naming(...texts));
    expect(seal(0, '{"a":1}', '{"a":2}')).toMatchObject({ ok: false, code: 'not-found' });
    writeFileSync(join(kit.root, 'var/runs/run-0004/layouts/app-1.json'), '{"a":9}');
    expect(seal(1, '{"a":1}')).toMatchObject({ ok: false, code: 'not-found' });
    expect(readdirSync(join(kit.place, 'web/backups'))).toEqual(['20261121_013000', '20261121_013100']);
  });

  it('S29 what is no layout is refused, and leaves nothing', async () => {
    await kit.copy('run-0005');
    mkdirSync(join(kit.root, 'var/runs/run-0005/layouts'), { recursive: true });
    const none = kit.verb('store.layout.put', { ...fence('run-0005'), host: 'app-1', layout: 'aGk=' });
    expect(none).toMatchObject({ ok: false, code: 'bad-request' });
    expect(put('run-0005', '../x', '{}')).toMatchObject({ ok: false, code: 'bad-request' });
    expect(put('run-0005', 'app-1', gzipSync(Buffer.alloc(40 << 20)))).toMatchObject({
      ok: false,
      code: 'bad-request',
    });
    expect(readdirSync(join(kit.root, 'var/runs/run-0005/layouts'))).toEqual([]);
  });
});
