# What all steps have in common that make a file system or swap on a device: the disks of the plan, nothing in use, not made twice, seen made.

# Set or read elsewhere:
: "${arg_disks-}" "${arg_on-}" "${arg_run-}" "${arg_uuid-}" "${device-}" "${device_why-}" "${line-}"

# make_begin TYPE: sets $device. Ends the job as done where it holds that very file system already, made whole by this run (the mark says so):
# a half-made one may have its UUID too, and is made again.
make_begin() {
  disks_check "$arg_disks"
  device_find "$arg_on"
  make_type=$1
  make_mark=$RESURGO_VAR/runs/$arg_run/made/$(printf '%s' "$arg_on" | sha256sum | cut -c1-16)
  if read_line "$make_mark" && [ "$line" = "$1 $arg_uuid" ] && make_is; then
    job_result "\"device\":\"$device\",\"was\":true"
    exit 0
  fi
  ! device_busy "$device" || job_fail busy "$device_why: nothing was made on it"
  rm -f "$make_mark"
  wipefs --all --force --quiet "$device" || job_fail failed "old signatures on $device can not be wiped"
}

# make_is: does blkid see that type with that UUID there?
make_is() {
  [ "$(blkid -p -o value -s TYPE "$device" 2>/dev/null)" = "$make_type" ] || return 1
  [ "$(blkid -p -o value -s UUID "$device" 2>/dev/null | tr A-F a-f)" = "$(printf '%s' "$arg_uuid" | tr A-F a-f)" ]
}

# make_run COMMAND…: makes it, with what it says kept for the error.
make_run() {
  timeout 3600 "$@" >make.out 2>&1 </dev/null || job_fail failed "${1##*/} can not make the $make_type on $device: $(tail -n 4 make.out | tr '\n' ' ')"
}

# make_end: seen made, and marked so.
make_end() {
  sync -f / 2>/dev/null || :
  blockdev --flushbufs "$device" || job_fail failed "$device can not be flushed"
  [ -z "$arg_uuid" ] || make_is || job_fail failed "$device does not show the $make_type $arg_uuid that was made on it"
  mkdir -p "${make_mark%/*}"
  atomic_put "$make_mark" "$make_type $arg_uuid"
  job_result "\"device\":\"$device\""
}
