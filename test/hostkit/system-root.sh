#!/bin/sh
# A host whose `/` is a disk of its own, in this mount namespace: `system-root.sh FOLDER HOSTKIT`. Its root is FOLDER/root.
#   /            subvolume @ of a btrfs, with the nested subvolume /var/lib/nested      /boot      ext4
#   /home        subvolume @home of the same                                            /boot/efi  ext4 (not every kernel here knows vfat)
#   /usr         an overlay of this machine's with the hostkit                          /mnt/image an image file that lies in the host
#   /srv/again   a piece of /home once more                                             /proc /sys /dev /run /data/mem
# FOLDER/data.img is an ext4 that is not mounted.
set -eu
cd "$1"
mount --make-rprivate /
mkdir -p root kit/local/lib/resurgo
cp -r "$2/." kit/local/lib/resurgo
chown -R 0:0 kit
truncate -s 300M disk.img
mkfs.btrfs -q disk.img > mkfs.log 2>&1
for each in boot efi data; do
  truncate -s 20M "$each.img"
  mkfs.ext4 -q "$each.img"
done
mount -o loop disk.img root
btrfs -q subvolume create root/@
btrfs -q subvolume create root/@home
umount root
mount -o loop,subvol=@ disk.img root
cd root
mkdir -p etc/resurgo var/lib/resurgo var/tmp var/cache/apt/archives proc sys dev run tmp boot home srv/again usr mnt/image data/mem root
for each in bin sbin lib lib64; do ln -s usr/$each $each; done
for each in passwd group ld.so.cache ld.so.conf nsswitch.conf os-release alternatives; do
  [ ! -e "/etc/$each" ] || cp -a "/etc/$each" etc
done
chmod 0711 var/lib/resurgo
chmod 0700 etc/resurgo
btrfs -q subvolume create var/lib/nested
mount -t overlay -o "lowerdir=$1/kit:/usr" overlay usr
mount -o loop,subvol=@home ../disk.img home
mount -o loop ../boot.img boot
mkdir boot/efi
mount -o loop ../efi.img boot/efi
mount -t proc proc proc
mount -t sysfs sys sys
mount --bind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs data/mem
mkdir home/sub
mount --bind home/sub srv/again
truncate -s 20M var/lib/image
mkfs.ext4 -q var/lib/image
mount -o loop var/lib/image mnt/image
for each in etc/own home/own home/sub/own boot/vmlinuz boot/efi/loader var/lib/nested/own tmp/gone var/tmp/gone \
  var/cache/apt/archives/a.deb var/cache/apt/archives/lock data/mem/gone mnt/image/own; do echo before > "$each"; done
mkdir -p var/lib/resurgo/runs/old var/lib/resurgo/deadman/portal.hand
echo secret > var/lib/resurgo/runs/old/key
echo kept > var/lib/resurgo/deadman/portal.hand/note
