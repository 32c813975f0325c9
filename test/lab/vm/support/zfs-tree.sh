#!/bin/bash
# Adds OpenZFS to a server's tree, as Debian has it: the tools from `contrib`, the kernel modules built here from the package's own source, for
# the kernel of that tree. Nothing of what the building needs stays in the tree.
# usage: zfs-tree.sh modules SERVER_TAR TAR | server SERVER_TAR MODULES_TAR TAR
set -eu
SUPPORT=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../../support/lib/common.sh
. "$SUPPORT/../../support/lib/common.sh"
# shellcheck source-path=SCRIPTDIR source=../../support/lib/tree.sh
. "$SUPPORT/../../support/lib/tree.sh"

# What is mounted for the packages' own scripts ends with this process.
if [ "${ZFS_TREE_ALONE:-}" != yes ]; then exec env ZFS_TREE_ALONE=yes unshare --mount --pid --fork --kill-child "$0" "$@"; fi

WORK=$(mktemp -d "$LAB_CACHE/vm/zfs.XXXXXX")
gone() {
  for each in dev sys proc; do ! mountpoint -q "$WORK/$each" || umount -l "$WORK/$each"; done
  rm -rf --one-file-system "$WORK"
}
trap gone EXIT

# Unpacks a server, whose packages can be added to then.
unpack() { # TAR
  tar -C "$WORK" -xpf "$1"
  cp /etc/resolv.conf "$WORK/etc/resolv.conf"
  printf '#!/bin/sh\nexit 101\n' > "$WORK/usr/sbin/policy-rc.d"
  chmod 755 "$WORK/usr/sbin/policy-rc.d"
  mount -t proc proc "$WORK/proc"
  mount -t sysfs sysfs "$WORK/sys"
  mount -t tmpfs -o mode=755 dev "$WORK/dev"
  for each in null zero random urandom tty; do
    : > "$WORK/dev/$each"
    mount --bind "/dev/$each" "$WORK/dev/$each"
  done
  ln -s /proc/self/fd "$WORK/dev/fd"
  cp -a "$WORK/etc/apt" "$WORK/apt.was"
  # Where the server itself came from, with what ZFS is part of.
  sed -i 's/ main$/ main contrib/' "$WORK/etc/apt/sources.list"
  proxy=${http_proxy:-$(apt-config dump Acquire::http::Proxy 2> /dev/null | sed -n 's/.*"\(.*\)";$/\1/p' | head -n 1)}
  [ -z "$proxy" ] || echo "Acquire::http::Proxy \"$proxy\";" > "$WORK/etc/apt/apt.conf.d/99lab"
  kernel=$(basename "$WORK"/lib/modules/*)
  in_tree apt-get update -qq
}

in_tree() { chroot "$WORK" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"; }
install() { in_tree apt-get install -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@"; }

case ${1:-} in
  modules)
    unpack "$2"
    install "linux-headers-$kernel" dkms build-essential
    # Its own script builds for the kernel that runs here, or fails: what counts is the kernel of the tree.
    install zfs-dkms || echo 'zfs-dkms is not configured; built by hand'
    version=$(basename "$WORK"/usr/src/zfs-* | sed 's/^zfs-//')
    ls "$WORK/lib/modules/$kernel/updates/dkms/zfs.ko"* > /dev/null 2>&1 || in_tree dkms install "zfs/$version" -k "$kernel"
    tar -C "$WORK" -cf "$3" --sort=name "lib/modules/$kernel/updates"
    ;;
  server)
    unpack "$2"
    install zfsutils-linux
    tar -C "$WORK" --keep-directory-symlink -xpf "$3"
    in_tree depmod "$kernel"
    in_tree apt-get clean
    rm -rf "$WORK/etc/apt" "$WORK"/var/lib/apt/lists/* "$WORK/usr/sbin/policy-rc.d" "$WORK/etc/resolv.conf" "$WORK/etc/hostid"
    mv "$WORK/apt.was" "$WORK/etc/apt"
    rm -rf "$WORK"/usr/share/doc/* "$WORK"/usr/share/man/*
    for each in dev sys proc; do umount -R -l "$WORK/$each"; done
    rm -rf "$WORK"/dev/fd
    tar -C "$WORK" --sort=name --numeric-owner --xattrs -cf "$4" .
    ;;
  *)
    echo 'usage: zfs-tree.sh modules SERVER_TAR TAR | server SERVER_TAR MODULES_TAR TAR' >&2
    exit 2
    ;;
esac
