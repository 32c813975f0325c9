# What a kernel has to bring up before the new system's root is there: from its file system down to the controllers of its disks.

# Set or read elsewhere:
: "${line-}" "${new-}"

# chain_needs PATH…: sets $chain_needs to the modules that what is mounted at those paths of the new system needs here. A path that is no mount adds nothing: it lies on another.
chain_needs() {
  chain_needs='' chain_seen=' '
  for _cn_path in "$@"; do
    _cn_point=$new${_cn_path%/}
    _cn_type=$(findmnt -nro FSTYPE --mountpoint "$_cn_point" 2>/dev/null | tail -n 1) || continue
    [ -n "$_cn_type" ] || continue
    # One driver for the whole family: no kernel of today has modules ext2 and ext3.
    case $_cn_type in ext2 | ext3) chain_add ext4 ;; *) chain_add "$_cn_type" ;; esac
    _cn_source=$(findmnt -nro SOURCE --mountpoint "$_cn_point" | tail -n 1)
    _cn_source=$(readlink -f "${_cn_source%%\[*}")
    _cn_number=$(stat -Lc '%t %T' "$_cn_source" 2>/dev/null) || continue
    _cn_real=$(readlink -f "/sys/dev/block/$((0x${_cn_number% *})):$((0x${_cn_number#* }))")
    chain_device "${_cn_real##*/}"
    # The other members of a btrfs.
    [ "$_cn_type" = btrfs ] || continue
    for _cn_other in /sys/fs/btrfs/*/devices/"${_cn_real##*/}"; do
      [ -e "$_cn_other" ] || continue
      for _cn_member in "${_cn_other%/*}"/*; do chain_device "${_cn_member##*/}"; done
    done
  done
}

# chain_add MODULE
chain_add() {
  case " $chain_needs " in *" $1 "*) ;; *) chain_needs="$chain_needs${chain_needs:+ }$1" ;; esac
}

# chain_device NAME: the kernel's name of a device; goes down to what it lies on.
chain_device() {
  case $chain_seen in *" $1 "*) return 0 ;; esac
  chain_seen="$chain_seen$1 "
  case $1 in
    dm-*)
      chain_add dm_mod
      for _cd_target in $(dmsetup table "/dev/$1" 2>/dev/null | awk '{ print $3; if ($3 == "raid") print "raid=" $5 }' | sort -u); do
        case $_cd_target in
          crypt | mirror | raid | snapshot | cache | writecache | integrity | era | clone) chain_add "dm_$_cd_target" ;;
          snapshot-*) chain_add dm_snapshot ;;
          thin*) chain_add dm_thin_pool ;;
          raid=*) chain_level "${_cd_target#raid=}" ;;
        esac
      done
      ;;
    md*)
      ! read_line "/sys/class/block/$1/md/level" || chain_level "$line"
      ;;
  esac
  if [ -e "/sys/class/block/$1/partition" ]; then
    _cd_real=$(readlink -f "/sys/class/block/$1")
    _cd_real=${_cd_real%/*}
    chain_device "${_cd_real##*/}"
    return
  fi
  for _cd_slave in "/sys/class/block/$1/slaves"/*; do
    [ -e "$_cd_slave" ] || continue
    chain_device "${_cd_slave##*/}"
  done
  [ ! -e "/sys/class/block/$1/device" ] || chain_disk "$1"
}

# chain_level WORD: the module of an array's level, as md or device mapper call it.
chain_level() {
  case $1 in
    raid0 | raid10 | raid1 | linear) chain_add "$1" ;;
    raid0_* | raid10_*) chain_add "${1%%_*}" ;;
    raid[456]*) chain_add raid456 ;;
  esac
}

# chain_disk NAME: a disk, and the drivers of all that it hangs on. What is built into this kernel has no module, and is not asked for.
chain_disk() {
  _ck_path=$(readlink -f "/sys/class/block/$1/device")
  while [ "${_ck_path#/sys/devices/}" != "$_ck_path" ]; do
    if [ -e "$_ck_path/driver/module" ]; then
      _ck_module=$(readlink -f "$_ck_path/driver/module")
      chain_add "${_ck_module##*/}"
    fi
    _ck_path=${_ck_path%/*}
  done
}
