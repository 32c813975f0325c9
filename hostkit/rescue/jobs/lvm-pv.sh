# Makes a physical volume with the UUID that it had, and room before its data as it was. Found there as it should be, it is this run's own
# only if this run has marked it: under an array or an encrypted volume that came back as it was, the old one may show again, with its volumes.
# keys: on:text disks:lines uuid:text data_offset:int
# tools: wipefs pvs pvcreate

# Set or read elsewhere:
: "${arg_data_offset-}" "${arg_disks-}" "${arg_on-}" "${arg_run-}" "${arg_uuid-}" "${device-}" "${device_why-}" "${line-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"

job_main() {
  disks_check "$arg_disks"
  device_find "$arg_on"
  case $arg_uuid in *[!A-Za-z0-9-]*) job_fail bad-request 'the UUID of a physical volume is letters, digits and dashes' ;; esac
  pv_mark=$RESURGO_VAR/runs/$arg_run/made/pv.$arg_uuid
  if read_line "$pv_mark" && [ "$line" = "$arg_on" ] && pv_is; then
    job_result "\"device\":\"$device\",\"was\":true"
    return
  fi
  ! device_busy "$device" || job_fail busy "$device_why: no physical volume was made"
  wipefs --all --force --quiet "$device" || job_fail failed "old signatures on $device can not be wiped"
  pvcreate --yes --force --force --quiet --uuid "$arg_uuid" --norestorefile --dataalignment "${arg_data_offset}b" "$device" >pv.out 2>&1 ||
    job_fail failed "$device can not be made a physical volume: $(tail -n 3 pv.out | tr '\n' ' ')"
  pv_is || job_fail failed "$device does not show physical volume $arg_uuid, which was made on it"
  mkdir -p "${pv_mark%/*}"
  atomic_put "$pv_mark" "$arg_on"
  job_result "\"device\":\"$device\""
}

pv_is() { [ "$(pvs --noheadings --options pv_uuid "$device" 2>/dev/null | tr -d ' ')" = "$arg_uuid" ]; }
