#!/bin/sh
# Run in the machine that sets up others: makes a server on blank disks. Its first lines are set before it:
#   NAME ADDRESS MAC KEY FIRMWARE (bios|uefi) SERVER (the tar's serial)
# and functions: `layout` makes and mounts all file systems below /mnt, from the disks by `disk SERIAL`, and sets BOOT_DISKS;
# `settle` (may be absent) changes what lies there before the boot loader is installed; `leave` (may be absent) lets go of what is unmounted.
set -eu
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

# disk SERIAL: prints the device of the disk that says it is that.
disk() {
  found=$(lsblk -dnpo NAME,SERIAL | awk -v serial="$1" '$2 == serial { print $1 }')
  [ -n "$found" ] || { echo "no disk has the serial $1" >&2; exit 1; }
  echo "$found"
}

# part DISK NUMBER: prints that partition's device, once it is there.
part() {
  case $1 in *[0-9]) piece=$1"p$2" ;; *) piece=$1$2 ;; esac
  udevadm settle --timeout=30
  [ -b "$piece" ] || { echo "no partition $piece" >&2; exit 1; }
  echo "$piece"
}

# fstab MOUNTPOINT TYPE OPTIONS PASS [DEVICE]: adds a line by the UUID of what is mounted there, or of DEVICE.
fstab() {
  fstab_device=${5:-$(findmnt -nvo SOURCE "/mnt${1%/}" | head -n 1)}
  echo "UUID=$(blkid -s UUID -o value "$fstab_device") $1 $2 $3 0 $4" >> /tmp/fstab
}

: > /tmp/fstab
layout
tar -C /mnt -xpf "$(disk "$SERVER")"
cp /tmp/fstab /mnt/etc/fstab
echo "$NAME" > /mnt/etc/hostname
printf '127.0.0.1 localhost\n%s %s\n' "$ADDRESS" "$NAME" > /mnt/etc/hosts
head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n' > /mnt/etc/machine-id
mkdir -p /mnt/root/.ssh /mnt/etc/systemd/network
chmod 700 /mnt/root/.ssh
echo "$KEY" > /mnt/root/.ssh/authorized_keys
printf '[Match]\nMACAddress=%s\n\n[Network]\nAddress=%s/24\n' "$MAC" "$ADDRESS" > /mnt/etc/systemd/network/10-lan.network
cat > /mnt/etc/default/grub <<'GRUB'
GRUB_DEFAULT=0
GRUB_TIMEOUT=0
GRUB_DISTRIBUTOR=Debian
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_CMDLINE_LINUX="console=ttyS0"
GRUB_TERMINAL="serial console"
GRUB_DISABLE_OS_PROBER=true
GRUB
# A machine without hardware help on a busy computer finds its own disks late: that is no fault of a layout.
mkdir -p /mnt/etc/systemd/system.conf.d
printf '[Manager]\nDefaultDeviceTimeoutSec=600\nDefaultTimeoutStartSec=600\n' > /mnt/etc/systemd/system.conf.d/slow.conf
for each in dev proc sys run; do mount --rbind "/$each" "/mnt/$each"; done
in_new() { chroot /mnt "$@"; }
in_new ssh-keygen -A > /dev/null
in_new systemctl -q enable systemd-networkd ssh
in_new systemctl -q mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer dpkg-db-backup.timer fstrim.timer systemd-networkd-wait-online.service
! command -v settle > /dev/null || settle
if [ "$FIRMWARE" = bios ]; then
  for each in $BOOT_DISKS; do in_new grub-install --target=i386-pc "$each" 2>&1; done
else
  in_new grub-install --target=x86_64-efi --efi-directory=/boot/efi --uefi-secure-boot --no-nvram --force-extra-removable 2>&1
fi
in_new update-grub 2>&1
sync
for each in run sys proc dev; do umount -Rl "/mnt/$each"; done
umount -R /mnt
! command -v leave > /dev/null || leave
sync
echo INSTALLED
