/** The data of the source disk: the same in each run, so that a disk that was made on another day is the same to copy. */
import { mkdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { runProgram } from '../../lab/support/program';

/** Folders of a hundred small files each. */
const FOLDERS = 200;
const MIB = 1024 * 1024;
/** Changes with the data, and so the name of the source disk does. */
export const DATA_VERSION = 1;

/** Numbers that look random and are the same each time (xorshift32). */
class Numbers {
  constructor(private state: number) {}

  next(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x >>> 0;
    return this.state;
  }

  bytes(count: number): Buffer {
    const words = new Uint32Array(Math.ceil(count / 4));
    for (let i = 0; i < words.length; i += 1) words[i] = this.next();
    return Buffer.from(words.buffer, 0, count);
  }

  /** What packs as a log file does. */
  text(count: number): Buffer {
    const words: string[] = [];
    for (let length = 0; length < count;) {
      const word = `${(this.next() % 4096).toString(36)} line ${this.next() % 97}\n`;
      words.push(word);
      length += word.length;
    }
    return Buffer.from(words.join('').slice(0, count), 'latin1');
  }
}

/** Small files, half text and half random bytes, some large ones of both kinds, and what a careless copy loses. */
export async function makeSourceData(folder: string): Promise<void> {
  const numbers = new Numbers(0x5eed);
  for (let i = 0; i < FOLDERS; i += 1) {
    const at = path.join(folder, 'small', String(i).padStart(3, '0'));
    mkdirSync(at, { recursive: true });
    for (let j = 0; j < 100; j += 1) {
      // Most of some KiB, a few of some ten.
      const size = 200 + (numbers.next() % 3000) + (j % 20 === 0 ? numbers.next() % 40_000 : 0);
      writeFileSync(path.join(at, `file-${j}`), j % 2 === 0 ? numbers.text(size) : numbers.bytes(size));
    }
  }
  const large = path.join(folder, 'large');
  mkdirSync(large);
  writeFileSync(path.join(large, 'random'), numbers.bytes(96 * MIB));
  writeFileSync(path.join(large, 'log'), numbers.text(96 * MIB));
  writeFileSync(path.join(large, 'mixed'), Buffer.concat([numbers.bytes(24 * MIB), numbers.text(24 * MIB)]));
  await runProgram({ command: ['sh', '-c', ODD, 'odd', folder], timeoutMs: 120_000 });
}

// Whole seconds: GNU tar's usual format knows no others, and the programs are not compared by that.
const ODD = `set -e
cd "$1"
mkdir -p odd/empty
truncate -s 64M odd/sparse; printf end >>odd/sparse
printf linked >odd/one; ln odd/one odd/two; ln -s ../large/log odd/link; ln -s /nowhere odd/dangling
printf odd >'odd/a b'; printf odd >"$(printf 'odd/gr\\303\\274n')"
mkfifo -m 640 odd/fifo; mknod -m 666 odd/null c 1 3
printf s >odd/suid; chmod 4755 odd/suid
setfattr -n user.lab -v x odd/one; setfacl -m u:4000:rw odd/suid
chown -R 1000:1000 small; chown 33:33 large
find . -depth -exec touch -h -d @1700000000 {} +
`;
