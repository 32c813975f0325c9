/** What a plan believes of the rescue system's jobs is what they are: the tools that they call, and the boot set-ups that they make again. */
import { readdirSync } from 'node:fs';
import * as path from 'node:path';
import {
  EFI_LOADERS,
  ESP_PLACES,
  FOREIGN_FOLDERS,
  GRUB_CONFIGURERS,
  GRUB_INSTALLERS,
  GRUB_PLATFORMS,
  INITRAMFS_READERS,
  INITRAMFS_TOOLS,
  KEEPING_SYSTEMS,
  KERNEL_PLACES,
} from '../../../planning/boot-families';
import { DEVICE_TOOLS, JOB_TOOLS } from '../../../planning/recover-tools';
import { commands, functionsOf, hostkitFile, reached } from './commands';

const KINDS = readdirSync(path.join(__dirname, '../../../hostkit/rescue/jobs')).map((file) => file.replace('.sh', ''));
const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');
const sorted = (list: readonly string[]): string[] => [...new Set(list)].sort();

/** The words behind a heading of a file: `# tools:`. */
function heading(file: string, name: string): string[] {
  const pattern = new RegExp(`^# ${name}: (.*)$`, 'gm');
  return [...hostkitFile(file).matchAll(pattern)].flatMap(([, line = '']) => words(line));
}

/** Of the shell itself, and what a rescue system is not built without or has of busybox as good. */
const ALWAYS = new Set(
  words(`[ : . break cd command continue echo exec exit export false printf read return set shift test trap true unset umask
    awk base64 cat chmod chroot cmp cp cut date dd dirname find grep head ln ls mkdir modprobe mount mountpoint mv nsenter od readlink
    rm rmdir sed setsid sh sha256sum sleep sort stat swapoff sync tail timeout tr umount uname wc`),
);
/** Functions that every job has. */
const SHARED = new Set(['job-runner', 'lib/base.sh', 'lib/types.sh'].flatMap((name) => [...functionsOf(name).keys()]));
/** The functions that look up a device of one kind: whether they are needed is a matter of the step. */
const LOOKUPS = Object.keys(DEVICE_TOOLS).map((kind) => `device_${kind}`);

describe('the tools of a job', () => {
  const calls = (name: string, from: string, cut: readonly string[] = []): string[] =>
    reached({ functions: functionsOf(name), from, cut }).filter((each) => !ALWAYS.has(each) && !SHARED.has(each));
  const packed = [
    ...(/^RESCUE_NEEDED='([^']*)'/m.exec(hostkitFile('lib/rescue-files.sh')) ?? []),
    ...(/^RESCUE_WANTED='([^']*)'/m.exec(hostkitFile('lib/rescue-files.sh')) ?? []),
    ...[...hostkitFile('lib/rescue-storage.sh').matchAll(/printf (?:'%s' )?'([a-z_. ]+)'/g)].map(
      ([, line = '']) => line,
    ),
  ].flatMap(words);

  test.each(KINDS)('%s declares what it calls, and the plan knows it', (kind) => {
    const declared = heading(`rescue/jobs/${kind}.sh`, 'tools');
    // LVM calls it.
    const own = declared.map((each) => each.replace('?', '')).filter((each) => each !== 'thin_check');
    // Of an encrypted volume that it has just made the job asks by itself.
    const cut = LOOKUPS.filter((each) => each !== 'device_luks' || !['luks-format', 'luks-restore'].includes(kind));
    expect(sorted(own)).toEqual(calls(`rescue/jobs/${kind}.sh`, 'job_main', cut));
    expect(sorted(JOB_TOOLS[kind] ?? [])).toEqual(sorted(declared.filter((each) => !each.endsWith('?'))));
    expect(declared.map((each) => each.replace('?', '')).filter((each) => !packed.includes(each))).toEqual([]);
  });

  test('the plan knows no job that is not there', () => {
    expect(sorted(Object.keys(JOB_TOOLS))).toEqual(sorted(KINDS));
  });

  test.each(Object.entries(DEVICE_TOOLS))('a device of kind %s', (kind, tools) => {
    const from = `device_${kind}`;
    expect(sorted(tools)).toEqual(calls('rescue/lib/device.sh', from));
    expect(sorted(tools)).toEqual(sorted(heading('rescue/lib/device.sh', `tools ${kind}`)));
  });

  test('commands are told from all other words', () => {
    const text = `a=1 one --x "$(two | three)" >four 2>&1 || ! five # six
case $x in seven | eight) nine ;; *) timeout 10 ten eleven ;; esac
for y in twelve; do $z thirteen; done <fourteen
if [ "\${q:-)}" = 'fifteen' ]; then new_outside sixteen; fi
seventeen <<END
eighteen
END
timeout -s KILL 5 nineteen`;
    expect(sorted(commands(text))).toEqual(
      sorted(words('one two three five nine timeout ten thirteen [ new_outside sixteen seventeen timeout nineteen')),
    );
  });
});

describe('the boot set-ups that are made again', () => {
  const initramfs = hostkitFile('rescue/jobs/new-initramfs.sh');
  const made = hostkitFile('rescue/lib/new.sh');
  const efi = hostkitFile('rescue/lib/efi.sh');
  const bootloader = hostkitFile('rescue/jobs/new-bootloader.sh');
  const body = (text: string, name: string): string =>
    new RegExp(`^${name}\\(\\) \\{\\n?([\\s\\S]*?)\\n?\\}$`, 'm').exec(text)?.[1] ?? '';
  const loop = (text: string, variable: string): string[] =>
    words(new RegExp(`for ${variable} in ([^;]*);`).exec(text)?.[1] ?? '');

  test('tools of the initramfs', () => {
    expect(/tool:word\(auto\|([^)]*)\)/.exec(initramfs)?.[1]?.split('|')).toEqual([...INITRAMFS_TOOLS]);
    expect(loop(initramfs, 'initramfs_tool')).toEqual([...INITRAMFS_TOOLS, 'none']);
    const arms = [...initramfs.matchAll(/^ {4}([a-z-]+)\)/gm)].map(([, arm]) => arm);
    expect(arms).toEqual([...INITRAMFS_TOOLS]);
    expect(loop(hostkitFile('rescue/lib/verify.sh'), '_vn_tool')).toEqual([...INITRAMFS_READERS]);
  });

  test('names of kernels, and places of the EFI system partition', () => {
    const places = words(body(made, 'new_image'))
      .filter((word) => word.startsWith('"$new/'))
      .map((word) => word.replace(/"/g, '').replace('$new', '').replace('$1', 'VERSION'));
    expect(places).toEqual([...KERNEL_PLACES]);
    expect(loop(made, '_ne_path')).toEqual([...ESP_PLACES]);
  });

  test('loaders for UEFI', () => {
    const loaders = words(body(efi, 'efi_loader')).filter((word) => word.startsWith('"$new_esp/EFI/$efi_id/'));
    expect(loaders.map((word) => word.replace(/.*\//, '').replace('$efi_suffix', 'ARCH').replace('"', ''))).toEqual([
      ...EFI_LOADERS,
    ]);
    expect([...body(efi, 'efi_keeps').matchAll(/new_os (\w+)/g)].map(([, os]) => os)).toEqual([...KEEPING_SYSTEMS]);
    const foreign = /in ([A-Za-z |]+)\) continue/.exec(body(efi, 'efi_id'))?.[1] ?? '';
    expect(sorted(foreign.toLowerCase().split(' | '))).toEqual(sorted(FOREIGN_FOLDERS));
    const targets = [...body(efi, 'efi_arch').matchAll(/efi_target=([a-z0-9_-]+)/g)].map(([, target = '']) => target);
    expect(sorted(targets)).toEqual(sorted(Object.values(GRUB_PLATFORMS).flatMap(({ uefi }) => uefi)));
  });

  test('GRUB', () => {
    const installers = [...bootloader.matchAll(/boot_install=([a-z0-9-]+)/g)].map(([, name]) => name);
    expect(installers).toEqual([...GRUB_INSTALLERS]);
    const configurers = [...body(bootloader, 'boot_config').matchAll(/new_has ([a-z0-9-]+)/g)].map(([, name]) => name);
    expect(configurers).toEqual([...GRUB_CONFIGURERS]);
    const targets = [...bootloader.matchAll(/--target=([a-z0-9-]+)/g)].map(([, target]) => target);
    expect(targets).toEqual(Object.values(GRUB_PLATFORMS).flatMap(({ bios }) => bios));
  });

  test('the host is asked for all of these programs', () => {
    const asked = loop(hostkitFile('lib/layout-system.sh'), 'boot_tool').filter((word) => word !== '\\');
    const wanted = [...INITRAMFS_TOOLS, ...INITRAMFS_READERS, ...GRUB_INSTALLERS, ...GRUB_CONFIGURERS];
    expect(wanted.filter((each) => !asked.includes(each))).toEqual([]);
  });
});
