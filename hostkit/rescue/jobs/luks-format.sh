# Makes an encrypted volume anew, with the UUID and cipher that it had, under one passphrase, and opens it. Where the header's backup is there,
# luks-restore brings all its keys back instead.
# keys: on:text disks:lines name:name version:word(1|2) uuid:text label:text? cipher:text key_bits:int sector:int=512 passphrase:b64

# Set or read elsewhere:
: "${arg_cipher-}" "${arg_disks-}" "${arg_key_bits-}" "${arg_label-}" "${arg_name-}" "${arg_on-}" "${arg_passphrase-}" "${arg_sector-}" "${arg_uuid-}" \
  "${arg_version-}" "${device-}" "${device_why-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"

job_main() {
  DM_DISABLE_UDEV=1
  export DM_DISABLE_UDEV
  disks_check "$arg_disks"
  device_find "$arg_on"
  case $arg_cipher in *[!a-zA-Z0-9:_-]*) job_fail bad-request 'a cipher is written like aes-xts-plain64' ;; esac
  # On a memory file system, as all of a rescue system is.
  printf '%s' "$arg_passphrase" | base64 -d >key || job_fail bad-request 'the passphrase is not base64'
  luks_volume=$device
  if [ "$(cryptsetup luksUUID "$device" 2>/dev/null)" != "$arg_uuid" ] || ! cryptsetup open --test-passphrase --key-file key "$device" 2>/dev/null; then
    ! device_busy "$device" || job_fail busy "$device_why: nothing was encrypted"
    set -- --batch-mode --type "luks$arg_version" --uuid "$arg_uuid" --cipher "$arg_cipher" --key-size "$arg_key_bits" --key-file key
    [ "$arg_version" = 1 ] || { set -- "$@" --sector-size "$arg_sector"; [ -z "$arg_label" ] || set -- "$@" --label "$arg_label"; }
    cryptsetup luksFormat "$@" "$device" >luks.out 2>&1 || { rm -f key; job_fail failed "$device can not be encrypted: $(tail -n 3 luks.out | tr '\n' ' ')"; }
  fi
  if [ ! -b "/dev/mapper/$arg_name" ]; then
    cryptsetup open --key-file key "$luks_volume" "$arg_name" >luks.out 2>&1 || { rm -f key; job_fail failed "$device can not be opened: $(tail -n 3 luks.out | tr '\n' ' ')"; }
  fi
  rm -f key
  device_luks "$arg_uuid" "$arg_name"
  job_result "\"device\":\"$device\""
}
