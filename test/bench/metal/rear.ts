/** ReaR's side: Debian's package with its tuned profile, in the same kind of machine, its medium and archive on a second disk. */
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { raiseFleet } from '../../lab/support/fleet';
import { runProgram } from '../../lab/support/program';
import { blankDisk } from '../../lab/vm/support/install';
import { Machine } from '../../lab/vm/support/machine';
import { differing, entries } from './compare';
import { BACKUP_LABEL, TUNED } from './rear-profile';
import type { Result, Task } from './results';
import { copyDisk, DISK_MB, inRoot, KIND, startSource, tellPlace } from './source';
import { timed } from './stopwatch';

/** Another size than the source's: of two disks alike ReaR would ask which. */
const BACKUP_MB = 5120;
/** Several times what a quiet machine takes: 350 s for the medium. */
const BUILD_MS = 3_000_000;
const RECOVERY_MS = 2_400_000;
/** It waits 30 s before it restarts. */
const RESTART_MS = 180_000;
const STARTS = "Launching 'rear recover' automatically";
const DONE = "'rear recover' finished successfully";
const FAILED = "'rear recover' failed";

export async function measureRear({ wanted, round, source, say }: Task): Promise<void> {
  const of = {
    iso: round.file('rear.iso'),
    backup: round.file('rear-backup.img'),
    facts: round.file('rear-facts.json'),
  };
  if (wanted.includes('rear-image')) round.keep('rear-image', await image({ ...of, source, say }));
  if (!wanted.includes('rear-recovery')) return;
  if (!round.has('rear-image'))
    throw new Error('rear-recovery wants what rear-image has made: --only rear-image first');
  round.keep('rear-recovery', await recovery({ ...of, say }));
}

type Files = Record<'iso' | 'backup' | 'facts', string> & Pick<Task, 'say'>;

function raiseNetwork(name: string) {
  return raiseFleet({ name, hosts: [{ name: 'idle', disk: 'ext4', docker: false }] });
}

async function image(of: Files & { source: string }): Promise<Result<'rear-image'>> {
  const { say } = of;
  const fleet = await raiseNetwork('bench-rear');
  try {
    const backup = blankDisk({ fleet, name: 'backup', sizeMb: BACKUP_MB });
    await runProgram({ command: ['mke2fs', '-q', '-F', '-t', 'ext4', '-L', BACKUP_LABEL, backup] });
    const machine = await startSource({ fleet, source: of.source, more: [{ image: backup, serial: 'BACKUP' }] });
    await machine.ssh('cat >/etc/rear/site.conf', { input: TUNED });
    const { stdout: version } = await machine.ssh("dpkg-query -f '${Version}' -W rear");
    writeFileSync(of.facts, JSON.stringify(await entries(machine)));
    const rear = (workflow: string) =>
      timed(machine, () => machine.ssh(`rear -v ${workflow} </dev/null`, { timeoutMs: BUILD_MS }));
    const build = await rear('mkrescue');
    say(`rear-image: mkrescue ${build.seconds.toFixed(1)} s, CPU ${build.cpu.toFixed(1)} s`);
    const archive = await rear('mkbackuponly');
    say(`rear-image: mkbackuponly ${archive.seconds.toFixed(1)} s, CPU ${archive.cpu.toFixed(1)} s`);
    await machine.sync();
    const found = await inRoot(backup, "cp $(find . -name '*.iso') \"$1\"; stat -c %s $(find . -name 'backup.tar*')", [
      `${of.iso}.part`,
    ]);
    await copyDisk(backup, `${of.backup}.part`);
    renameSync(`${of.backup}.part`, of.backup);
    renameSync(`${of.iso}.part`, of.iso);
    return { build, archive, isoBytes: statSync(of.iso).size, archiveBytes: Number(found), version };
  } finally {
    await fleet.down();
  }
}

async function recovery(of: Files): Promise<Result<'rear-recovery'>> {
  const { say } = of;
  const fleet = await raiseNetwork('bench-rear');
  try {
    const disks = [{ serial: 'NEW', image: blankDisk({ fleet, name: 'new', sizeMb: DISK_MB }) }];
    const rescue = new Machine({
      ...{ fleet, name: 'rescue', ...KIND },
      disks: [...disks, { serial: 'BACKUP', image: of.backup, throwAway: true }],
      cdrom: of.iso,
    });
    const ready = await timed(rescue, async () => {
      await rescue.start();
      await rescue.shows(STARTS);
    });
    say(`rear-recovery: starts after ${ready.seconds.toFixed(1)} s`);
    const recover = await timed(rescue, () => rescue.shows(new RegExp(`${DONE}|${FAILED}`), RECOVERY_MS));
    if (!rescue.console.includes(DONE)) throw new Error(`rear recover failed: ${rescue.console.slice(-3000)}`);
    say(`rear-recovery: done after ${recover.seconds.toFixed(1)} s more, CPU ${recover.cpu.toFixed(1)} s`);
    // Its way of putting all onto the disk.
    await rescue.gone(RESTART_MS);

    const recovered = new Machine({ ...{ fleet, name: 'recovered', ...KIND }, disks });
    const [disk] = disks;
    if (disk === undefined) throw new Error('no disk');
    await tellPlace({ image: disk.image, machine: recovered });
    const ssh = await timed(recovered, async () => {
      await recovered.start();
      await recovered.answers();
    });
    const before = z.array(z.string()).parse(JSON.parse(readFileSync(of.facts, 'utf8')));
    const differs = differing(before, await entries(recovered));
    for (const line of differs.slice(0, 20)) say(`rear-recovery: ${line}`);
    return { ready, recover, ssh, differing: differs.length };
  } finally {
    await fleet.down();
  }
}
