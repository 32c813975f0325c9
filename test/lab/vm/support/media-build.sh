#!/bin/bash
# Rescue media of a server's tree, by the library that job rescue-build runs on that server.
# usage: media-build.sh SERVER_TAR HOSTKIT DIRECTOR_PUBLIC_KEY FOLDER PINNED(1|0)
set -eu
TAR=$1 HOSTKIT=$2 KEY=$3 OUT=$4 PINNED=$5
TREE=$OUT.tree
# shellcheck source-path=SCRIPTDIR source=server-tree.sh
. "$(dirname "$0")/server-tree.sh"
server_tree
pinned=no
[ "$PINNED" = 0 ] || pinned=yes
server_tree_run rescue-image rescue-outputs << RUN
kernel=\$(ls /lib/modules)
rescue_compose "\$kernel" common $pinned dhcp all fast
# The same input makes the same bytes, at any time.
sum=\$(sha256sum <initramfs.img)
rescue_compose "\$kernel" common $pinned dhcp all fast
[ "\$sum" = "\$(sha256sum <initramfs.img)" ] || { echo 'the same input made another initramfs' >&2; exit 1; }
cp "/boot/vmlinuz-\$kernel" vmlinuz
touch -d @0 vmlinuz initramfs.img
outputs_make iso usb pxe
RUN
[ "$PINNED" = 0 ] || cp "$TREE/etc/resurgo/rescue.key.pub" "$TREE/var/tmp/build/out/"
rm -rf "$OUT"
mv "$TREE/var/tmp/build/out" "$OUT"
