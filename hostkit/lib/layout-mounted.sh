#!/bin/sh
# Facts of what is mounted: the mounts themselves, how full they are, what only a mounted btrfs tells, swap.

: "${facts_dir-}" "${tool_at-}" "${unescaped-}"

LF='
'

layout_mounted() {
  fact_file mounts /proc/self/mountinfo
  fact_made space layout_each_mounted layout_space
  layout_each_mounted layout_btrfs
  fact_file swaps /proc/swaps
  layout_swap_files
}

# layout_each_mounted FUNCTION: with $mounted_id (MAJ:MIN), $mounted_type, $mounted_from and $mounted_at, once for each file
# system of a disk.
layout_each_mounted() {
  mounted_seen=' '
  while read -r _ _ mounted_id _ mounted_point mounted_rest <&7; do
    mounted_rest=${mounted_rest#*- }
    mounted_type=${mounted_rest%% *}
    mounted_rest=${mounted_rest#* }
    mounted_from=${mounted_rest%% *}
    case $mounted_type in ext[234] | xfs | btrfs | vfat | f2fs | jfs | nilfs2 | ntfs* | exfat | reiserfs | bcachefs) ;; *) continue ;; esac
    case $mounted_seen in *" $mounted_id "*) continue ;; esac
    mounted_seen="$mounted_seen$mounted_id "
    unescape_mount "$mounted_point"
    mounted_at=$unescaped
    "$1"
  done 7</proc/self/mountinfo
}

# `MAJ:MIN BLOCKS FREE BLOCK_BYTES`
layout_space() {
  space=$(timeout -s KILL 5 stat -f -c '%b %f %S' -- "$mounted_at" 2>/dev/null) || return 0
  printf '%s %s\n' "$mounted_id" "$space"
}

layout_btrfs() {
  [ "$mounted_type" = btrfs ] || return 0
  mkdir -p "$facts_dir/top"
  fact "btrfs-df:$mounted_id" btrfs filesystem df --raw "$mounted_at"
  fact "btrfs-default:$mounted_id" btrfs subvolume get-default "$mounted_at"
  fact "btrfs-qgroups:$mounted_id" btrfs qgroup show --raw "$mounted_at"
  fact_made "btrfs-list:$mounted_id" layout_at_top btrfs subvolume list -p -u -q -R .
  fact_made "btrfs-snapshots:$mounted_id" layout_at_top btrfs subvolume list -s .
  fact_made "btrfs-readonly:$mounted_id" layout_at_top btrfs subvolume list -r .
  fact_made "btrfs-attributes:$mounted_id" layout_at_top sh -c "$LAYOUT_ATTRIBUTES"
}

# layout_at_top COMMAND…: runs it in the top level, mounted read-only where nobody else sees it; the mount ends with the command.
# Elsewhere btrfs tells some paths from the top level and some from the subvolume that is mounted, and does not say which.
# shellcheck disable=SC2016 # The inner shell's own.
layout_at_top() {
  timeout -s KILL 20 unshare -m sh -c '
    mount -t btrfs -o ro,noatime,nosuid,nodev,noexec,subvolid=5 "$1" "$2" && cd "$2" && shift 2 && exec "$@"' \
    sh "$mounted_from" "$facts_dir/top" "$@"
}

# The attributes (C: no copy on write) of each subvolume.
# shellcheck disable=SC2016 # The inner shell's own.
LAYOUT_ATTRIBUTES='
  lsattr -d . && btrfs subvolume list . | while IFS= read -r row; do
    case $row in *" path "*) [ ! -d "./${row#* path }" ] || lsattr -d "./${row#* path }" ;; esac
  done'

layout_swap_files() {
  swap_seen=$LF
  while read -r swap_at swap_type _ <&6; do
    [ "$swap_type" = file ] || continue
    unescape_mount "$swap_at"
    layout_swap_file "$unescaped"
  done 6</proc/swaps
  [ -r /etc/fstab ] || return 0
  while read -r swap_at _ swap_type _ <&6; do
    case $swap_type:$swap_at in
      swap:/dev/*) ;;
      swap:/*)
        unescape_mount "$swap_at"
        layout_swap_file "$unescaped"
        ;;
    esac
  done 6</etc/fstab
}

layout_swap_file() {
  case $swap_seen in *"$LF$1$LF"*) return 0 ;; esac
  swap_seen=$swap_seen$1$LF
  [ -f "$1" ] || return 0
  fact_made "swap-file:$1" timeout -s KILL 5 stat -c '%a %s' -- "$1"
  fact "blkid:$1" blkid -p -o udev "$1"
}
