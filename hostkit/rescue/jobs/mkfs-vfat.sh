# Makes a FAT file system, such as an EFI system partition.
# keys: on:text disks:lines uuid:text label:text? bits:word(12|16|32) cluster:int sector:int
# tools: blkid wipefs blockdev mkfs.vfat

# Set or read elsewhere:
: "${arg_bits-}" "${arg_cluster-}" "${arg_label-}" "${arg_sector-}" "${arg_uuid-}" "${device-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/make.sh"

job_main() {
  case $arg_uuid in [0-9A-Fa-f][0-9A-Fa-f][0-9A-Fa-f][0-9A-Fa-f]-[0-9A-Fa-f][0-9A-Fa-f][0-9A-Fa-f][0-9A-Fa-f]) ;; *) job_fail bad-request 'the UUID of a FAT is four hex digits, a dash, four more' ;; esac
  [ "$((arg_sector > 0 ? arg_cluster % arg_sector : 1))" = 0 ] ||
    job_fail bad-request "clusters of $arg_cluster bytes are not of whole sectors of $arg_sector"
  make_begin vfat
  set -- -F "$arg_bits" -i "$(printf '%s' "$arg_uuid" | tr -d -)" -S "$arg_sector" -s "$((arg_cluster / arg_sector))"
  [ -z "$arg_label" ] || set -- "$@" -n "$arg_label"
  make_run mkfs.vfat "$@" "$device"
  make_end
}
