# Makes an encrypted volume anew, with the UUID and cipher that it had, under one passphrase, and opens it. Where the header's backup is there,
# luks-restore brings all its keys back instead. The passphrase came by verb luks.secret.
# keys: on:text disks:lines name:name version:word(1|2) uuid:text label:text? cipher:text key_bits:int sector:int=512 offset:int=0
# tools: wipefs cryptsetup dmsetup blockdev

# Set or read elsewhere:
: "${arg_cipher-}" "${arg_disks-}" "${arg_key_bits-}" "${arg_label-}" "${arg_name-}" "${arg_offset-}" "${arg_on-}" "${arg_run-}" "${arg_sector-}" \
  "${arg_uuid-}" "${arg_version-}" "${device-}" "${device_why-}" "${line-}" "${luks_secret-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/luks.sh"

job_main() {
  DM_DISABLE_UDEV=1
  export DM_DISABLE_UDEV
  case $arg_cipher in *[!a-zA-Z0-9:_-]*) job_fail bad-request 'a cipher is written like aes-xts-plain64' ;; esac
  luks_inputs
  disks_check "$arg_disks"
  device_find "$arg_on"
  luks_volume=$device luks_mark=$RESURGO_VAR/runs/$arg_run/made/luks.$arg_uuid
  # Made and opened by an attempt whose answer was lost.
  if read_line "$luks_mark" && [ "$line" = "$arg_on" ] && [ -b "/dev/mapper/$arg_name" ]; then
    luks_end ',"was":true'
    return
  fi
  luks_need_secret
  if ! read_line "$luks_mark" || [ "$line" != "$arg_on" ] || [ "$(cryptsetup luksUUID "$device" 2>/dev/null)" != "$arg_uuid" ]; then
    ! device_busy "$device" || job_fail busy "$device_why: nothing was encrypted"
    wipefs --all --force --quiet "$device" || job_fail failed "old signatures on $device can not be wiped"
    set -- --batch-mode --type "luks$arg_version" --uuid "$arg_uuid" --cipher "$arg_cipher" --key-size "$arg_key_bits" --key-file "$luks_secret"
    [ "$arg_version" = 1 ] || { set -- "$@" --sector-size "$arg_sector"; [ -z "$arg_label" ] || set -- "$@" --label "$arg_label"; }
    # Where its data begins, so that it is as large as it was.
    [ "$arg_offset" = 0 ] || set -- "$@" --offset "$((arg_offset / 512))"
    cryptsetup luksFormat "$@" "$device" >luks.out 2>&1 || job_fail failed "$device can not be encrypted: $(tail -n 3 luks.out | tr '\n' ' ')"
    mkdir -p "${luks_mark%/*}"
    atomic_put "$luks_mark" "$arg_on"
  fi
  if [ ! -b "/dev/mapper/$arg_name" ]; then
    cryptsetup open --key-file "$luks_secret" "$luks_volume" "$arg_name" >luks.out 2>&1 || job_fail failed "$device can not be opened: $(tail -n 3 luks.out | tr '\n' ' ')"
  fi
  luks_end ''
}

# luks_end MORE: seen open; what opens it is not needed here any more.
luks_end() {
  device_luks "$arg_uuid" "$arg_name"
  rm -f "$luks_secret"
  job_result "\"device\":\"$device\"$1"
}
