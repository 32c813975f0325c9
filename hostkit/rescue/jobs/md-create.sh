# Makes a software RAID as it was: level, metadata, UUID, layout, chunk, size and place of the data on each member. A member that is `missing`
# stays so. The members' copies are brought in step by the kernel in the background.
# keys: disks:lines device:name name:text? homehost:text? uuid:text level:word(linear|raid0|raid1|raid4|raid5|raid6|raid10) metadata:text
# keys: layout:text? chunk_kib:int=0 component_kib:int=0 data_offset_kib:int=0 bitmap:word(internal|none)=none members:lines spares:lines?
# tools: wipefs mdadm

# Set or read elsewhere:
: "${arg_bitmap-}" "${arg_chunk_kib-}" "${arg_component_kib-}" "${arg_data_offset_kib-}" "${arg_device-}" "${arg_disks-}" "${arg_homehost-}" "${arg_layout-}" "${arg_level-}" \
  "${arg_members-}" "${arg_metadata-}" "${arg_name-}" "${arg_run-}" "${arg_spares-}" "${arg_uuid-}" "${device-}" "${device_why-}" "${LF-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"

job_main() {
  MDADM_NO_UDEV=1
  export MDADM_NO_UDEV
  disks_check "$arg_disks"
  case $arg_uuid in *[!0-9a-f:]*) job_fail bad-request 'the UUID of an array is hex digits and colons' ;; esac
  case $arg_metadata in 0.90 | 1.0 | 1.1 | 1.2) ;; *) job_fail bad-request "metadata $arg_metadata is none of md's" ;; esac
  md_mark=$RESURGO_VAR/runs/$arg_run/made/md.$arg_uuid
  if md_runs; then
    if [ -e "$md_mark" ]; then job_result "\"device\":\"$device\",\"was\":true" && return; fi
    # Of an attempt that was killed, or the old one of these disks: it is made anew, so that it holds nothing.
    mdadm --stop "$device" >md.out 2>&1 || job_fail busy "array $arg_uuid runs as $device and can not be stopped: $(tail -n 3 md.out | tr '\n' ' ')"
  fi
  md_devices='' md_count=0 md_spares=0
  md_each "$arg_members" member
  md_each "$arg_spares" spare
  modprobe -q "$arg_level" 2>/dev/null || :
  set -- --create "/dev/$arg_device" --run --force --metadata="$arg_metadata" --level="$arg_level" --uuid="$arg_uuid" --raid-devices="$md_count"
  [ "$md_spares" = 0 ] || set -- "$@" --spare-devices="$md_spares"
  [ "$arg_metadata" = 0.90 ] || [ -z "$arg_name" ] || set -- "$@" --name="$arg_name" --homehost="${arg_homehost:-<none>}"
  [ -z "$arg_layout" ] || set -- "$@" --layout="$arg_layout"
  [ "$arg_chunk_kib" = 0 ] || set -- "$@" --chunk="$arg_chunk_kib"
  [ "$arg_component_kib" = 0 ] || set -- "$@" --size="$arg_component_kib"
  # What mdadm would choose itself grows with the device, and leaves too little for the size that the array had.
  [ "$arg_data_offset_kib" = 0 ] || set -- "$@" --data-offset="${arg_data_offset_kib}K"
  case $arg_level in linear | raid0) ;; *) set -- "$@" --bitmap="$arg_bitmap" ;; esac
  # shellcheck disable=SC2086 # Nodes of our own finding.
  mdadm "$@" $md_devices >md.out 2>&1 </dev/null || job_fail failed "mdadm can not make array $arg_device: $(tail -n 3 md.out | tr '\n' ' ')"
  md_runs || job_fail failed "array $arg_uuid was made and does not run"
  # Its data lie where the old one's did: what was on it shows again.
  wipefs --all --force --quiet "$device" || job_fail failed "old signatures on $device can not be wiped"
  mkdir -p "${md_mark%/*}"
  atomic_put "$md_mark" made
  job_result "\"device\":\"$device\""
}

# md_runs: is that array there already, made by an attempt whose answer was lost? Sets $device.
md_runs() {
  for md_path in /sys/block/md*; do
    [ -e "$md_path/md/array_state" ] || continue
    [ "$(mdadm --detail --export "/dev/${md_path##*/}" 2>/dev/null | sed -n 's/^MD_UUID=//p')" = "$arg_uuid" ] || continue
    device=/dev/${md_path##*/}
    return 0
  done
  return 1
}

# md_each LINES member|spare: adds each to $md_devices and counts.
md_each() {
  md_rest=$1
  while [ -n "$md_rest" ]; do
    md_line=${md_rest%%"$LF"*}
    case $md_rest in *"$LF"*) md_rest=${md_rest#*"$LF"} ;; *) md_rest= ;; esac
    [ "$2" = spare ] && md_spares=$((md_spares + 1)) || md_count=$((md_count + 1))
    if [ "$md_line" = missing ]; then
      md_devices="$md_devices missing"
      continue
    fi
    device_find "$md_line"
    ! device_busy "$device" || job_fail busy "$device_why: no array was made"
    wipefs --all --force --quiet "$device" || job_fail failed "old signatures on $device can not be wiped"
    md_devices="$md_devices $device"
  done
}
