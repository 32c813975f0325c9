# Makes a logical volume read-only again, once its data is there. Where it is mounted, its file system is first: what it still would write
# could not reach the volume.
# keys: lv_group:text name:text
# tools: lvs lvchange

# Set or read elsewhere:
: "${arg_lv_group-}" "${arg_name-}" "${device-}" "${encoded-}" "${unescaped-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"

job_main() {
  lvm_name_check "$arg_lv_group"
  lvm_name_check "$arg_name"
  encode "$arg_lv_group" && ro_words="lv $encoded"
  encode "$arg_name" && ro_words="$ro_words $encoded"
  device_find "$ro_words"
  case $(lvs --noheadings --options lv_permissions "$arg_lv_group/$arg_name" 2>/dev/null | tr -d ' ') in
    read-only)
      job_result "\"device\":\"$device\",\"was\":true"
      return
      ;;
  esac
  ro_number=$(stat -Lc '%t %T' "$device")
  ro_number=$((0x${ro_number% *})):$((0x${ro_number#* }))
  while read -r _ _ ro_mounted _ ro_point _ <&6; do
    [ "$ro_mounted" = "$ro_number" ] || continue
    unescape_mount "$ro_point"
    nsenter --mount=/proc/1/ns/mnt mount -o remount,ro "$unescaped" 2>ro.out || job_fail busy "$unescaped can not be mounted read-only: $(tail -n 1 ro.out)"
  done 6</proc/1/mountinfo
  lvchange --yes --permission r "$arg_lv_group/$arg_name" >ro.out 2>&1 || job_fail failed "volume $arg_lv_group/$arg_name can not be made read-only: $(tail -n 3 ro.out | tr '\n' ' ')"
  job_result "\"device\":\"$device\""
}
