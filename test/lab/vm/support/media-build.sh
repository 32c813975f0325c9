#!/bin/bash
# Rescue media of a server's tree, by the library that job rescue-build runs on that server.
# usage: media-build.sh SERVER_TAR HOSTKIT DIRECTOR_PUBLIC_KEY FOLDER PINNED(1|0)
set -eu
TAR=$1 HOSTKIT=$2 KEY=$3 OUT=$4 PINNED=$5
TREE=$OUT.tree
clear_up() {
  for each in dev sys proc; do ! mountpoint -q "$TREE/$each" || umount "$TREE/$each"; done
  rm -rf --one-file-system "$TREE"
}
trap clear_up EXIT
mkdir -p "$TREE"
tar -C "$TREE" -xpf "$TAR"
cp -R "$HOSTKIT" "$TREE/usr/local/lib/resurgo"
chown -R 0:0 "$TREE/usr/local/lib/resurgo"
chmod -R go-w "$TREE/usr/local/lib/resurgo"
mkdir -p "$TREE/etc/resurgo" "$TREE/var/tmp/build"
echo 'host web-1' > "$TREE/etc/resurgo/host.conf"
cut -d ' ' -f 1,2 "$KEY" > "$TREE/etc/resurgo/director.keys"
echo '# none' > "$TREE/etc/resurgo/peers"
chmod 600 "$TREE/etc/resurgo/"*
mount -t proc proc "$TREE/proc"
mount -t sysfs sysfs "$TREE/sys"
mount -t devtmpfs devtmpfs "$TREE/dev"
cat > "$TREE/var/tmp/build/run" <<RUN
set -eu
umask 077
LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin RESURGO_LIB=/usr/local/lib/resurgo
export LC_ALL PATH
for part in base types config rescue-image rescue-outputs; do . "\$RESURGO_LIB/lib/\$part.sh"; done
cd /var/tmp/build
pinned=no
[ $PINNED = 0 ] || pinned=yes
kernel=\$(ls /lib/modules)
rescue_compose "\$kernel" common "\$pinned" dhcp all fast
cp "/boot/vmlinuz-\$kernel" vmlinuz
touch -d @0 vmlinuz initramfs.img
outputs_make iso usb pxe
RUN
chroot "$TREE" /bin/sh /var/tmp/build/run
[ "$PINNED" = 0 ] || cp "$TREE/etc/resurgo/rescue.key.pub" "$TREE/var/tmp/build/out/"
rm -rf "$OUT"
mv "$TREE/var/tmp/build/out" "$OUT"
