# Makes a volume group of its physical volumes. `members`: one a line, `PV_UUID ALLOCATABLE(0|1) TAG,TAG`, `-` for no tags.
# keys: disks:lines name:text extent:int tags:text? members:lines

# Set or read elsewhere:
: "${arg_disks-}" "${arg_extent-}" "${arg_members-}" "${arg_name-}" "${arg_tags-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"

job_main() {
  disks_check "$arg_disks"
  lvm_name_check "$arg_name"
  vg_devices=''
  while read -r vg_uuid _ _; do
    vg_device=$(pvs --noheadings --options pv_name --select "pv_uuid=$vg_uuid" 2>/dev/null | tr -d ' ')
    [ -n "$vg_device" ] || job_fail not-found "there is no physical volume $vg_uuid"
    vg_devices="$vg_devices $vg_device"
  done <<MEMBERS
$arg_members
MEMBERS
  if ! vgs --noheadings --options vg_name "$arg_name" >/dev/null 2>&1; then
    # shellcheck disable=SC2086 # Nodes.
    vgcreate --yes --quiet --physicalextentsize "${arg_extent}b" "$arg_name" $vg_devices >vg.out 2>&1 ||
      job_fail failed "volume group $arg_name can not be made: $(tail -n 3 vg.out | tr '\n' ' ')"
  fi
  for vg_tag in $(printf '%s' "$arg_tags" | tr , ' '); do vgchange --quiet --addtag "$vg_tag" "$arg_name" >/dev/null 2>&1 || job_fail failed "tag $vg_tag of $arg_name can not be set"; done
  while read -r vg_uuid vg_allocatable vg_tags; do
    vg_device=$(pvs --noheadings --options pv_name --select "pv_uuid=$vg_uuid" 2>/dev/null | tr -d ' ')
    [ "$vg_tags" = - ] || for vg_tag in $(printf '%s' "$vg_tags" | tr , ' '); do pvchange --quiet --addtag "$vg_tag" "$vg_device" >/dev/null 2>&1 || job_fail failed "tag $vg_tag of $vg_device can not be set"; done
    : "$vg_allocatable"
  done <<MEMBERS
$arg_members
MEMBERS
  job_result "\"group\":\"$arg_name\""
}
