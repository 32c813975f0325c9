#!/bin/bash
# Makes the rescue system of a server's tree, as job rescue-build does it on that server, without its media.
# usage: rescue-build.sh SERVER_TAR HOSTKIT DIRECTOR_PUBLIC_KEY FOLDER     leaves FOLDER/vmlinuz and FOLDER/initramfs.img
# The director's key lets root in as well: the tests look at what jobs have made.
set -eu
TAR=$1 HOSTKIT=$2 KEY=$3 OUT=$4
TREE=$OUT/tree
# shellcheck source-path=SCRIPTDIR source=server-tree.sh
. "$(dirname "$0")/server-tree.sh"
server_tree
server_tree_run rescue-image << 'RUN'
rescue_compose "$(ls /lib/modules)" common yes dhcp
RUN
own=$TREE/var/tmp/own
mkdir -p "$own/root/.ssh"
cut -d ' ' -f 1,2 "$KEY" > "$own/root/.ssh/authorized_keys"
chmod 700 "$own/root" "$own/root/.ssh"
chmod 600 "$own/root/.ssh/authorized_keys"
{
  cat "$TREE/var/tmp/build/initramfs.img"
  (cd "$own" && find . | cpio -o -H newc --quiet --owner=0:0) | zstd -q
} > "$OUT/initramfs.img"
cp "$TREE"/boot/vmlinuz-* "$OUT/vmlinuz"
