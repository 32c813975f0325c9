# Makes a swap partition or volume as it was known.
# keys: on:text disks:lines uuid:text? label:text?
# tools: blkid wipefs blockdev mkswap

# Set or read elsewhere:
: "${arg_label-}" "${arg_uuid-}" "${device-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/make.sh"

job_main() {
  make_begin swap
  set -- --force
  [ -z "$arg_uuid" ] || set -- "$@" --uuid "$arg_uuid"
  [ -z "$arg_label" ] || set -- "$@" --label "$arg_label"
  make_run mkswap "$@" "$device"
  make_end
}
