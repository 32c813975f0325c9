# Makes a btrfs on one or several devices, in the order of its members: profiles, features, identity.
# keys: on:lines disks:lines uuid:text label:text? node:int sector:int features:text? runtime:text? checksum:word(crc32c|xxhash|sha256|blake2)=crc32c
# keys: data:word(single|dup|raid0|raid1|raid1c3|raid1c4|raid10|raid5|raid6) metadata:word(single|dup|raid0|raid1|raid1c3|raid1c4|raid10|raid5|raid6)
# tools: blkid wipefs mkfs.btrfs btrfs

# Set or read elsewhere:
: "${arg_checksum-}" "${arg_data-}" "${arg_disks-}" "${arg_features-}" "${arg_label-}" "${arg_metadata-}" "${arg_node-}" "${arg_on-}" "${arg_run-}" \
  "${arg_runtime-}" "${arg_sector-}" "${arg_uuid-}" "${device-}" "${device_why-}" "${line-}" "${LF-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"

job_main() {
  disks_check "$arg_disks"
  case $arg_features$arg_runtime in *[!a-z0-9,^-]*) job_fail bad-request 'features are names with commas' ;; esac
  btrfs_mark=$RESURGO_VAR/runs/$arg_run/made/btrfs.$arg_uuid
  btrfs_devices='' btrfs_rest=$arg_on
  while [ -n "$btrfs_rest" ]; do
    btrfs_line=${btrfs_rest%%"$LF"*}
    case $btrfs_rest in *"$LF"*) btrfs_rest=${btrfs_rest#*"$LF"} ;; *) btrfs_rest= ;; esac
    device_find "$btrfs_line"
    btrfs_devices="$btrfs_devices $device"
  done
  # The kernel must hear of every member: without its module nobody listens, and mounting knows of the named one alone.
  modprobe -q btrfs 2>/dev/null || :
  # Made whole by this run: the mark says so. A half-made one may have its UUID too.
  if [ -e "$btrfs_mark" ] && [ "$(blkid -p -o value -s UUID "$device" 2>/dev/null)" = "$arg_uuid" ]; then
    btrfs_announce
    job_result '"was":true'
    return
  fi
  for device in $btrfs_devices; do
    ! device_busy "$device" || job_fail busy "$device_why: nothing was made on it"
    wipefs --all --force --quiet "$device" || job_fail failed "old signatures on $device can not be wiped"
  done
  set -- --force --quiet --uuid "$arg_uuid" --nodesize "$arg_node" --sectorsize "$arg_sector" --checksum "$arg_checksum" --data "$arg_data" --metadata "$arg_metadata"
  [ -z "$arg_label" ] || set -- "$@" --label "$arg_label"
  [ -z "$arg_features" ] || set -- "$@" --features "$arg_features"
  [ -z "$arg_runtime" ] || set -- "$@" --runtime-features "$arg_runtime"
  # shellcheck disable=SC2086 # Nodes.
  timeout 600 mkfs.btrfs "$@" $btrfs_devices >make.out 2>&1 </dev/null || job_fail failed "mkfs.btrfs can not make it on$btrfs_devices: $(tail -n 3 make.out | tr '\n' ' ')"
  btrfs_announce
  mkdir -p "${btrfs_mark%/*}"
  atomic_put "$btrfs_mark" "$arg_uuid"
  job_result '"was":false'
}

btrfs_announce() {
  # shellcheck disable=SC2086 # Nodes.
  btrfs device scan $btrfs_devices >scan.out 2>&1 || job_fail failed "the kernel can not be told of the devices$btrfs_devices: $(tail -n 3 scan.out | tr '\n' ' ')"
}
