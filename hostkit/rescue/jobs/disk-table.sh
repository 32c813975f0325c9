# Writes a partition table, as the plan has it, and has the kernel see it. `script` is sfdisk's own format, base64.
# keys: on:text disks:lines sector:int script:b64 count:int
# tools: sfdisk partx

# Set or read elsewhere:
: "${arg_count-}" "${arg_disks-}" "${arg_on-}" "${arg_script-}" "${arg_sector-}" "${device-}" "${device_why-}" "${line-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"

job_main() {
  disks_check "$arg_disks"
  device_find "$arg_on"
  read_line "/sys/class/block/${device##*/}/queue/logical_block_size"
  [ "$line" = "$arg_sector" ] || job_fail identity-changed "$device has sectors of $line bytes, the plan is for $arg_sector: nothing was written"
  printf '%s' "$arg_script" | base64 -d >script || job_fail bad-request 'the table is not base64'
  # Done before, by an attempt whose answer was lost? Then the partitions may hold something already.
  if table_same; then
    job_result "\"device\":\"$device\",\"was\":true"
    return
  fi
  ! device_busy "$device" || job_fail busy "$device_why: no table was written"
  sfdisk --quiet --wipe always --wipe-partitions always --no-reread --no-tell-kernel "$device" <script >sfdisk.out 2>&1 ||
    job_fail failed "sfdisk can not write the table of $device: $(tail -n 3 sfdisk.out | tr '\n' ' ')"
  partx -d "$device" 2>/dev/null || :
  partx -a "$device" 2>partx.out || job_fail failed "the kernel does not take the new table of $device: $(cat partx.out)"
  table_same || job_fail failed "$device does not show the partitions that were written"
  job_result "\"device\":\"$device\""
}

# table_same: do the disk's table and the kernel's partitions hold what the script says?
table_same() {
  sfdisk --dump "$device" 2>/dev/null | sed -n "s|^${device}[^:]* : *||p" | tr -d ' ' | sort >have
  sed -n 's/^[0-9]* *: *//p' script | tr -d ' ' | sort >want
  cmp -s have want || return 1
  table_seen=0
  for table_part in "/sys/class/block/${device##*/}/${device##*/}"*; do
    [ -e "$table_part/partition" ] && table_seen=$((table_seen + 1))
  done
  [ "$table_seen" = "$arg_count" ]
}
