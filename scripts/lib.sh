# Shared by the scripts: headlines, and what this machine has and lacks. Sourced, not run.

# The Debian packages that building and testing on this machine take, the simulated hosts' own packages apart.
LAB_PACKAGES='debootstrap btrfs-progs xfsprogs e2fsprogs dosfstools fdisk iproute2 iptables util-linux openssh-client openssh-server rsync sudo attr acl
libcap2-bin busybox-static shellcheck systemd-container procps docker.io docker-compose zfs-fuse
cryptsetup-bin jq xorriso mtools grub-common grub-pc-bin grub-efi-amd64-bin'

# What virtual machines take besides.
# shellcheck disable=SC2034 # Read by those who source this.
METAL_PACKAGES='qemu-system-x86 ovmf mmdebstrap uidmap mtools zstd cpio dnsmasq-base ipxe'

headline() { printf '\n== %s\n' "$*"; }

is_root() { [ "$(id -u)" = 0 ]; }

# Prints which of the lab's packages, and of those given, are not installed. Where dpkg does not exist all of them count as missing.
missing_packages() { # PACKAGE…
  for package in $LAB_PACKAGES "$@"; do
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2> /dev/null)" = installed ] || printf '%s ' "$package"
  done
}

# Prints why the lab can't run here; nothing when it can.
lab_obstacle() {
  if ! is_root; then
    echo 'not root: simulated hosts need namespaces, loop devices and mounts'
    return 0
  fi
  PATH=$PATH:/usr/sbin:/sbin
  for program in debootstrap nsenter unshare mkfs.btrfs losetup ip ebtables-nft ssh; do
    command -v "$program" > /dev/null || printf 'missing %s; ' "$program"
  done
}

# The recoveries from bare metal of `npm test`: one by BIOS, one by UEFI.
metal_suites() { printf '%s\n' test/lab/vm/recover-bios.test.ts test/lab/vm/recover-uefi.test.ts; }

# The suites of `npm test` that need the lab.
lab_suites() {
  find test/lab test/crash -name '*.test.ts' -not -path 'test/lab/vm/*' | sort
}
