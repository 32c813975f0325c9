#!/bin/bash
# The file trees and images that virtual machines are made of, each built once and kept in a cache under a name made of its input.
# usage: tree.sh server | rear | zfs | tools [zfs] | boot [zfs] | live      prints the path: of a tar of a server | of one with ReaR beside what
# the product needs | of one with OpenZFS | of an ext4 image that boots by itself and holds all tools | of a kernel and initramfs for it | of an
# initramfs that is a whole rescue Linux of somebody else's make, and runs from memory
set -u
SUPPORT=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../../support/lib/common.sh
. "$SUPPORT/../../support/lib/common.sh"
# shellcheck source-path=SCRIPTDIR source=../../support/lib/tree.sh
. "$SUPPORT/../../support/lib/tree.sh"

# What a server of ours has: whatever the layouts of the tests need to boot, and what the product asks of a host.
SERVER_PACKAGES=systemd-sysv,udev,dbus,kmod,linux-image-cloud-amd64,initramfs-tools,zstd,openssh-server,openssh-client,iproute2,procps
SERVER_PACKAGES=$SERVER_PACKAGES,rsync,sudo,attr,acl,libcap2-bin,openssl,lvm2,thin-provisioning-tools,mdadm,cryptsetup,cryptsetup-initramfs
SERVER_PACKAGES=$SERVER_PACKAGES,btrfs-progs,xfsprogs,e2fsprogs,dosfstools,gdisk,fdisk,grub2-common,grub-pc-bin,grub-efi-amd64-bin
SERVER_PACKAGES=$SERVER_PACKAGES,grub-efi-amd64-signed,shim-signed,efibootmgr,cpio,xorriso,mtools,python3-minimal,perl-base,busybox-static,bsdextrautils

# A server for the bench against ReaR: what a plain machine on one ext4 has, and what either of the two needs. No LVM, md, btrfs or XFS:
# ReaR packs the tools of all storage that is installed.
REAR_PACKAGES=systemd-sysv,udev,dbus,kmod,linux-image-cloud-amd64,initramfs-tools,zstd,openssh-server,openssh-client,iproute2,procps,psmisc
REAR_PACKAGES=$REAR_PACKAGES,rsync,sudo,attr,acl,libcap2-bin,openssl,e2fsprogs,dosfstools,gdisk,fdisk,grub2-common,grub-pc-bin,grub-efi-amd64-bin
REAR_PACKAGES=$REAR_PACKAGES,cpio,xorriso,mtools,python3-minimal,perl-base,busybox-static,bsdextrautils,rear,pigz,lz4,less,file

# Builds once: `cached NAME INPUT COMMAND…` runs COMMAND with the path to make, and prints where it lies then.
cached() {
  local name=$1 input=$2 sum path
  shift 2
  sum=$(printf '%s\n' "$input" | sha256sum)
  path=$LAB_CACHE/vm/$name-${sum:0:16}
  mkdir -p "$LAB_CACHE/vm"
  exec 8> "$LAB_CACHE/vm/.$name.lock"
  flock -w 900 8 || die "another build of $path has not ended within 15 minutes"
  if [ ! -e "$path" ]; then
    local started=$SECONDS
    echo "vm: building $name (once): $path" >&2
    rm -rf --one-file-system "$path.part"
    "$@" "$path.part" > "$path.log" 2>&1 8>&- < /dev/null || die "building $name failed, see $path.log: $(tail -n 3 "$path.log")"
    mv "$path.part" "$path"
    echo "vm: built $name in $((SECONDS - started)) s" >&2
  fi
  exec 8>&-
  printf '%s\n' "$path"
}

# What initramfs of the machines hold, as their administrator has it: what any layout of the tests boots from. An emulated processor needs
# several minutes for one with every driver (Debian's default, which a case of the tests has for its recovery).
# shellcheck disable=SC2016 # The hook's own $1 is the tree.
LEAN_INITRAMFS='mkdir -p "$1"/etc/initramfs-tools/conf.d && echo MODULES=list > "$1"/etc/initramfs-tools/conf.d/lean &&
  printf "%s\\n" virtio_pci virtio_blk virtio_scsi virtio_net sd_mod sr_mod nvme ext4 xfs btrfs vfat > "$1"/etc/initramfs-tools/modules'

make_server() { # TAR PACKAGES HOOK (shell, run before all but the essential packages are installed)
  local mirror
  mirror=$(tree_mirror)
  # shellcheck disable=SC2016 # The hook's own $1 is the tree.
  mmdebstrap --variant=minbase --mode=root --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --essential-hook="$3" \
    --customize-hook='rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/resolv.conf "$1"/etc/hostname; : >"$1"/etc/machine-id' \
    --include="$2" --format=tar "$LAB_SUITE" "$1" ${mirror:+"$mirror"}
}

# The machine that sets up others: the server's tree as one file system without a table, started by a kernel given from outside.
make_tools() { # IMAGE
  local server tree
  server=$2
  tree=$(mktemp -d "$LAB_CACHE/vm/tools.XXXXXX") || return 1
  tar -C "$tree" -xpf "$server" &&
    install -m 755 "$SUPPORT/tools-init.sh" "$tree/lab-init" &&
    mke2fs -q -F -t ext4 -O ^has_journal -d "$tree" "$1" 2G
  local code=$?
  rm -rf --one-file-system "$tree"
  return "$code"
}

make_live() { # INITRAMFS TAR
  local tree
  tree=$(mktemp -d "$LAB_CACHE/vm/live.XXXXXX") || return 1
  tar -C "$tree" --exclude='./boot/*' -xpf "$2" &&
    install -m 755 "$SUPPORT/tools-init.sh" "$tree/lab-init" &&
    (cd "$tree" && find . -print0 | cpio --quiet --null -o -H newc) | zstd -q -T0 -3 -o "$1"
  local code=$?
  rm -rf --one-file-system "$tree"
  return "$code"
}

server() {
  with_all() { make_server "$1" "$SERVER_PACKAGES" "$LEAN_INITRAMFS"; }
  cached server "2 $LAB_SUITE $SERVER_PACKAGES $LEAN_INITRAMFS" with_all
}

# Modules are cached by the kernel's version: their building takes minutes.
zfs() {
  local tar kernel modules
  tar=$(server) || exit 1
  kernel=$(tar -tf "$tar" | sed -n 's|^\./boot/vmlinuz-||p' | head -n 1)
  with_modules() { "$SUPPORT/zfs-tree.sh" modules "$tar" "$1"; }
  modules=$(cached zfs-modules "1 $LAB_SUITE $kernel" with_modules) || exit 1
  with_zfs() { "$SUPPORT/zfs-tree.sh" server "$tar" "$modules" "$1"; }
  cached zfs "1 $tar $modules $(cat "$SUPPORT/zfs-tree.sh")" with_zfs
}

# The tree that a machine which sets up others is made of.
of_tools() {
  case ${1:-server} in
    server) server ;;
    zfs) zfs ;;
    *) die "no tools are made of a tree $1" ;;
  esac
}

case ${1:-} in
  server) server ;;
  zfs) zfs ;;
  rear)
    with_rear() { make_server "$1" "$REAR_PACKAGES" true; }
    cached rear "1 $LAB_SUITE $REAR_PACKAGES" with_rear
    ;;
  tools)
    tar=$(of_tools "${2:-}") || exit 1
    with_server() { make_tools "$1" "$tar"; }
    cached tools "1 $tar $(cat "$SUPPORT/tools-init.sh")" with_server
    ;;
  boot) # KERNEL and initramfs for a start without firmware: two paths
    tar=$(of_tools "${2:-}") || exit 1
    make_boot() {
      mkdir "$1" && tar -C "$1" --wildcards --strip-components=2 -xf "$tar" './boot/vmlinuz-*' './boot/initrd.img-*' &&
        mv "$1"/vmlinuz-* "$1/vmlinuz" && mv "$1"/initrd.img-* "$1/initrd.img"
    }
    cached boot "1 $tar" make_boot
    ;;
  live)
    tar=$(server) || exit 1
    with_tree() { make_live "$1" "$tar"; }
    cached live "1 $tar $(cat "$SUPPORT/tools-init.sh")" with_tree
    ;;
  *)
    echo 'usage: tree.sh server | rear | zfs | tools [zfs] | boot [zfs] | live' >&2
    exit 2
    ;;
esac
