#!/bin/bash
# Makes the rescue system of a server's tree, as job rescue-build does it on that server, without its media.
# usage: rescue-build.sh SERVER_TAR HOSTKIT DIRECTOR_PUBLIC_KEY FOLDER     leaves FOLDER/vmlinuz and FOLDER/initramfs.img
# The director's key lets root in as well: the tests look at what jobs have made.
set -eu
TAR=$1 HOSTKIT=$2 KEY=$3 OUT=$4
TREE=$OUT/tree
mkdir -p "$TREE"
clear_up() {
  for each in dev sys proc; do ! mountpoint -q "$TREE/$each" || umount "$TREE/$each"; done
  rm -rf --one-file-system "$TREE" "$OUT/own"
}
trap clear_up EXIT
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
cat > "$TREE/var/tmp/build/run" <<'RUN'
set -eu
umask 077
LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin RESURGO_LIB=/usr/local/lib/resurgo
export LC_ALL PATH
for part in base types config rescue-image; do . "$RESURGO_LIB/lib/$part.sh"; done
cd /var/tmp/build
rescue_compose "$(ls /lib/modules)" common yes dhcp
RUN
chroot "$TREE" /bin/sh /var/tmp/build/run
mkdir -p "$OUT/own/root/.ssh"
cut -d ' ' -f 1,2 "$KEY" > "$OUT/own/root/.ssh/authorized_keys"
chmod 700 "$OUT/own/root" "$OUT/own/root/.ssh"
chmod 600 "$OUT/own/root/.ssh/authorized_keys"
{
  cat "$TREE/var/tmp/build/initramfs.img"
  (cd "$OUT/own" && find . | cpio -o -H newc --quiet --owner=0:0) | zstd -q
} > "$OUT/initramfs.img"
cp "$TREE"/boot/vmlinuz-* "$OUT/vmlinuz"
