# Makes a volume group of its physical volumes. `members`: one a line, `PV_UUID ALLOCATABLE(0|1) TAG,TAG`, `-` for no tags.
# keys: disks:lines name:text extent:int tags:text? members:lines
# tools: pvs vgs vgcreate vgchange? pvchange?

# Set or read elsewhere:
: "${arg_disks-}" "${arg_extent-}" "${arg_members-}" "${arg_name-}" "${arg_run-}" "${arg_tags-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"

job_main() {
  disks_check "$arg_disks"
  lvm_name_check "$arg_name"
  vg_was='' vg_devices='' vg_closed=''
  ! vgs --noheadings --options vg_name "$arg_name" >/dev/null 2>&1 || vg_was=',"was":true'
  while read -r vg_uuid vg_allocatable _; do
    vg_device=$(pvs --noheadings --options pv_name --select "pv_uuid=$vg_uuid" 2>/dev/null | tr -d ' ')
    [ -n "$vg_device" ] || job_fail not-found "there is no physical volume $vg_uuid"
    # One of that name on disks that are left alone is not this one.
    [ -z "$vg_was" ] || [ "$(pvs --noheadings --options vg_name "$vg_device" 2>/dev/null | tr -d ' ')" = "$arg_name" ] ||
      job_fail exists "another volume group is called $arg_name, on disks that are left alone: rename it (vgrename) or take its disks out, and repeat this step"
    vg_devices="$vg_devices $vg_device"
    [ "$vg_allocatable" = 1 ] || vg_closed="$vg_closed$vg_uuid "
  done <<MEMBERS
$arg_members
MEMBERS
  if [ -z "$vg_was" ]; then
    # shellcheck disable=SC2086 # Nodes.
    vgcreate --yes --quiet --physicalextentsize "${arg_extent}b" "$arg_name" $vg_devices >vg.out 2>&1 ||
      job_fail failed "volume group $arg_name can not be made: $(tail -n 3 vg.out | tr '\n' ' ')"
  fi
  for vg_tag in $(printf '%s' "$arg_tags" | tr , ' '); do vgchange --quiet --addtag "$vg_tag" "$arg_name" >/dev/null 2>&1 || job_fail failed "tag $vg_tag of $arg_name can not be set"; done
  while read -r vg_uuid _ vg_tags; do
    [ "$vg_tags" != - ] || continue
    vg_device=$(pvs --noheadings --options pv_name --select "pv_uuid=$vg_uuid" 2>/dev/null | tr -d ' ')
    for vg_tag in $(printf '%s' "$vg_tags" | tr , ' '); do pvchange --quiet --addtag "$vg_tag" "$vg_device" >/dev/null 2>&1 || job_fail failed "tag $vg_tag of $vg_device can not be set"; done
  done <<MEMBERS
$arg_members
MEMBERS
  # A physical volume that nothing more is put on: its volumes come first, so that it is set when all is done (new-unmount).
  mkdir -p "$RESURGO_VAR/runs/$arg_run/made"
  atomic_put "$RESURGO_VAR/runs/$arg_run/made/closed.$arg_name" "$vg_closed"
  job_result "\"group\":\"$arg_name\"$vg_was"
}
