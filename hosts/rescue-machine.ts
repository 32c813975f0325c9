/** The virtual machine that starts rescue media: how QEMU is called for them on this machine. */
import { access, constants, open } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { RescueFileEntry } from '../planning/rescue-media';

export const QEMU = 'qemu-system-x86_64';
/** UEFI firmware of the distributions, for media that no BIOS can boot. */
const FIRMWARE = [
  '/usr/share/ovmf/OVMF.fd',
  '/usr/share/OVMF/OVMF.fd',
  '/usr/share/qemu/OVMF.fd',
  '/usr/share/edk2/ovmf/OVMF.fd',
];
/** The processor, by the kernel's own means or in software. */
const PROCESSORS = {
  kvm: { words: 'by KVM', args: ['-accel', 'kvm', '-cpu', 'host'] },
  software: { words: 'in software', args: ['-accel', 'tcg,thread=multi', '-cpu', 'qemu64'] },
};
export type Processor = keyof typeof PROCESSORS;

/** Whether this machine has QEMU. */
export async function hasQemu(): Promise<boolean> {
  const folders = (process.env.PATH ?? '').split(':').filter((each) => each !== '');
  const found = await Promise.all(folders.map((folder) => isReadable(join(folder, QEMU))));
  return found.includes(true);
}

/** What may emulate the processor here, the quicker first. KVM that is there need not work: within another virtual machine, say. */
export async function processors(): Promise<Processor[]> {
  const kvm = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  return kvm ? ['kvm', 'software'] : ['software'];
}

/**
 * QEMU's arguments for media that lie in `folder`, and in words how they are started. Its ssh is at `port` on loopback, its pid in the
 * folder's file `pid`, its serial line on stdin and stdout; it reaches nothing else. @throws Error where this machine can't start them
 */
export async function machineOf(of: {
  files: readonly RescueFileEntry[];
  folder: string;
  port: number;
  processor: Processor;
}): Promise<{ args: string[]; how: string }> {
  const { folder, port } = of;
  const processor = PROCESSORS[of.processor];
  const { from, how } = await bootOf(of);
  const network = `user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:${port}-:22`;
  return {
    args: [
      ...['-M', 'q35', ...processor.args, '-m', '1536', '-nodefaults', '-no-user-config', '-no-reboot'],
      ...['-display', 'none', '-serial', 'stdio', '-pidfile', join(folder, 'pid'), '-device', 'virtio-rng-pci'],
      ...['-netdev', network, '-device', 'virtio-net-pci,netdev=net'],
      ...from,
    ],
    how: `${how}, ${processor.words}`,
  };
}

async function bootOf(of: {
  files: readonly RescueFileEntry[];
  folder: string;
}): Promise<{ from: string[]; how: string }> {
  const { files, folder } = of;
  const iso = join(folder, 'rescue.iso');
  if (!files.some(({ name }) => name === 'rescue.iso')) {
    const line = 'console=ttyS0,115200 resurgo.ip=dhcp';
    const from = ['-kernel', join(folder, 'vmlinuz'), '-initrd', join(folder, 'initramfs.img'), '-append', line];
    return { from, how: 'kernel and initramfs' };
  }
  const cd = ['-drive', `file=${iso},format=raw,if=none,id=cd,readonly=on,media=cdrom`, '-device', 'ide-cd,drive=cd'];
  if (await hasBootSector(iso)) return { from: cd, how: 'by BIOS' };
  for (const firmware of FIRMWARE)
    if (await isReadable(firmware)) return { from: ['-bios', firmware, ...cd], how: 'by UEFI' };
  throw new Error(
    'its image boots by UEFI alone, and this machine has none for virtual machines: install the package ovmf',
  );
}

/** Whether a BIOS finds boot code at the image's beginning. */
async function hasBootSector(iso: string): Promise<boolean> {
  const file = await open(iso, 'r');
  try {
    const { buffer } = await file.read(Buffer.alloc(440), 0, 440, 0);
    return buffer.some((byte) => byte !== 0);
  } finally {
    await file.close();
  }
}

function isReadable(file: string): Promise<boolean> {
  return access(file, constants.R_OK).then(
    () => true,
    () => false,
  );
}

/** A port of loopback that nobody listens at now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  });
}
