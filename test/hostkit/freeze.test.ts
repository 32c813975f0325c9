/** The freeze's decisions that need no host: scope, exclusions, mount tables, times. Under dash and busybox's ash. */
import { execFileSync, spawnSync } from 'node:child_process';
import * as path from 'node:path';

const LIB = path.join(__dirname, '..', '..', 'hostkit');
const shells: [string, string[]][] = [['sh', []]];
if (spawnSync('busybox', ['true']).status === 0) shells.push(['busybox', ['ash']]);
else if (process.env['CI'] === 'true') throw new Error('busybox is missing, and CI=true allows no skip');

describe.each(shells)('freeze under %s', (shell, args) => {
  /** Runs code after the libraries, with the given lines as host.conf. */
  const run = (code: string, conf: readonly string[] = []): string => {
    const libs = ['base', 'types', 'config', 'freeze', 'view'].map((lib) => `. "$RESURGO_LIB/lib/${lib}.sh"`);
    const script = ['set -u', ...libs, 'config_loaded=yes', 'config_text=$CONF', code].join('\n');
    const env = { ...process.env, LC_ALL: 'C', RESURGO_LIB: LIB, CONF: conf.join('\n') };
    return execFileSync(shell, [...args, '-c', script], { env })
      .toString()
      .trim();
  };
  const scopeOf = (conf: readonly string[], image: string, labels: string): string =>
    run(`containers_scope portal; container_in_scope '${image}' '${labels}'; echo $in_scope`, conf);

  test('S1 our own engine and exempt labels are never in scope', () => {
    const all = ['containers portal all', 'exempt-label com.acme.keep=a%20b'];
    expect(scopeOf(all, 'nginx:1', '"a"="b" ')).toBe('yes');
    expect(scopeOf(all, 'temporalio/server:1.32', '')).toBe('exempt');
    expect(scopeOf(all, 'registry.example/temporalio/ui', '')).toBe('exempt');
    expect(scopeOf(all, 'postgres:16', '"com.resurgo.engine"="temporal" ')).toBe('exempt');
    expect(scopeOf(all, 'nginx', '"com.acme.keep"="a b" "z"="" ')).toBe('exempt');
    expect(scopeOf(['containers other all'], 'nginx', '')).toBe('no');
  });

  test('S1 a label can not be forged inside the value of another', () => {
    const one = ['containers portal label:tier=data'];
    expect(scopeOf(one, 'nginx', '"tier"="data" ')).toBe('yes');
    expect(scopeOf(one, 'nginx', '"tier"="database" ')).toBe('no');
    expect(scopeOf(one, 'nginx', '"x"="\\"tier\\"=\\"data\\" " ')).toBe('no');
    expect(scopeOf(['containers portal all'], 'nginx', '"x"="\\"com.resurgo.engine\\"=\\"1\\" " ')).toBe('yes');
  });

  test('S13 only a literal, anchored pattern excludes by name', () => {
    const excluded = (pattern: string, rel: string): string =>
      run(`src_group=portal src_name=data; source_excludes '${rel}' && echo yes || echo no`, [
        `exclude portal data ${pattern}`,
      ]);
    expect(excluded('/cache', 'cache')).toBe('yes');
    expect(excluded('/cache/', 'cache/deep')).toBe('yes');
    expect(excluded('/cache/%2A%2A%2A', 'cache')).toBe('yes');
    expect(excluded('/cache', 'cached')).toBe('no');
    expect(excluded('cache', 'cache')).toBe('no');
    expect(excluded('/ca%2A', 'cache')).toBe('no');
    expect(excluded('/', 'cache')).toBe('no');
  });

  test('S13 a mount point with blanks is read as it is', () => {
    expect(run('unescape_mount "/srv/a\\\\040b\\\\134c"; printf "[%s]" "$unescaped"')).toBe('[/srv/a b\\c]');
    expect(run('mount_of /proc/self; printf %s "$mount_point $mount_type"')).toBe('/proc proc');
  });

  test("S2 a request may shorten the host's limit, never lengthen it", () => {
    const limit = (asked: number): string =>
      run(`deadman_limit portal ${asked}; echo $limit_ms`, ['max-pause portal 20']);
    expect([limit(5), limit(20), limit(9000), limit(0)]).toEqual(['5000', '20000', '20000', '20000']);
  });

  test('S1 the wall clock has milliseconds even where date has none', () => {
    const apart = Number(run('wall_prepare; read_wall; echo $time')) - Date.now();
    expect(Math.abs(apart)).toBeLessThan(1500);
    expect(
      run('wall_prepare; for i in 1 2 3; do read_wall; printf "%s " $(( time % 1000 )); sleep 0.05; done'),
    ).not.toBe('0 0 0');
  });
});
