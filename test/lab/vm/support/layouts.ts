/** The layouts that servers are set up with: shell for install.sh, from the plainest to the oddest. */
import type { ServerSpec } from './install';

export type Layout = Pick<ServerSpec, 'firmware' | 'disks' | 'script' | 'tree'>;

const ROOT_OPTIONS = 'errors=remount-ro';
/** Of the encrypted volume. */
export const PASSPHRASE = 'correct horse battery';

/** GPT, BIOS, one ext4. */
export const biosExt4: Layout = {
  firmware: 'bios',
  disks: [{ serial: 'D1', sizeMb: 4096 }],
  script: `layout() {
  D1=$(disk D1); BOOT_DISKS=$D1
  printf 'label: gpt\\nsize=1MiB, type=21686148-6449-6E6F-744E-656564454649, name="bios"\\ntype=linux, name="root"\\n' | sfdisk -q "$D1"
  mkfs.ext4 -q -L root "$(part "$D1" 2)"
  mount "$(part "$D1" 2)" /mnt
  fstab / ext4 ${ROOT_OPTIONS} 1
}`,
};

/** GPT, UEFI with the signed shim, ext4 for root and a swap partition between. */
export const uefiExt4: Layout = {
  firmware: 'uefi',
  disks: [{ serial: 'D1', sizeMb: 4096 }],
  script: `layout() {
  D1=$(disk D1); BOOT_DISKS=$D1
  printf 'label: gpt\\nsize=64MiB, type=uefi, name="ESP"\\nsize=128MiB, type=swap, name="swap"\\ntype=linux, name="root"\\n' | sfdisk -q "$D1"
  mkfs.vfat -F 32 -n ESP "$(part "$D1" 1)" >/dev/null
  mkswap -q -L swap "$(part "$D1" 2)"
  mkfs.ext4 -q -L root -m 3 "$(part "$D1" 3)"
  mount "$(part "$D1" 3)" /mnt
  mkdir -p /mnt/boot/efi
  mount "$(part "$D1" 1)" /mnt/boot/efi
  fstab / ext4 ${ROOT_OPTIONS} 1
  fstab /boot/efi vfat umask=0077 1
  fstab none swap sw 0 "$(part "$D1" 2)"
}`,
};

/** BIOS, two disks: md RAID1 of both, LVM on it. Boots with either disk alone. */
export const biosMirror: Layout = {
  firmware: 'bios',
  disks: [
    { serial: 'D1', sizeMb: 4096 },
    { serial: 'D2', sizeMb: 4096 },
  ],
  script: `layout() {
  D1=$(disk D1); D2=$(disk D2); BOOT_DISKS="$D1 $D2"
  for each in $BOOT_DISKS; do
    printf 'label: gpt\\nsize=1MiB, type=21686148-6449-6E6F-744E-656564454649, name="bios"\\ntype=raid, name="mirror"\\n' | sfdisk -q "$each"
  done
  # Both are blank, so they are equal already.
  mdadm --create /dev/md0 --run --quiet --assume-clean --level=1 --metadata=1.2 --homehost=any --name=system --raid-devices=2 "$(part "$D1" 2)" "$(part "$D2" 2)"
  pvcreate -q /dev/md0
  vgcreate -q vg0 /dev/md0
  lvcreate -q -y -L 128M -n swap vg0
  lvcreate -q -y -l 90%FREE -n root vg0
  mkswap -q /dev/vg0/swap
  mkfs.ext4 -q -L root /dev/vg0/root
  mount /dev/vg0/root /mnt
  fstab / ext4 ${ROOT_OPTIONS} 1
  fstab none swap sw 0 /dev/vg0/swap
}
settle() { mdadm --detail --scan >> /mnt/etc/mdadm/mdadm.conf; }`,
};

/** UEFI, two disks: an EFI system partition on each, of which the loader was installed to the first alone, and md RAID1 for root. */
export const uefiMirror: Layout = {
  firmware: 'uefi',
  disks: [
    { serial: 'D1', sizeMb: 4096 },
    { serial: 'D2', sizeMb: 4096 },
  ],
  script: `layout() {
  D1=$(disk D1); D2=$(disk D2); BOOT_DISKS="$D1 $D2"
  for each in $BOOT_DISKS; do
    printf 'label: gpt\\nsize=64MiB, type=uefi, name="ESP"\\ntype=raid, name="mirror"\\n' | sfdisk -q "$each"
    mkfs.vfat -F 32 "$(part "$each" 1)" >/dev/null
  done
  # Both are blank, so they are equal already.
  mdadm --create /dev/md0 --run --quiet --assume-clean --level=1 --metadata=1.2 --homehost=any --name=system --raid-devices=2 "$(part "$D1" 2)" "$(part "$D2" 2)"
  mkfs.ext4 -q -L root /dev/md0
  mount /dev/md0 /mnt
  mkdir -p /mnt/boot/efi /mnt/boot/efi2
  mount "$(part "$D1" 1)" /mnt/boot/efi
  mount "$(part "$D2" 1)" /mnt/boot/efi2
  fstab / ext4 ${ROOT_OPTIONS} 1
  fstab /boot/efi vfat umask=0077,nofail,x-systemd.device-timeout=30 1
  fstab /boot/efi2 vfat umask=0077,nofail,x-systemd.device-timeout=30 1
}
settle() {
  mdadm --detail --scan >> /mnt/etc/mdadm/mdadm.conf
  in_new update-initramfs -u 2>&1
}`,
};

/** UEFI, LVM on LUKS 2. A key file in the initramfs opens it, so that it boots with nobody there; a person has a passphrase. */
export const uefiEncrypted: Layout = {
  firmware: 'uefi',
  disks: [{ serial: 'D1', sizeMb: 4608 }],
  script: `layout() {
  D1=$(disk D1); BOOT_DISKS=$D1
  printf 'label: gpt\\nsize=64MiB, type=uefi, name="ESP"\\nsize=384MiB, type=linux, name="boot"\\ntype=linux, name="crypt"\\n' | sfdisk -q "$D1"
  mkfs.vfat -F 32 -n ESP "$(part "$D1" 1)" >/dev/null
  mkfs.ext4 -q -L boot "$(part "$D1" 2)"
  head -c 64 /dev/urandom > /tmp/system.key
  CRYPT=$(part "$D1" 3)
  printf '%s' '${PASSPHRASE}' | cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$CRYPT" -
  printf '%s' '${PASSPHRASE}' | cryptsetup luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file - "$CRYPT" /tmp/system.key
  cryptsetup open --key-file /tmp/system.key "$CRYPT" system_crypt
  pvcreate -q /dev/mapper/system_crypt
  vgcreate -q vg0 /dev/mapper/system_crypt
  lvcreate -q -y -l 90%FREE -n root vg0
  mkfs.ext4 -q -L root /dev/vg0/root
  mount /dev/vg0/root /mnt
  mkdir -p /mnt/boot
  mount "$(part "$D1" 2)" /mnt/boot
  mkdir -p /mnt/boot/efi
  mount "$(part "$D1" 1)" /mnt/boot/efi
  fstab / ext4 ${ROOT_OPTIONS} 1
  fstab /boot ext4 defaults 2
  fstab /boot/efi vfat umask=0077 1
}
settle() {
  install -m 600 /tmp/system.key /mnt/etc/keys-system.key
  echo "system_crypt UUID=$(blkid -s UUID -o value "$CRYPT") /etc/keys-system.key luks,initramfs" >> /mnt/etc/crypttab
  echo 'KEYFILE_PATTERN="/etc/keys-*.key"' >> /mnt/etc/cryptsetup-initramfs/conf-hook
  echo UMASK=0077 >> /mnt/etc/initramfs-tools/initramfs.conf
  in_new update-initramfs -u 2>&1
}`,
};

/** BIOS, GPT, ext4 for /boot, the root a thin volume. */
export const biosThin: Layout = {
  firmware: 'bios',
  disks: [{ serial: 'D1', sizeMb: 4608 }],
  script: `layout() {
  D1=$(disk D1); BOOT_DISKS=$D1
  printf 'label: gpt\\nsize=1MiB, type=21686148-6449-6E6F-744E-656564454649, name="bios"\\nsize=384MiB, type=linux, name="boot"\\ntype=lvm, name="lvm"\\n' | sfdisk -q "$D1"
  mkfs.ext4 -q -L boot "$(part "$D1" 2)"
  pvcreate -q "$(part "$D1" 3)"
  vgcreate -q vg0 "$(part "$D1" 3)"
  lvcreate -q -y --type thin-pool -l 90%FREE -n pool vg0
  lvcreate -q -y --type thin -V 3G --thinpool pool -n root vg0
  mkfs.ext4 -q -L root /dev/vg0/root
  mount /dev/vg0/root /mnt
  mkdir -p /mnt/boot
  mount "$(part "$D1" 2)" /mnt/boot
  fstab / ext4 ${ROOT_OPTIONS} 1
  fstab /boot ext4 defaults 2
}
settle() {
  # As Ubuntu's installer names volumes.
  sed -i "s|^[^ ]* / |/dev/disk/by-id/dm-uuid-$(dmsetup info -c --noheadings -o uuid vg0-root) / |" /mnt/etc/fstab
  in_new update-initramfs -u 2>&1
}`,
};

/** BIOS, btrfs over two disks with subvolumes for root and home. */
export const biosBtrfs: Layout = {
  firmware: 'bios',
  disks: [
    { serial: 'D1', sizeMb: 3072 },
    { serial: 'D2', sizeMb: 3072 },
  ],
  script: `layout() {
  D1=$(disk D1); D2=$(disk D2); BOOT_DISKS="$D1 $D2"
  for each in $BOOT_DISKS; do
    printf 'label: gpt\\nsize=1MiB, type=21686148-6449-6E6F-744E-656564454649, name="bios"\\ntype=linux, name="data"\\n' | sfdisk -q "$each"
  done
  mkfs.btrfs -q -f -L system -d raid1 -m raid1 "$(part "$D1" 2)" "$(part "$D2" 2)"
  btrfs device scan -q || btrfs device scan
  mount "$(part "$D1" 2)" /mnt
  btrfs subvolume create /mnt/@ >/dev/null
  btrfs subvolume create /mnt/@home >/dev/null
  umount /mnt
  mount -o subvol=@ "$(part "$D1" 2)" /mnt
  mkdir -p /mnt/home
  mount -o subvol=@home "$(part "$D1" 2)" /mnt/home
  fstab / btrfs defaults,subvol=@ 0
  fstab /home btrfs defaults,subvol=@home 0
}`,
};

/** BIOS, an MBR table with logical partitions, XFS for root. */
export const biosMbrXfs: Layout = {
  firmware: 'bios',
  disks: [{ serial: 'D1', sizeMb: 4096 }],
  script: `layout() {
  D1=$(disk D1); BOOT_DISKS=$D1
  printf 'label: dos\\nsize=384MiB, type=83, bootable\\ntype=extended\\nsize=128MiB, type=82\\ntype=83\\n' | sfdisk -q "$D1"
  mkfs.ext4 -q -L boot "$(part "$D1" 1)"
  mkswap -q -L swap "$(part "$D1" 5)"
  mkfs.xfs -q -L root "$(part "$D1" 6)"
  mount "$(part "$D1" 6)" /mnt
  mkdir -p /mnt/boot
  mount "$(part "$D1" 1)" /mnt/boot
  fstab / xfs defaults 0
  fstab /boot ext4 defaults 2
  fstab none swap sw 0 "$(part "$D1" 5)"
}`,
};

/** BIOS, ext4 for root, and a pool of OpenZFS on two further disks: a mirror with three datasets, of which one is set to be something else. */
export const biosZfs: Layout = {
  firmware: 'bios',
  tree: 'zfs',
  disks: [
    { serial: 'D1', sizeMb: 4096 },
    { serial: 'D2', sizeMb: 1024 },
    { serial: 'D3', sizeMb: 1024 },
  ],
  script: `layout() {
  D1=$(disk D1); BOOT_DISKS=$D1
  printf 'label: gpt\\nsize=1MiB, type=21686148-6449-6E6F-744E-656564454649, name="bios"\\ntype=linux, name="root"\\n' | sfdisk -q "$D1"
  mkfs.ext4 -q -L root "$(part "$D1" 2)"
  mount "$(part "$D1" 2)" /mnt
  fstab / ext4 ${ROOT_OPTIONS} 1
  MEMBERS=
  for each in D2 D3; do
    printf 'label: gpt\\ntype=6A898CC3-1DD2-11B2-99A6-080020736631, name="zfs"\\n' | sfdisk -q "$(disk "$each")"
    MEMBERS="$MEMBERS /dev/disk/by-partuuid/$(blkid -p -s PART_ENTRY_UUID -o value "$(part "$(disk "$each")" 1)")"
  done
  udevadm settle --timeout=30
  modprobe zfs
  zpool create -R /mnt -o cachefile=/tmp/zpool.cache -o ashift=12 -o autotrim=on -O mountpoint=/srv/tank -O compression=lz4 -O xattr=sa \\
    -O acltype=posixacl tank mirror $MEMBERS
  zfs create -o recordsize=16K -o atime=off -o mountpoint=/srv/data -o 'org.example:owner=web team' tank/data
  zfs create -o quota=256M tank/logs
  zpool status -P
}
settle() { mkdir -p /mnt/etc/zfs; cp /tmp/zpool.cache /mnt/etc/zfs/zpool.cache; }
leave() { zpool export tank; }`,
};
