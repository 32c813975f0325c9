import fs from 'node:fs';
import { z } from 'zod';
import { parseReply } from '../../hosts/envelope';
import { Box, SHELLS, describeAsRoot, fence, request } from './support';
import type { Shell } from './support';

const long = (count: number) => 'a'.repeat(count);

/** Requests that must be refused before anything happens. Name → what is sent. */
const hostile: [string, string | Buffer][] = [
  ['nothing', ''],
  ['an empty line', '\n'],
  ['no dot at the end', 'resurgo 1 probe\n'],
  ['no line feed after the dot', 'resurgo 1 probe\n.'],
  ['another protocol', 'GET / HTTP/1.1\n\n.\n'],
  ['a newer version', 'resurgo 2 probe\n.\n'],
  ['no verb', 'resurgo 1 \n.\n'],
  ['an unknown verb', 'resurgo 1 shell\n.\n'],
  ['a verb by a path', 'resurgo 1 ../verbs/probe\n.\n'],
  ['a verb by an absolute path', 'resurgo 1 /bin/sh\n.\n'],
  ['a verb with a command', 'resurgo 1 probe;id\n.\n'],
  ['a verb with a substitution', 'resurgo 1 $(id)\n.\n'],
  ['a verb with backquotes', 'resurgo 1 `id`\n.\n'],
  ['a verb as an option', 'resurgo 1 --help\n.\n'],
  ['a verb with dots', 'resurgo 1 ..\n.\n'],
  ['a verb in capitals', 'resurgo 1 PROBE\n.\n'],
  ['a verb with a carriage return', 'resurgo 1 probe\r\n.\r\n'],
  ['a very long verb', `resurgo 1 ${long(5000)}\n.\n`],
  ["a grant's verb", 'resurgo 1 receive\ngrant g\n.\n'],
  ["a grant's other verb", 'resurgo 1 send\ngrant g\n.\n'],
  ['an unknown key', 'resurgo 1 probe\ncommand id\n.\n'],
  ['a key in capitals', 'resurgo 1 status\nGROUP portal\n.\n'],
  ['a key that names a variable', 'resurgo 1 status\ngroup portal\nPATH /tmp\n.\n'],
  ['a key with a command', 'resurgo 1 status\ngroup;id portal\n.\n'],
  ['a key twice', 'resurgo 1 status\ngroup portal\ngroup portal\n.\n'],
  ['a missing key', 'resurgo 1 status\n.\n'],
  ['a key without a value', 'resurgo 1 status\ngroup\n.\n'],
  ['an empty value', 'resurgo 1 status\ngroup \n.\n'],
  ['a value with a space', 'resurgo 1 status\ngroup portal portal\n.\n'],
  ['a leading space', 'resurgo 1 status\n group portal\n.\n'],
  ['a tab', 'resurgo 1 status\ngroup\tportal\n.\n'],
  ['a raw semicolon', 'resurgo 1 status\ngroup a;id\n.\n'],
  ['a raw substitution', 'resurgo 1 status\ngroup $(touch${IFS}/var/lib/resurgo/owned)\n.\n'],
  ['raw backquotes', 'resurgo 1 status\ngroup `touch`\n.\n'],
  ['a raw quote', "resurgo 1 status\ngroup a'b\n.\n"],
  ['a raw backslash', 'resurgo 1 status\ngroup a\\0101\n.\n'],
  ['raw UTF-8', 'resurgo 1 status\ngroup pörtal\n.\n'],
  ['raw bytes', Buffer.from('resurgo 1 status\ngroup \xff\xfe\n.\n', 'latin1')],
  ['a NUL byte', 'resurgo 1 status\ngroup a\0;id\n.\n'],
  ['an escape that ends early', 'resurgo 1 status\ngroup a%2\n.\n'],
  ['an escape in lower case', 'resurgo 1 status\ngroup a%2d\n.\n'],
  ['an escape of no hex', 'resurgo 1 status\ngroup a%ZZ\n.\n'],
  ['an escaped NUL', 'resurgo 1 status\ngroup a%00b\n.\n'],
  ['an escaped semicolon', request('status', { group: 'a;id' })],
  ['an escaped substitution', request('status', { group: '$(id)' })],
  ['an escaped line feed', request('status', { group: 'a\nb' })],
  ['a group that climbs', request('status', { group: '../portal' })],
  ['a group as an option', request('status', { group: '--all' })],
  ['a group with a glob', request('status', { group: '*' })],
  ['a group in UTF-8', request('status', { group: 'pörtal' })],
  ['a group too long', request('status', { group: long(41) })],
  ['a job that climbs', request('job.poll', { job: '../../etc' })],
  ['a job with two dots', request('job.poll', { job: 'a..b' })],
  ['a job that begins with a dot', request('job.poll', { job: '.hidden' })],
  ['a job with a slash', request('job.poll', { job: 'a/b' })],
  ['a job too long', request('job.poll', { job: long(97) })],
  ['a run too short', request('lease.renew', { group: 'portal', run: 'abc', term: 1, ttl: 9 })],
  [
    'a term that is no number',
    request('lease.take', { group: 'portal', run: 'run-00000001', owner: 'o', term: 'x', ttl: 9 }),
  ],
  ['a negative term', request('lease.take', { group: 'portal', run: 'run-00000001', owner: 'o', term: -1, ttl: 9 })],
  ['an octal term', request('lease.take', { group: 'portal', run: 'run-00000001', owner: 'o', term: '010', ttl: 9 })],
  [
    'a term as an expression',
    request('lease.take', { group: 'portal', run: 'run-00000001', owner: 'o', term: '1+1', ttl: 9 }),
  ],
  [
    'a term beyond all numbers',
    request('lease.take', { group: 'portal', run: 'run-00000001', owner: 'o', term: '9'.repeat(16), ttl: 9 }),
  ],
  [
    'an owner with an escape sequence',
    request('lease.take', { group: 'portal', run: 'run-00000001', owner: '\u001b[2J', term: 0, ttl: 9 }),
  ],
  ['no fence', request('job.stop', { job: 'a' })],
  ['a step with a line feed', request('job.stop', { ...fence({ step: 'a\n9 b' }), job: 'a' })],
  ['a job kind that climbs', request('job.start', { ...fence(), job: 'a', kind: '../verbs/probe' })],
  ['a job kind by a path', request('job.start', { ...fence(), job: 'a', kind: '/bin/sh' })],
  ['an unknown job kind', request('job.start', { ...fence(), job: 'a', kind: 'shell' })],
  ['no job kind', request('job.start', { ...fence(), job: 'a' })],
  ["another kind's key", request('job.start', { ...fence(), job: 'a', kind: 'probe-ok', command: 'id' })],
  ["a kind's key of the wrong type", request('job.start', { ...fence(), job: 'a', kind: 'probe-ok', ms: '1;id' })],
  ['a word not of the list', request('grant.key', { ...fence(), grant: 'g', purpose: 'shell' })],
  ['words of the list with its bars', request('grant.key', { ...fence(), grant: 'g', purpose: 'receive|send' })],
  ['a word as a glob', request('grant.key', { ...fence(), grant: 'g', purpose: '*' })],
  ['a grant with a quote', request('grant.key', { ...fence(), grant: "g' sh", purpose: 'send' })],
  ['a key with options', request('grant.add', grantKeys({ pubkey: 'command="sh" ssh-ed25519 AAAA' }))],
  ['a key with a line feed', request('grant.add', grantKeys({ pubkey: 'ssh-ed25519 AAAA\nssh-ed25519 AAAA' }))],
  ['a key of another type', request('grant.add', grantKeys({ pubkey: 'ssh-rsa AAAA' }))],
  ['a path that climbs', request('grant.add', grantKeys({ path: '/srv/../etc' }))],
  ['a path that is relative', request('grant.add', grantKeys({ path: 'etc' }))],
  ['a path with an empty part', request('grant.add', grantKeys({ path: '/srv//x' }))],
  ['a path with a control character', request('grant.add', grantKeys({ path: '/srv/\u0007' }))],
  ['a subpath that is absolute', request('grant.add', grantKeys({ subpath: '/etc' }))],
  ['a subpath that climbs', request('grant.add', grantKeys({ subpath: 'a/../../b' }))],
  ['a tree that climbs', request('grant.add', grantKeys({ tree: '../x@y' }))],
  ['a tree without a host', request('grant.add', grantKeys({ tree: '@x' }))],
  ['a tree with a slash', request('grant.add', grantKeys({ tree: 'h@a/b' }))],
  ['an id that is none', request('grant.add', grantKeys({ id: '20261121_0130001' }))],
  ['a signature that is no base64', request('grant.add', grantKeys({ signature: '$(id)' }))],
  ['an expiry too far away', request('grant.add', grantKeys({ expires_s: 1_000_000 }))],
  ['65 keys', `resurgo 1 status\n${Array.from({ length: 65 }, (_, at) => `k${at} 1`).join('\n')}\n.\n`],
  ['a line over 256 KiB', `resurgo 1 status\ngroup ${long(262_144)}\n.\n`],
];

function grantKeys(over: Record<string, string | number>): Record<string, string | number> {
  const base = {
    ...fence(),
    grant: 'g',
    purpose: 'receive',
    scope: 'folder',
    pubkey: 'ssh-ed25519 AAAA',
    peer: 'app-1',
  };
  return { ...base, signature: 'AAAA', expires_s: 60, path: '/srv/x', tree: 'app@+x', ...over };
}

describeAsRoot('the request', () => {
  describe.each(SHELLS)('under %s', (shell: Shell) => {
    let box: Box;
    beforeAll(() => {
      box = new Box({ shell });
      const kind = '#!/bin/sh\n# keys: ms:int=0\njob_main() { sleep 1; }\n';
      fs.writeFileSync(box.file('lib/resurgo/jobs/probe-ok.sh'), kind);
      fs.writeFileSync(box.file('lib/resurgo/verbs/echo.sh'), ECHO);
    });
    afterAll(() => {
      box.close();
    });

    it.each(hostile)('S26 refuses %s, with no effect', (_name, sent) => {
      const before = box.snapshot();
      const ran = box.raw(sent);
      expect(ran.status).toBe(1);
      expect(ran.stdout).toMatch(/^\{"ok":false,"code":"(bad-request|not-allowed)","message":"[^\n]*"\}\n$/);
      expect(box.snapshot()).toBe(before);
    });

    it('carries every byte of a value', () => {
      const value = ` !"#$%&'()*+,-./09:;<=>?@AZ[\\]^_\`az{|}~äé\u{1f600}`;
      expect(box.ask('echo', { text: value })).toMatchObject({ text: value, word: 'full', number: '7', empty: '' });
    });

    it('escapes what is no UTF-8 and every control character', () => {
      const ran = box.raw('resurgo 1 echo\ntext a%FFb%C3%28%ED%A0%80\n.\n');
      expect(ran.stdout).toContain('"text":"a\\u00ffb\\u00c3(\\u00ed\\u00a0\\u0080"');
    });

    it('leaves what follows the dot on stdin', () => {
      const ran = box.raw(`${request('echo', { text: 'x', word: 'rest' })}one\ntwo\n`);
      expect(ran.stdout).toContain('one\ntwo\n');
    });

    it('takes no arguments and no other user', () => {
      const words = shell.split(' ');
      const asked = box.runs(words[0] ?? '', [...words.slice(1), HOSTKIT_PATH, 'probe'], '');
      expect(asked.stdout).toContain('takes no arguments');
      const other = box.runs(
        'setpriv',
        ['--reuid=65534', '--clear-groups', ...words, HOSTKIT_PATH],
        request('probe', {}),
      );
      expect(other.status).not.toBe(0);
      expect(other.stdout).not.toContain('"ok":true');
    });

    it('a verb that it does not know tells the director that it is too old', () => {
      const { stdout } = box.raw('resurgo 1 store.layout.burn\n.\n');
      const read = () =>
        parseReply({ line: stdout.trim(), schema: z.unknown(), host: 'app-1', verb: 'store.layout.burn' });
      expect(read).toThrow(expect.objectContaining({ code: 'hostkit-old' }) as Error);
    });

    it("S26 runs no verb that is not root's, and no link", () => {
      fs.writeFileSync(box.file('lib/resurgo/verbs/evil.sh'), 'verb_main() { reply; }\n');
      fs.chownSync(box.file('lib/resurgo/verbs/evil.sh'), 64999, 64999);
      fs.symlinkSync('echo.sh', box.file('lib/resurgo/verbs/link.sh'));
      expect(box.ask('evil')).toMatchObject({ ok: false, code: 'bad-request' });
      expect(box.ask('link')).toMatchObject({ ok: false, code: 'bad-request' });
    });

    it.each([
      [
        'writable by others',
        (file: string) => {
          fs.chmodSync(file, 0o622);
        },
      ],
      [
        "another user's",
        (file: string) => {
          fs.chownSync(file, 64999, 0);
        },
      ],
      [
        'a link',
        (file: string) => {
          fs.renameSync(file, `${file}.real`);
          fs.symlinkSync(`${file}.real`, file);
        },
      ],
    ])('S26 refuses a configuration that is %s', (_name, spoil) => {
      const file = box.file('etc/resurgo/host.conf');
      spoil(file);
      expect(box.ask('probe')).toMatchObject({ ok: false, code: 'not-allowed' });
      fs.rmSync(file);
      box.conf(['host app-1']);
      expect(box.ask('probe')).toMatchObject({ ok: true, host: 'app-1' });
    });
  });
});

const HOSTKIT_PATH = '/usr/local/lib/resurgo/hostkit';
const ECHO = `#!/bin/sh
# keys: text:text word:word(full|rest)=full number:int=7 empty:name?
verb_main() {
  json_quote "$arg_text"
  reply "\\"text\\":$json,\\"word\\":\\"$arg_word\\",\\"number\\":\\"$arg_number\\",\\"empty\\":\\"$arg_empty\\""
  [ "$arg_word" = full ] || cat
}
`;
