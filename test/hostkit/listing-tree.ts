/** A tree of everything that a copy can lose: odd names, links, devices, attributes, holes, large ids, times in nanoseconds. */
import { mkdirSync, writeFileSync, linkSync, symlinkSync, chmodSync } from 'node:fs';
import { join } from 'node:path';
import { sh } from './stores-kit';

export function awkwardTree(dir: string): void {
  mkdirSync(join(dir, 'd/e/f'), { recursive: true });
  const at = (name: Buffer | string): Buffer => Buffer.concat([Buffer.from(`${dir}/`), Buffer.from(name)]);
  const odd: (Buffer | string)[] = [
    'a b',
    'new\nline',
    'tab\there',
    '100%25 %',
    'grün-日本',
    Buffer.from([105, 0xff, 0xfe]),
  ];
  odd.push(
    'back\\slash\\012',
    '\\#012x',
    '-rf',
    '#c',
    ';c',
    'q"\'$`*?[x]',
    ' lead',
    'trail ',
    'cr\rx',
    'esc\u001b[0m',
    '~',
    '!',
  );
  for (const name of odd) writeFileSync(at(name), 'x');
  for (const [name, text] of [
    ['d/one', 'one'.repeat(100)],
    ['d/l1', 'same'],
    ['d/l2', 'same'],
  ] as const)
    writeFileSync(at(name), text);
  for (const [from, to] of [
    ['d/one', 'd/e/two'],
    ['d/one', 'z three'],
    ['d/l1', 'd/e/l1b'],
    ['d/l2', 'd/e/l2\nb'],
  ] as const)
    linkSync(at(from), at(to));
  for (const [to, from] of [
    ['d/one', 'sl'],
    ['t \n%', 'sl odd'],
    ['/nonexistent', 'dangling'],
    ['d', 'dirlink'],
  ] as const)
    symlinkSync(to, at(from));
  for (const name of ['suid', 'sgid', 'none', 'bigids']) writeFileSync(at(name), '#');
  sh(
    `cd "$1"
     mkfifo -m 640 fifo
     perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0) && bind(S, sockaddr_un("sock")) or die'
     mknod -m 666 chr c 1 3; mknod -m 660 blk b 259 70000; mknod over c 0 0
     truncate -s 30M hole; truncate -s 20M sparse; printf tail >>sparse
     chown 4294967293:3000000000 bigids; chown -h 12345:54321 sl
     setfattr -n user.x -v 0x7600ff0a 'a b'; setfattr -n trusted.t -v 1 'a b'; setfattr -n trusted.overlay.opaque -v y d/e
     setfattr -n user.empty ./-rf; setfattr -h -n trusted.onlink -v 1 sl; setfattr -n trusted.f -v 2 fifo
     setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 suid
     setfacl -m u:4000:rw,g:5000:r 'a b'; setfacl -d -m u:4001:rwx d
     chmod 1777 d/e; chmod 2750 d/e/f
     find . -exec touch -h -d '2020-09-13 12:26:40.123456789' {} +
     touch -d '1970-01-01 00:00:00.999999999' ./'~'; touch -d '1969-12-31 23:59:58.5' ./'!'`,
    dir,
  );
  chmodSync(at('suid'), 0o4755);
  chmodSync(at('sgid'), 0o2755);
  chmodSync(at('none'), 0);
}
