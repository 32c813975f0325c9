/** Which of a kernel's modules and which firmware a rescue system is given. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { SHELLS } from '../support';
import { useRescueShell } from './kit';

const FILES = path.join(__dirname, '../../../hostkit/lib/rescue-files.sh');

/** A kernel's: `FILE: WHAT IT NEEDS`. */
const ALWAYS = [
  'fs/ext4/ext4.ko',
  'drivers/virtio/virtio_pci.ko',
  'drivers/net/bonding/bonding.ko',
  'net/8021q/8021q.ko',
];
const STORAGE = [
  'drivers/ata/ahci.ko',
  'drivers/scsi/megaraid/megaraid_sas.ko',
  'drivers/scsi/hv_storvsc.ko',
  'drivers/nvme/host/nvme.ko',
  'drivers/pci/controller/vmd.ko',
  'drivers/pci/controller/pci-hyperv.ko',
  'drivers/block/xen-blkfront.ko',
  'drivers/block/mtip32xx/mtip32xx.ko',
  'drivers/ufs/host/ufshcd-pci.ko',
  'drivers/mmc/host/sdhci-pci.ko',
  'drivers/nvdimm/nd_pmem.ko',
  'drivers/acpi/nfit/nfit.ko',
  'drivers/usb/storage/uas.ko',
  'drivers/firewire/firewire-sbp2.ko',
  'drivers/message/fusion/mptsas.ko',
];
const OTHERS = [
  'drivers/net/ethernet/intel/e1000e/e1000e.ko',
  'drivers/net/usb/r8152.ko',
  'drivers/net/hyperv/hv_netvsc.ko',
  'drivers/net/pcs/pcs_xpcs.ko',
  'drivers/usb/host/xhci-pci.ko',
  'drivers/hid/usbhid/usbhid.ko',
  'drivers/hid/hid-generic.ko',
  'drivers/input/serio/hyperv-keyboard.ko',
  'drivers/tty/serial/8250/8250_exar.ko',
];
const NOT = [
  'drivers/scsi/scsi_debug.ko',
  'drivers/scsi/iscsi_tcp.ko',
  'drivers/scsi/st.ko',
  'drivers/nvme/host/nvme-rdma.ko',
  'drivers/infiniband/core/ib_core.ko',
  'drivers/net/wireless/intel/iwlwifi/iwlwifi.ko',
  'drivers/gpu/drm/i915/i915.ko',
  'drivers/block/nbd.ko',
  'sound/core/snd.ko',
];

describe.each(SHELLS)('what a rescue system is given, in %s', (name) => {
  const shell = useRescueShell(name);

  function chosen(choice: string, loaded: string[] = []): { modules: string[]; firmware: string[]; found: string } {
    const all = [...ALWAYS, ...STORAGE, ...OTHERS, ...NOT, 'lib/needed.ko', 'drivers/watchdog/my-dog.ko'].sort();
    const dep = all.map((file) => `kernel/${file}:${file.endsWith('/nvme.ko') ? ' kernel/lib/needed.ko' : ''}`);
    const root = shell.files({
      'modules/6.1/modules.dep': `${dep.join('\n')}\n`,
      'firmware/intel/e1000e.bin': '',
      'firmware/r8152.fw.xz': '',
      'firmware/iwlwifi.ucode': '',
      'bin/modinfo': `#!/bin/sh\nfor each; do case $each in */e1000e.ko) echo intel/e1000e.bin ;; */r8152.ko) echo r8152.fw; echo r8152-new.fw ;; */iwlwifi.ko) echo iwlwifi.ucode ;; esac; done\n`,
      loaded: loaded.map((each) => `${each} 16384 0 - Live 0x0\n`).join(''),
    });
    const library = readFileSync(FILES, 'utf8')
      .replaceAll('/lib/modules/', `${root}/modules/`)
      .replaceAll('/lib/firmware/', `${root}/firmware/`)
      .replaceAll('/proc/modules', `${root}/loaded`);
    const out = shell.run({
      parts: [],
      script: `cat >files.here <<'LIBRARY'
${library}
LIBRARY
at='${root}'; chmod 755 "$at/bin/modinfo"; modinfo() { "$at/bin/modinfo" "$@"; }
# A host's own, in a shell that may prefer its applet.
readlink() { /usr/bin/readlink "$@"; }
TAB=$(printf '\\t') LF='
' rescue_files=$at/files rescue_links=$at/links rescue_storage=''
. ./files.here
: >"$rescue_files"
rescue_modules 6.1 ${choice}
echo "$_rw_found"; cat modules; echo --; cat "$rescue_files"`,
    });
    const [found = '', ...lines] = out.trimEnd().split('\n');
    const end = lines.indexOf('--');
    return {
      found,
      modules: lines.slice(0, end).map((line) => line.replace('kernel/', '')),
      firmware: lines
        .slice(end)
        .filter((line) => line.includes('/firmware/'))
        .map((line) => line.replace(/.*\/firmware\//, '')),
    };
  }

  test('common: all that may hold a disk, carry the network, or be typed on, and no more', () => {
    const { modules } = chosen('common');
    expect(modules).toEqual([...ALWAYS, ...STORAGE, ...OTHERS, 'lib/needed.ko'].sort());
  });

  test('needed: what every machine has, and what is loaded here', () => {
    // The kernel names `my_dog` what lies in my-dog.ko.
    expect(chosen('needed', ['nvme', 'my_dog']).modules).toEqual(
      [...ALWAYS, 'drivers/nvme/host/nvme.ko', 'lib/needed.ko', 'drivers/watchdog/my-dog.ko'].sort(),
    );
    expect(chosen('common', ['my_dog', 'scsi_debug']).modules).toContain('drivers/watchdog/my-dog.ko');
    expect(chosen('common', ['my_dog', 'scsi_debug']).modules).not.toContain('drivers/scsi/scsi_debug.ko');
  });

  test('all: all', () => {
    expect(chosen('all').modules).toHaveLength(ALWAYS.length + STORAGE.length + OTHERS.length + NOT.length + 2);
  });

  test('firmware: what the chosen modules name, as it lies here', () => {
    expect(chosen('common')).toMatchObject({ found: '2', firmware: ['intel/e1000e.bin', 'r8152.fw.xz'] });
    expect(chosen('needed')).toMatchObject({ found: '0', firmware: [] });
    expect(chosen('all').firmware).toContain('iwlwifi.ucode');
  });

  test('what no program names: parts of sshd, and the libraries by which an older glibc looks up users', () => {
    const root = shell.files({ 'libexec/sshd-session': '', 'lib/libnss_files.so.2': '' });
    const out = shell.run({
      parts: [],
      script: `at='${root}'; chmod 755 "$at/libexec/sshd-session"
TAB=$(printf '\\t') LF='
' rescue_files=$at/files rescue_links=$at/links rescue_storage=''
. "$RESURGO_LIB/lib/rescue-files.sh"
readlink() { /usr/bin/readlink "$@"; }
: >"$rescue_files"; : >"$rescue_links"
case $RESCUE_SSHD in */usr/libexec/openssh/sshd-session*) echo libexec ;; esac
case $RESCUE_NSS in */lib64/libnss_files.so.2*) echo lib64 ;; esac
RESCUE_NEEDED=cat RESCUE_WANTED='' RESCUE_SSHD="$at/libexec/sshd-session $at/libexec/sshd-auth" RESCUE_NSS="$at/lib/libnss_*.so.2 $at/lib/none.so"
rescue_programs
grep "^$at" "$rescue_files" | sort`,
    });
    expect(out.trimEnd().split('\n')).toEqual([
      ...['libexec', 'lib64'],
      ...[`${root}/lib/libnss_files.so.2`, `${root}/libexec/sshd-session`],
    ]);
  });
});
