/** ReaR's configuration as somebody writes it who knows ReaR well, and wants small media and a quick way back on the same hardware. */

/** The label of the second disk, where medium and archive go. `REAR-000` would start ReaR's own rule for it at boot. */
export const BACKUP_LABEL = 'BENCHBACKUP';

export const TUNED = `OUTPUT=ISO
BACKUP=NETFS
BACKUP_URL=usb:///dev/disk/by-label/${BACKUP_LABEL}
# By itself, without a person: as in our recovery.
ISO_DEFAULT=automatic
ISO_RECOVER_MODE=unattended
USER_INPUT_TIMEOUT=10
USER_INPUT_INTERRUPT_TIMEOUT=1
USER_INPUT_DISK_LAYOUT_PROCEED_RECOVERY=yes
USER_INPUT_WIPE_DISKS_CONFIRMATION=yes
USE_SERIAL_CONSOLE=yes
SERIAL_CONSOLE_DEVICES=/dev/ttyS0
# The loaded modules alone. Its own word for that, loaded_modules, fails with Debian 12's cp, so they are named as files.
MODULES=( 'no_modules' )
COPY_AS_IS+=( /lib/modules/$(uname -r)/modules.* $(lsmod | sed 1d | cut -d ' ' -f 1 | xargs modinfo -F filename | grep ^/) )
FIRMWARE_FILES=( 'no' )
USING_UEFI_BOOTLOADER=no
# Quick to pack and to unpack.
REAR_INITRD_COMPRESSION=lz4
BACKUP_PROG_COMPRESS_OPTIONS=( --use-compress-program='pigz -1' )
REQUIRED_PROGS+=( pigz )
# The same attributes as ours brings back; by default it keeps capabilities alone.
BACKUP_PROG_OPTIONS+=( '--xattrs-include=*' '--acls' )
# The same hardware: the initramfs that comes back fits.
REBUILD_INITRAMFS=""
PROGRESS_MODE=plain
PROGRESS_WAIT_SECONDS=10
`;
