# Devices of the machine that is being recovered, by what they are known by, never by their names: a name may mean another disk after each
# boot. Whoever writes to one has it looked up here, in the same process, and what does not match ends the step before anything is touched.
#
# A device is written as words, each percent-encoded, `-` for what is not known:
#   disk SERIAL WWN BYTES
#   partition NUMBER START_BYTE BYTES of DEVICE
#   md UUID · luks UUID NAME · lv GROUP NAME · zvol DATASET
# and these tools look it up:
# tools md: mdadm
# tools luks: dmsetup blockdev
# tools lv: blockdev
# tools zvol: zvol_id blockdev

# Set or read elsewhere:
: "${decoded-}" "${disk_bytes-}" "${disk_serial-}" "${disk_word-}" "${disk_wwn-}" "${line-}"

# shellcheck source=hostkit/lib/disks.sh
. "$RESURGO_LIB/lib/disks.sh"

# device_find TEXT: sets $device to its node and $device_bytes; ends the request when it is not there, or not what was said.
device_find() {
  device='' device_bytes=0
  set -f
  # shellcheck disable=SC2086 # Words.
  set -- $1
  set +f
  case ${1-} in
    disk) device_disk "$2" "$3" "$4" ;;
    partition)
      _df_number=$2 _df_start=$3 _df_bytes=$4
      shift 5
      device_find "$*"
      device_partition "$_df_number" "$_df_start" "$_df_bytes"
      ;;
    md) device_md "$2" ;;
    luks) device_luks "$2" "$3" ;;
    lv) device_lv "$2" "$3" ;;
    zvol) device_zvol "$2" ;;
    *) fail bad-request "'$*' names no device" ;;
  esac
}

device_word() { decode "$1" || fail bad-request 'a device is not percent-encoded'; }

# device_disk SERIAL WWN BYTES: the one disk that says all of it. None, or two, and nothing is written. One that says nothing of itself has
# what tells it from others until the next boot in the place of the serial number.
device_disk() {
  device_word "$1"
  _dd_serial=$decoded
  device_word "$2"
  _dd_wwn=$decoded _dd_found='' _dd_count=0
  [ "$_dd_serial$_dd_wwn" != -- ] || fail bad-request 'a disk without serial number and WWN can not be told from another: pin it by what it has, or use another disk'
  for _dd_path in /sys/block/*; do
    disk_is "${_dd_path##*/}" || continue
    disk_facts "${_dd_path##*/}"
    [ "$disk_bytes" = "$3" ] || continue
    if [ "$disk_serial$disk_wwn" = -- ]; then
      disk_this_boot "${_dd_path##*/}"
      disk_serial=${disk_word:--}
    fi
    [ "$_dd_serial" = - ] || [ "$disk_serial" = "$_dd_serial" ] || continue
    [ "$_dd_wwn" = - ] || [ "$disk_wwn" = "$_dd_wwn" ] || continue
    _dd_found=${_dd_path##*/} _dd_count=$((_dd_count + 1))
  done
  [ "$_dd_count" = 1 ] || fail identity-changed "$_dd_count disks of this machine have serial ${_dd_serial}, WWN ${_dd_wwn} and $3 bytes, and the plan is for one: nothing was written. Look at what has changed, and plan again (resurgo recover)"
  device=/dev/$_dd_found device_bytes=$3
}

# device_partition NUMBER START BYTES: of $device; it must begin and end where the plan says.
device_partition() {
  _dp_disk=${device##*/}
  for _dp_path in "/sys/class/block/$_dp_disk/$_dp_disk"*; do
    [ -e "$_dp_path/partition" ] || continue
    read_line "$_dp_path/partition"
    [ "$line" = "$1" ] || continue
    read_line "$_dp_path/start"
    [ "$((line * 512))" = "$2" ] || fail identity-changed "partition $1 of $device begins at byte $((line * 512)), not at $2 as planned: nothing was written"
    read_line "$_dp_path/size"
    [ "$((line * 512))" = "$3" ] || fail identity-changed "partition $1 of $device has $((line * 512)) bytes, not $3 as planned: nothing was written"
    device=/dev/${_dp_path##*/} device_bytes=$3
    return 0
  done
  fail not-found "$device has no partition $1: the step that makes it has not been done, or the kernel has not seen it"
}

device_md() {
  for _dm_path in /sys/block/md*; do
    [ -e "$_dm_path/md/uuid" ] || [ -e "$_dm_path/md/array_state" ] || continue
    _dm_uuid=$(mdadm --detail --export "/dev/${_dm_path##*/}" 2>/dev/null | sed -n 's/^MD_UUID=//p')
    [ "$_dm_uuid" = "$1" ] || continue
    device=/dev/${_dm_path##*/}
    read_line "$_dm_path/size"
    device_bytes=$((line * 512))
    return 0
  done
  fail not-found "no array with UUID $1 runs here"
}

device_luks() {
  device_word "$2"
  device=/dev/mapper/$decoded
  _dl_uuid=$(dmsetup info -c --noheadings -o uuid "$decoded" 2>/dev/null) || fail not-found "$device is not open"
  # dm's own: CRYPT-LUKS2-0123…-NAME, the UUID without dashes.
  case $_dl_uuid in
    CRYPT-LUKS?-"$(printf '%s' "$1" | tr -d -)"-*) ;;
    *) fail identity-changed "$device is open on another volume than $1: nothing was written" ;;
  esac
  device_bytes=$(blockdev --getsize64 "$device")
}

device_lv() {
  device_word "$1"
  _dv_group=$decoded
  device_word "$2"
  device=/dev/$_dv_group/$decoded
  [ -b "$device" ] || fail not-found "there is no logical volume $_dv_group/$decoded, or it is not active"
  device_bytes=$(blockdev --getsize64 "$device")
}

device_zvol() {
  device_word "$1"
  _dz_name=$decoded
  # Without udev nobody makes the links below /dev/zvol.
  for _dz_path in /sys/block/zd*; do
    [ -e "$_dz_path" ] || continue
    [ "$(zvol_id "/dev/${_dz_path##*/}" 2>/dev/null)" = "$_dz_name" ] || continue
    device=/dev/${_dz_path##*/}
    device_bytes=$(blockdev --getsize64 "$device")
    return 0
  done
  fail not-found "there is no ZFS volume $_dz_name"
}

# disks_check LINES: every disk that a step writes over, one a line as `SERIAL WWN BYTES`: each is there, once.
disks_check() {
  _dc_rest=$1
  while [ -n "$_dc_rest" ]; do
    _dc_line=${_dc_rest%%"$LF"*}
    case $_dc_rest in *"$LF"*) _dc_rest=${_dc_rest#*"$LF"} ;; *) _dc_rest= ;; esac
    # shellcheck disable=SC2086 # Words.
    device_disk $_dc_line
  done
}
LF='
'

# device_busy DEVICE: is it, or anything on it, mounted, in use as swap, or held by another device? Sets $device_why.
device_busy() {
  device_why=''
  _db_name=${1##*/}
  for _db_path in "/sys/class/block/$_db_name" "/sys/class/block/$_db_name/$_db_name"*; do
    [ -e "$_db_path/dev" ] || continue
    read_line "$_db_path/dev"
    while read -r _ _ _db_number _ _db_point _ <&6; do
      [ "$_db_number" != "$line" ] || device_why="/dev/${_db_path##*/} is mounted at $_db_point"
    done 6</proc/self/mountinfo
    for _db_holder in "$_db_path/holders"/*; do
      [ -e "$_db_holder" ] && device_why="/dev/${_db_path##*/} is held by ${_db_holder##*/}"
    done
    # A mounted btrfs has a number of its own, which none of its devices has.
    for _db_holder in /sys/fs/btrfs/*/devices/"${_db_path##*/}"; do
      [ -e "$_db_holder" ] && device_why="/dev/${_db_path##*/} belongs to a btrfs that is mounted"
    done
    ! grep -q "^/dev/${_db_path##*/} " /proc/swaps || device_why="/dev/${_db_path##*/} is in use as swap"
  done
  [ -n "$device_why" ]
}

# lvm_name_check NAME: what LVM takes for a name, and no option.
lvm_name_check() {
  case $1 in '' | [!A-Za-z0-9_.+]* | *[!A-Za-z0-9_.+-]* | . | ..) fail bad-request "'$1' is no name that LVM takes" ;; esac
}
