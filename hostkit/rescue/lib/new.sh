# The new system, put together below /mnt/new/TREE: its place, what is mounted there, and how its own programs are run. A job runs in a mount
# namespace of its own, which ends with it: what the new system shall keep is mounted in the first process's, what a job alone needs (/dev,
# /proc and their like for the new system's programs) in its own, so that nothing has to be taken away again, also after a kill.

# Set or read elsewhere:
: "${arg_tree-}" "${json-}" "${line-}" "${unescaped-}"

NEW_ROOT=/mnt/new

# new_find PATH: sets $new_place to where that path of the new system lies; 1 where a link is on the way.
new_find() {
  new_place=$NEW_ROOT/$arg_tree _nf_rest=${1#/}
  while [ -n "$_nf_rest" ]; do
    new_place=$new_place/${_nf_rest%%/*}
    case $_nf_rest in */*) _nf_rest=${_nf_rest#*/} ;; *) _nf_rest= ;; esac
    [ ! -h "$new_place" ] || return 1
  done
}

# new_place PATH: the same, and ends the job at a link: nothing is written through one that came with the data (S22).
new_place() { new_find "$1" || fail not-allowed "$new_place is a symbolic link; nothing is written through links"; }

# new_enter: ends the job unless a root is mounted there; sets $new to it.
new_enter() {
  new=$NEW_ROOT/$arg_tree
  mountpoint -q "$new" || fail not-mounted "no file system of the new system is mounted at $new: do the plan's steps that make and mount it first"
}

# new_mounts FILE: prints what is mounted at and below the new system's place, by that mountinfo, in the order of mounting.
new_mounts() {
  while read -r _ _ _ _ _nm_point _; do
    unescape_mount "$_nm_point"
    case $unescaped/ in "$NEW_ROOT/$arg_tree"/*) printf '%s\n' "$unescaped" ;; esac
  done <"$1"
}

# new_outside COMMAND…: in the first process's namespace, where mounts stay.
new_outside() { nsenter --mount=/proc/1/ns/mnt "$@"; }

# new_bind: gives the new system's programs this kernel's /proc, /sys, /dev and /run, and the links below /dev/disk that udev would make.
new_bind() {
  for _nb_name in proc sys dev run; do
    new_place "/$_nb_name"
    mkdir -p "$new_place"
    mount --rbind "/$_nb_name" "$new_place" || fail failed "/$_nb_name can not be bound to $new_place"
  done
  mkdir -p /dev/disk
  mount -t tmpfs -o mode=755,nosuid,noexec resurgo "$new/dev/disk" || fail failed "a place for the names of disks can not be mounted at $new/dev/disk"
  for _nb_path in /sys/class/block/*; do
    _nb_name=${_nb_path##*/}
    case $_nb_name in loop* | ram* | sr* | fd* | zram*) continue ;; esac
    if ! read_line "$_nb_path/size" || [ "$line" = 0 ]; then continue; fi
    blkid -p -o udev "/dev/$_nb_name" >names 2>/dev/null || continue
    while IFS= read -r _nb_line; do
      case $_nb_line in
        ID_FS_UUID_ENC=*) new_link by-uuid "${_nb_line#*=}" "$_nb_name" ;;
        ID_FS_LABEL_ENC=*) new_link by-label "${_nb_line#*=}" "$_nb_name" ;;
        ID_PART_ENTRY_UUID=*) new_link by-partuuid "${_nb_line#*=}" "$_nb_name" ;;
        ID_PART_ENTRY_NAME=*) new_link by-partlabel "${_nb_line#*=}" "$_nb_name" ;;
      esac
    done <names
  done
  # What udev's rules of device mapper and md name, as Ubuntu's installer writes it in fstab.
  for _nb_path in /sys/class/block/dm-* /sys/class/block/md*; do
    _nb_name=${_nb_path##*/}
    ! read_line "$_nb_path/dm/name" || new_link by-id "dm-name-$line" "$_nb_name"
    ! read_line "$_nb_path/dm/uuid" || new_link by-id "dm-uuid-$line" "$_nb_name"
    # The kernel writes it as 8-4-4-4-12 digits, mdadm as four times eight.
    ! read_line "$_nb_path/md/uuid" || [ -z "$line" ] ||
      new_link by-id "md-uuid-$(printf '%s\n' "$line" | tr -d - | sed 's/\(.\{8\}\)\(.\{8\}\)\(.\{8\}\)/\1:\2:\3:/')" "$_nb_name"
  done
  rm -f names
}

# new_link FOLDER LINK NAME: a link in that folder of /dev/disk to the device.
new_link() {
  case $2 in '' | */*) return 0 ;; esac
  [ -d "$new/dev/disk/$1" ] || mkdir -p "$new/dev/disk/$1"
  ln -sfn "../../$3" "$new/dev/disk/$1/$2"
}

# new_run COMMAND…: a program of the new system, in it; stdout and stderr are the caller's. os-prober would mount every disk of the machine.
new_run() {
  timeout 1800 chroot "$new" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LC_ALL=C \
    DEBIAN_FRONTEND=noninteractive GRUB_DISABLE_OS_PROBER=true DM_DISABLE_UDEV=1 "$@" </dev/null
}

# new_has PROGRAM: has the new system that program? A link there may be absolute, and leads nowhere from here.
new_has() {
  for _nh_dir in usr/sbin usr/bin sbin bin; do
    if [ -f "$new/$_nh_dir/$1" ] || [ -h "$new/$_nh_dir/$1" ]; then return 0; fi
  done
  return 1
}

# new_os WORD: is the new system of that family, by its own os-release?
new_os() {
  for _no_file in "$new/usr/lib/os-release" "$new/etc/os-release"; do
    [ -f "$_no_file" ] || continue
    _no_words=$(sed -n 's/^ID\(_LIKE\)\{0,1\}=//p' "$_no_file" | tr -d \"\' | tr '\n' ' ')
    case " $_no_words " in *" $1"[\ -]*) return 0 ;; esac
    return 1
  done
  return 1
}

# new_modules: sets $new_modules to the folder of its kernels' modules.
new_modules() {
  new_modules=$new/usr/lib/modules
  [ -d "$new_modules" ] || new_modules=$new/lib/modules
}

# new_kernels: prints the versions that have modules and a kernel in /boot, the newest last.
new_kernels() {
  new_modules
  for _nk_path in "$new_modules"/*; do
    _nk_version=${_nk_path##*/}
    [ -d "$_nk_path/kernel" ] || [ -f "$_nk_path/modules.dep" ] || continue
    new_image "$_nk_version" && printf '%s\n' "$_nk_version"
  done | sort -V
}

# new_image VERSION: sets $new_image to its kernel.
new_image() {
  new_first "$new/boot/vmlinuz-$1" "$new/boot/vmlinux-$1" "$new/boot/Image-$1" "$new/boot/"*"/$1/linux" "$new/boot/efi/"*"/$1/linux" "$new/efi/"*"/$1/linux" || return 1
  new_image=$new_first
}

# new_initramfs VERSION: sets $new_initramfs to its initramfs, by the names of Debian, Red Hat, SUSE and the boot loader specification.
new_initramfs() {
  new_first "$new/boot/initrd.img-$1" "$new/boot/initramfs-$1.img" "$new/boot/initrd-$1" "$new/boot/"*"/$1/initrd" "$new/boot/efi/"*"/$1/initrd" "$new/efi/"*"/$1/initrd" || return 1
  new_initramfs=$new_first
}

new_first() {
  for new_first in "$@"; do [ ! -f "$new_first" ] || return 0; done
  return 1
}

# new_esp: sets $new_esp to where the EFI system partition is mounted.
new_esp() {
  for _ne_path in /boot/efi /efi /boot; do
    new_esp=$new$_ne_path
    [ "$(findmnt -nro FSTYPE --mountpoint "$new_esp" 2>/dev/null)" != vfat ] || return 0
  done
  return 1
}

# new_since FILE SECONDS: was it written at that time or later? A FAT knows every other second only.
new_since() { [ "$(stat -c %Y "$1")" -ge "$(($2 - 2))" ]; }

# new_strings: prints stdin's lines as JSON strings with commas.
new_strings() {
  _ns_comma=''
  while IFS= read -r _ns_line; do
    json_quote "$_ns_line"
    printf '%s%s' "$_ns_comma" "$json"
    _ns_comma=,
  done
}

# new_tells TEXT: does stdin, of whatever bytes, hold it? By lines without NULs: busybox's grep reads one no further than to its first.
new_tells() { tr '\000' '\n' | grep -aqF -e "$1"; }
