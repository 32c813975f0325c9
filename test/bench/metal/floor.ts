/** The floor: what somebody takes who knows the disk by heart. Partition, mkfs, and one tar through plain TCP; no look at anything, no boot loader. */
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { Readable } from 'node:stream';
import { raiseFleet } from '../../lab/support/fleet';
import { runProgram } from '../../lab/support/program';
import { blankDisk, startTools } from '../../lab/vm/support/install';
import type { Result, Task } from './results';
import { DISK_MB, NUMBER, sourceTar } from './source';
import { timed } from './stopwatch';

const BY_HAND_MS = 1_200_000;
const PLAIN_BYTES = 256 * 1024 * 1024;

export async function measureFloor({ wanted, round, source, say }: Task): Promise<void> {
  if (!wanted.includes('floor')) return;
  round.keep('floor', await floor({ source, say }));
}

async function floor({ source, say }: Pick<Task, 'source' | 'say'>): Promise<Result<'floor'>> {
  const tar = await sourceTar({ source });
  const fleet = await raiseFleet({ name: 'bench-floor', hosts: [{ name: 'idle', disk: 'ext4', docker: false }] });
  try {
    const machine = await startTools({
      ...{ fleet, number: NUMBER },
      disks: [{ serial: 'NEW', image: blankDisk({ fleet, name: 'new', sizeMb: DISK_MB }) }],
    });
    const address = fleet.directorAddress;
    // Read once before, so that this computer has it in memory.
    await runProgram({ command: ['sh', '-c', 'cat "$1" >/dev/null', 'read', tar], timeoutMs: BY_HAND_MS });
    const tarServer = await serve({ address, open: () => createReadStream(tar) });
    const byHand = await timed(machine, () =>
      machine.ssh(`bash -s ${address} ${tarServer.port}`, { input: BY_HAND, timeoutMs: BY_HAND_MS }),
    );
    tarServer.close();
    say(`floor: ${byHand.seconds.toFixed(1)} s, CPU ${byHand.cpu.toFixed(1)} s`);
    const plain = await serve({ address, open: () => Readable.from(zeros()) });
    const read = `s=$(date +%s%N); cat </dev/tcp/${address}/${plain.port} >/dev/null; echo $(($(date +%s%N) - s))`;
    const { stdout } = await machine.ssh(`bash -c '${read}'`, { timeoutMs: BY_HAND_MS });
    plain.close();
    await machine.kill();
    const network = { bytes: PLAIN_BYTES, seconds: Number(stdout) / 1e9 };
    return { byHand, tarBytes: statSync(tar).size, network };
  } finally {
    await fleet.down();
  }
}

const BY_HAND = `set -eo pipefail
disk=$(lsblk -dnpo NAME,SERIAL | awk '$2 == "NEW" { print $1 }')
printf 'label: gpt\\nsize=1MiB, type=21686148-6449-6E6F-744E-656564454649\\ntype=linux\\n' | sfdisk -q "$disk"
udevadm settle
mkfs.ext4 -q "$disk"2
mount "$disk"2 /mnt
tar -C /mnt --xattrs --xattrs-include='*' --acls -xpf - </dev/tcp/$1/$2
umount /mnt
sync
`;

/** Sends to whoever connects, by plain TCP. */
function serve(options: { address: string; open: () => Readable }): Promise<{ port: number; close: () => void }> {
  // The other side says at once that it sends nothing itself; that is no end.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    options.open().pipe(socket);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, options.address, () => {
      const at = server.address();
      if (at === null || typeof at === 'string') throw new Error('a server without a port');
      resolve({ port: at.port, close: () => server.close() });
    });
  });
}

function* zeros(): Generator<Buffer> {
  const block = Buffer.alloc(1024 * 1024);
  for (let sent = 0; sent < PLAIN_BYTES; sent += block.length) yield block;
}
