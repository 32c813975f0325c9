#!/bin/bash
# Runs shell in the root folder of a disk image's file system: of its largest partition, or of the whole where it has no table.
# usage: unshare --mount --propagation private mounted.sh IMAGE MOUNT_OPTIONS SCRIPT [ARGUMENT…]
# The mount and its loop device end with this process's namespace, however it ends.
set -euo pipefail
image=$1 options=$2 script=$3
shift 3
offset=$(sfdisk -d "$image" 2> /dev/null | sed -n 's/.*start= *\([0-9]*\), size= *\([0-9]*\),.*/\2 \1/p' | sort -n | tail -n 1 | cut -d ' ' -f 2) || offset=0
mount -t tmpfs -o mode=700 bench /mnt
mkdir /mnt/root
mount -o "loop,$options,offset=$((offset * 512))" "$image" /mnt/root
cd /mnt/root
bash -euc "$script" mounted "$@"
cd /
umount /mnt/root
