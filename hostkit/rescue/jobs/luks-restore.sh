# Brings an encrypted volume back as it was: its header from the backup, with all its keys, onto the new device, and opens it with one of them.
# What is in it comes after. The passphrase came by verb luks.secret, the header into memory (verb luks.place); both go once it is open.
# keys: on:text disks:lines tree:tree name:name uuid:text header:hex bytes:int sector:int=512 offset:int
# tools: wipefs cryptsetup dmsetup blockdev

# Set or read elsewhere:
: "${arg_disks-}" "${arg_name-}" "${arg_on-}" "${arg_run-}" "${arg_uuid-}" "${device-}" "${device_bytes-}" "${device_why-}" "${line-}" \
  "${luks_header-}" "${luks_secret-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/luks.sh"

job_main() {
  DM_DISABLE_UDEV=1
  export DM_DISABLE_UDEV
  luks_inputs
  disks_check "$arg_disks"
  device_find "$arg_on"
  luks_volume=$device luks_mark=$RESURGO_VAR/runs/$arg_run/made/luks.$arg_uuid
  # Made and opened by an attempt whose answer was lost.
  if read_line "$luks_mark" && [ "$line" = "$arg_on" ] && [ -b "/dev/mapper/$arg_name" ] && [ -e "$luks_mark.empty" ]; then
    restore_end ',"was":true'
    return
  fi
  luks_need_secret
  if ! read_line "$luks_mark" || [ "$line" != "$arg_on" ] || [ "$(cryptsetup luksUUID "$luks_volume" 2>/dev/null)" != "$arg_uuid" ]; then
    luks_header
    luks_fits "$device_bytes" "$(blockdev --getss "$luks_volume")"
    ! device_busy "$luks_volume" || job_fail busy "$device_why: no header was put back"
    rm -f "$luks_mark.empty"
    luks_opens
    wipefs --all --force --quiet "$luks_volume" || job_fail failed "old signatures on $luks_volume can not be wiped"
    cryptsetup luksHeaderRestore --batch-mode --header-backup-file "$luks_header" "$luks_volume" >luks.out 2>&1 ||
      job_fail failed "the header can not be put back onto $luks_volume: $(tail -n 3 luks.out | tr '\n' ' ')"
    [ "$(cryptsetup luksUUID "$luks_volume" 2>/dev/null)" = "$arg_uuid" ] || job_fail failed "$luks_volume has another UUID than $arg_uuid after its header was put back"
    mkdir -p "${luks_mark%/*}"
    atomic_put "$luks_mark" "$arg_on"
  fi
  if [ ! -b "/dev/mapper/$arg_name" ]; then
    restore_code=0
    cryptsetup open --key-file "$luks_secret" "$luks_volume" "$arg_name" >luks.out 2>&1 || restore_code=$?
    case $restore_code in
      0) ;;
      # The header is back; another passphrase is given and the step repeated.
      2) job_fail needs-passphrase "the passphrase that was given does not open $luks_volume (encrypted volume $arg_uuid)" ;;
      *) job_fail failed "$luks_volume can not be opened: $(tail -n 3 luks.out | tr '\n' ' ')" ;;
    esac
  fi
  # Under the old key the old volume's content shows again.
  if [ ! -e "$luks_mark.empty" ]; then
    wipefs --all --force --quiet "/dev/mapper/$arg_name" || job_fail failed "old signatures in $arg_name can not be wiped"
    : >"$luks_mark.empty"
  fi
  restore_end ''
}

# restore_end MORE: seen open; what opens it is not needed here any more.
restore_end() {
  device_luks "$arg_uuid" "$arg_name"
  rm -f "$luks_secret" "$LUKS_PLACE/$arg_tree/var/lib/resurgo/luks/$arg_uuid.header"
  job_result "\"device\":\"$device\"$1"
}
