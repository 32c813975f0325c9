/** `netboot` over loopback: what it serves, to whom, and what it refuses to serve. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureDirectorKeys } from '../../hosts/director-keys';
import type { RescueBuild, RescueFileEntry } from '../../planning/rescue-media';
import { sampleBuild, sampleMedium } from '../planning/rescue-sample';
import { resurgo } from './support/run';
import type { Ran } from './support/run';

const FILES = { vmlinuz: 'a kernel', 'initramfs.img': 'an initramfs' };
const MAC = '52:54:00:AA:00:01';
jest.setTimeout(30_000);
let folder: string;
let port: number;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'resurgo-netboot-'));
  port = await freePort();
  build();
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** As `rescue fetch` leaves it. */
function build(over: Partial<RescueBuild> = {}): void {
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text);
  const said = sampleBuild({ host: 'web-1', hostName: 'web-1', files: media(), ...over });
  writeFileSync(join(folder, 'build.json'), JSON.stringify(said));
}

function media({ pinned = false } = {}): RescueFileEntry[] {
  return Object.entries(FILES).map(([name, content]) => sampleMedium({ name, content, pinned }));
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const at = server.address();
      server.close(() => {
        resolve(at !== null && typeof at === 'object' ? at.port : 0);
      });
    });
  });
}

/** What serves against all expectation ends by itself. */
const netboot = (...more: string[]): Promise<Ran> =>
  resurgo('netboot', 'web-1', '--from', folder, '--listen', `127.0.0.1:${port}`, '--for', '1m', ...more);

interface Answer {
  status: number | undefined;
  text: string;
}

/** The path as it is written: fetch() would tidy it up first. */
function get(path: string, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, method, agent: false }, (response) => {
      let text = '';
      response.on('data', (data: Buffer) => (text += data.toString()));
      response.on('end', () => {
        resolve({ status: response.statusCode, text });
      });
    })
      .on('error', reject)
      .end();
  });
}

/** Runs `body` while it serves, and ends it as Ctrl-C does. */
async function serving(args: string[], body: () => Promise<void>): Promise<Ran> {
  const running = netboot(...args);
  for (;;) {
    const up = await get('/').then(
      () => true,
      () => false,
    );
    if (up) break;
    const over = await Promise.race([running, new Promise((resolve) => setTimeout(resolve, 20))]);
    if (over !== undefined) throw new Error(`it ended before it served: ${JSON.stringify(over)}`);
  }
  try {
    await body();
  } finally {
    process.emit('SIGINT', 'SIGINT');
  }
  return running;
}

test('the named machine gets kernel and initramfs, another goes on with its own, and each request is told', async () => {
  const ran = await serving(['--mac', MAC, '--append', 'resurgo.ip=dhcp quiet'], async () => {
    const script = await get('/mac-52-54-00-aa-00-01.ipxe');
    expect(script.text).toContain(
      'kernel vmlinuz initrd=initramfs.img console=tty0 console=ttyS0,115200 resurgo.ip=dhcp quiet\n',
    );
    // What a script names is looked for beside the script itself, as iPXE does.
    for (const [, name] of script.text.matchAll(/^(?:kernel|initrd --name \S+) (\S+)/gm)) {
      const { pathname } = new URL(name ?? '', 'http://x/mac-52-54-00-aa-00-01.ipxe');
      expect([pathname, (await get(pathname)).status]).toEqual([pathname, 200]);
    }
    expect((await get('/boot.ipxe')).text).toContain('chain mac-${netX/mac:hexhyp}.ipxe || goto other');
    expect((await get('/mac-52-54-00-aa-00-02.ipxe')).status).toBe(404);
    expect((await get('/vmlinuz')).text).toBe(FILES.vmlinuz);
    expect((await get('/initramfs.img')).text).toBe(FILES['initramfs.img']);
    expect(await get('/initramfs.img', 'HEAD')).toEqual({ status: 200, text: '' });
  });
  expect([ran.code, ran.stderr]).toEqual([0, '']);
  expect(ran.stdout).toContain('127.0.0.1 GET /vmlinuz 200 8 B\n');
  expect(ran.stdout).toContain('127.0.0.1 GET /mac-52-54-00-aa-00-02.ipxe 404 0 B\n');
});

describe('whom the rescue system lets in', () => {
  const state = process.env.RESURGO_STATE;
  beforeEach(() => {
    process.env.RESURGO_STATE = join(folder, 'state');
  });
  afterEach(() => {
    if (state === undefined) delete process.env.RESURGO_STATE;
    else process.env.RESURGO_STATE = state;
  });
  const kernel = async (...more: string[]): Promise<string> => {
    let line = '';
    await serving(['--any', ...more], async () => {
      line = /^kernel .*$/m.exec((await get('/boot.ipxe')).text)?.[0] ?? '';
    });
    return line;
  };

  test('the director that serves it, whoever has built it', async () => {
    expect(await kernel()).not.toContain('resurgo.director');
    const { director } = await ensureDirectorKeys({ stateDir: join(folder, 'state') });
    expect(await kernel()).toContain(` resurgo.director=${director.publicKey.split(' ')[1]}`);
    const other = 'resurgo.director=AAAA';
    expect((await kernel('--append', other)).split(' ').filter((word) => word.startsWith('resurgo.'))).toEqual([other]);
  });
});

test('with --any every machine starts at once', async () => {
  await serving(['--any'], async () => {
    expect((await get('/boot.ipxe')).text).toContain('\nkernel vmlinuz ');
  });
});

test('nothing but these files can be had, whatever the path and the method', async () => {
  writeFileSync(join(folder, 'other'), 'secret');
  await serving(['--any'], async () => {
    const paths = [
      '/build.json',
      '/other',
      '/../other',
      '/x/../build.json',
      '/%2e%2e/etc/passwd',
      '//etc/passwd',
      '/',
      '/vmlinuz?x',
    ];
    for (const path of paths) expect([path, await get(path)]).toEqual([path, { status: 404, text: '' }]);
    expect(await get('/vmlinuz', 'PUT')).toEqual({ status: 405, text: '' });
  });
});

test('what was looked at is served, even when the folder holds something else meanwhile', async () => {
  await serving(['--any'], async () => {
    rmSync(join(folder, 'vmlinuz'));
    writeFileSync(join(folder, 'vmlinuz'), 'another');
    expect((await get('/vmlinuz')).text).toBe(FILES.vmlinuz);
  });
});

test('S30 an image with a pinned host key is not served', async () => {
  build({ files: media({ pinned: true }) });
  const ran = await netboot('--any');
  expect(ran.code).toBe(1);
  expect(ran.stderr).toContain('has a pinned host key in it');
  expect(ran.stderr).toContain('--output pxe');
});

test.each<[string, () => void, string]>([
  [
    'that does not say whether it holds a host key',
    () => {
      const unsaid = media().map(({ name, bytes, sha256 }) => ({ name, bytes, sha256 }));
      writeFileSync(join(folder, 'build.json'), JSON.stringify({ ...sampleBuild({ files: media() }), files: unsaid }));
    },
    'files.0.pinned',
  ],
  [
    'of another host',
    () => {
      build({ host: 'web-2', hostName: 'web-2' });
    },
    'of web-2, not of web-1',
  ],
  [
    'changed since',
    () => {
      writeFileSync(join(folder, 'initramfs.img'), 'An initramfs');
    },
    'is not what was built',
  ],
  [
    'without its kernel',
    () => {
      rmSync(join(folder, 'vmlinuz'));
    },
    'vmlinuz is missing',
  ],
  [
    'without the output pxe',
    () => {
      build({ files: [sampleMedium({ name: 'rescue.iso', content: 'an image' })] });
    },
    'output pxe',
  ],
  [
    'that nothing describes',
    () => {
      rmSync(join(folder, 'build.json'));
    },
    'has no build.json',
  ],
  [
    'described by something else',
    () => {
      writeFileSync(join(folder, 'build.json'), '{}');
    },
    'is none of ours',
  ],
])('a build %s is not served', async (_what, spoil, words) => {
  spoil();
  const ran = await netboot('--any');
  expect([ran.code, ran.stdout]).toEqual([1, '']);
  expect(ran.stderr).toContain(words);
});

test.each([
  [['--mac', 'x'], 'no MAC address'],
  [[], 'say which machines may have it'],
  [['--any', '--mac', MAC], 'say which machines may have it'],
  [['--any', '--append', 'a || b'], "can't be a word"],
  [['--any', '--append', '${net0/mac}'], "can't be a word"],
  [['--any', '--for', '30d'], '1s to 7d'],
  [['--any', '--dhcp', '192.0.2.1,192.0.2.9'], '--dnsmasq FILE'],
])('%p is refused', async (args, words) => {
  const ran = await netboot(...args);
  expect(ran.code).not.toBe(0);
  expect(ran.stderr).toContain(words);
});

test('dnsmasq is told to lead the named machines here, beside another DHCP server or as the only one', async () => {
  const file = join(folder, 'netboot.conf');
  const ipxe = join(folder, 'ipxe');
  mkdirSync(ipxe);
  for (const name of ['undionly.kpxe', 'ipxe.efi']) writeFileSync(join(ipxe, name), '');
  await serving(['--mac', MAC, '--dnsmasq', file, '--ipxe', ipxe], () => Promise.resolve());
  const proxy = readFileSync(file, 'utf8').split('\n');
  expect(proxy).toEqual(
    expect.arrayContaining([
      'port=0',
      'interface=lo',
      'dhcp-range=127.0.0.1,proxy,255.0.0.0',
      'dhcp-host=52:54:00:aa:00:01,set:resurgo',
      'dhcp-ignore=tag:!resurgo',
      'pxe-service=tag:resurgo,tag:!ipxe,x86PC,"Resurgo rescue system",undionly.kpxe',
      `dhcp-boot=tag:resurgo,tag:ipxe,http://127.0.0.1:${port}/boot.ipxe`,
      `tftp-root=${ipxe}`,
    ]),
  );
  await serving(['--any', '--dnsmasq', file, '--ipxe', ipxe, '--dhcp', '127.0.0.10,127.0.0.20'], () =>
    Promise.resolve(),
  );
  const plain = readFileSync(file, 'utf8');
  expect(plain).toContain('dhcp-range=127.0.0.10,127.0.0.20,255.0.0.0,1h\n');
  expect(plain).toContain(`\ndhcp-boot=tag:ipxe,http://127.0.0.1:${port}/boot.ipxe\n`);
  expect(plain).not.toContain('resurgo,');
});
