/** Data with everything that a copy can lose, made on a lab host, and a way to see all of it that shares nothing with the product's listings. */
import type { Fleet } from './fleet';

/** Names that break tools: spaces, line feeds, tabs, percent signs, escapes, UTF-8, bytes that are no UTF-8, leading dashes. */
const NAMES = [
  'a b',
  'new\\nline',
  'tab\\there',
  '100%%25 %%',
  'gr\\303\\274n',
  'no\\377utf\\3768',
  'back\\\\slash\\\\012',
  '\\\\#012x',
  '-rf',
  'q"\'$\\`*?[x]',
  ' lead',
  'trail ',
  'esc\\033[0m',
];

/** What each file system can hold: `full` has attributes, ACLs, capabilities and nanoseconds, `plain` whole seconds and none of them. */
export type Holds = 'full' | 'plain';

/** Makes the tree in an existing folder of the host. */
export async function makeAwkward(fleet: Fleet, host: string, dir: string, holds: Holds): Promise<void> {
  await fleet.exec(host, awkwardScript({ dir, holds }));
}

/** The same as a shell script, for root. */
export function awkwardScript({ dir, holds }: { dir: string; holds: Holds }): string {
  const names = NAMES.map(
    (name) => `n=$(printf -- '${name.replaceAll("'", "'\\''")}.'); n=\${n%.}; printf 'text of %s' "$n" >"./$n"`,
  );
  const script = [
    'set -e',
    `cd ${dir}`,
    'mkdir -p d/e/f',
    ...names,
    'printf one >d/one; ln d/one d/e/two; ln d/one "z three"; printf same >d/l1; printf same >d/l2; ln d/l1 d/e/l1b',
    'ln -s d/one sl; ln -s "t \n%" "sl odd"; ln -s /nonexistent dangling; ln -s d dirlink',
    'for n in suid sgid none bigids; do printf "#" >$n; done',
    'mkfifo -m 640 fifo',
    'perl -MSocket -e \'socket(S, PF_UNIX, SOCK_STREAM, 0) && bind(S, sockaddr_un("sock")) or die\'',
    'mknod -m 666 chr c 1 3; mknod -m 660 blk b 259 70000',
    'truncate -s 30M hole; truncate -s 20M sparse; printf tail >>sparse',
    'head -c 3000000 /dev/urandom >big; for i in $(seq 1 60); do head -c $((i * 37)) /dev/urandom >d/e/file$i; done',
    // zfs-fuse knows ids of 31 bits.
    `chown ${holds === 'full' ? '4294967293:3000000000' : '2147483000:2147483001'} bigids; chown -h 12345:54321 sl`,
    ...(holds === 'full' ? ATTRIBUTES : []),
    'chmod 1777 d/e; chmod 2750 d/e/f; chmod 4755 suid; chmod 2755 sgid; chmod 0 none',
    ...(holds === 'full' ? ['setcap cap_net_raw+ep suid'] : []),
    `find . -depth -not -path './live*' -exec touch -h -d '2020-09-13 12:26:40${holds === 'full' ? '.123456789' : ''}' {} +`,
  ];
  return script.join('\n');
}

const ATTRIBUTES = [
  "setfattr -n user.x -v 0x7600ff0a 'a b'; setfattr -n trusted.t -v 1 'a b'; setfattr -n trusted.overlay.opaque -v y d/e",
  'setfattr -n user.empty ./-rf; setfattr -h -n trusted.onlink -v 1 sl; setfattr -n trusted.f -v 2 fifo',
  "setfacl -m u:4000:rw,g:5000:r 'a b'; setfacl -d -m u:4001:rwx d",
];

/**
 * Everything about a tree that a restore must bring back, as text: type, mode, ids, size, time, link groups, targets, devices, content,
 * holes, attributes with ACLs and capabilities. Without `./live`, which containers write, `./cache` and `./mount`. Bytes beyond ASCII are shown as escapes.
 */
export async function facts(fleet: Fleet, host: string, dir: string): Promise<string> {
  return (await fleet.exec(host, factsCommand(dir), { timeoutMs: 90_000 })).stdout;
}

/** The same as a shell command. */
export function factsCommand(dir: string): string {
  return `python3 -c '${FACTS}' ${dir}`;
}

const FACTS = `
import hashlib, os, stat, sys
os.chdir(sys.argv[1])
skipped = (b"./live", b"./cache", b"./mount", b"./.resurgo")
paths, names_of = [b"."], {}
for top, folders, files in os.walk(b"."):
    folders[:] = [f for f in folders if top + b"/" + f not in skipped]
    paths += [top + b"/" + name for name in folders + files]
show = lambda raw: "".join(chr(b) if 33 <= b <= 126 and b != 37 else "%%%02X" % b for b in raw)
for path in sorted(paths):
    s = os.lstat(path)
    names_of.setdefault((s.st_dev, s.st_ino), []).append(path)
for path in sorted(paths):
    s = os.lstat(path)
    plain, link = stat.S_ISREG(s.st_mode), stat.S_ISLNK(s.st_mode)
    # Links from outside the tree are none of its groups: a hardlink store has one for each backup.
    linked = names_of[s.st_dev, s.st_ino]
    print(show(path), oct(s.st_mode), s.st_uid, s.st_gid, s.st_mtime_ns, s.st_size if plain else "-",
      show(linked[0]) if len(linked) > 1 and not stat.S_ISDIR(s.st_mode) else "-",
      s.st_rdev if stat.S_ISCHR(s.st_mode) or stat.S_ISBLK(s.st_mode) else "-", show(os.readlink(path)) if link else "-",
      hashlib.sha256(open(path, "rb").read()).hexdigest() if plain else "-", plain and s.st_blocks * 512 + 1000000 < s.st_size)
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError:
        names = []
    for name in sorted(names):
        if not name.startswith("btrfs."):
            print(show(path), name, show(os.getxattr(path, name, follow_symlinks=False)))
`;
