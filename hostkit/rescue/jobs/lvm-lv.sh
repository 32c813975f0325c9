# Makes a logical volume where its data lay. `areas`: one a line, in the order of the data, `PV_UUID START_EXTENT EXTENTS`.
# keys: disks:lines lv_group:text name:text extents:int tags:text? type:text=linear stripes:int=1 stripe_bytes:int=0 mirrors:int=0
# keys: region_bytes:int=0 areas:lines? pool:text? virtual_bytes:int=0 chunk_bytes:int=0 metadata_bytes:int=0 discards:text? zero:bool=1
# tools: lvs pvs lvcreate lvchange thin_check?

# Set or read elsewhere:
: "${arg_areas-}" "${arg_chunk_bytes-}" "${arg_discards-}" "${arg_disks-}" "${arg_extents-}" "${arg_lv_group-}" "${arg_metadata_bytes-}" "${arg_mirrors-}" \
  "${arg_name-}" "${arg_pool-}" "${arg_region_bytes-}" "${arg_stripe_bytes-}" "${arg_stripes-}" "${arg_tags-}" "${arg_type-}" \
  "${arg_virtual_bytes-}" "${arg_zero-}" "${LF-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"

job_main() {
  disks_check "$arg_disks"
  lvm_name_check "$arg_lv_group"
  lvm_name_check "$arg_name"
  case $arg_type in linear | striped | raid* | mirror | thin-pool | thin) ;; *) job_fail bad-request "volumes of type $arg_type are not made" ;; esac
  case $arg_type in *[!a-z0-9_-]*) job_fail bad-request 'a type is a word' ;; esac
  # By an attempt whose answer was lost, or which was killed before the volume was active: the group is this run's own (lvm-pv).
  if lvs --noheadings --options lv_name "$arg_lv_group/$arg_name" >/dev/null 2>&1; then
    lvchange --quiet --activate y "$arg_lv_group/$arg_name" >lv.out 2>&1 || job_fail failed "volume $arg_lv_group/$arg_name does not start: $(tail -n 3 lv.out | tr '\n' ' ')"
    job_result "\"device\":\"/dev/$arg_lv_group/$arg_name\",\"was\":true"
    return
  fi
  set -- --yes --quiet --name "$arg_name"
  case $arg_type in
    thin) set -- "$@" --type thin --virtualsize "${arg_virtual_bytes}b" --thinpool "$arg_pool" ;;
    thin-pool)
      set -- "$@" --type thin-pool --extents "$arg_extents" --chunksize "${arg_chunk_bytes}b" --poolmetadatasize "${arg_metadata_bytes}b"
      [ -z "$arg_discards" ] || set -- "$@" --discards "$arg_discards"
      if [ "$arg_zero" = 1 ]; then set -- "$@" --zero y; else set -- "$@" --zero n; fi
      ;;
    *)
      # Thin ones begin empty, and lvcreate takes the option for none of them.
      set -- "$@" --type "$arg_type" --extents "$arg_extents" --wipesignatures n
      [ "$arg_stripes" -le 1 ] || set -- "$@" --stripes "$arg_stripes"
      [ "$arg_stripe_bytes" = 0 ] || [ "$arg_stripes" -le 1 ] || set -- "$@" --stripesize "${arg_stripe_bytes}b"
      [ "$arg_mirrors" = 0 ] || set -- "$@" --mirrors "$arg_mirrors"
      [ "$arg_region_bytes" = 0 ] || set -- "$@" --regionsize "${arg_region_bytes}b"
      # Copies and parity are brought in step in the background, as those of an array: without, a failed disk would cost data.
      set -- "$@" --zero y
      ;;
  esac
  for lv_tag in $(printf '%s' "$arg_tags" | tr , ' '); do set -- "$@" --addtag "$lv_tag"; done
  set -- "$@" "$arg_lv_group"
  lv_rest=$arg_areas
  while [ -n "$lv_rest" ]; do
    lv_line=${lv_rest%%"$LF"*}
    case $lv_rest in *"$LF"*) lv_rest=${lv_rest#*"$LF"} ;; *) lv_rest= ;; esac
    read -r lv_uuid lv_start lv_length <<LINE
$lv_line
LINE
    lv_device=$(pvs --noheadings --options pv_name --select "pv_uuid=$lv_uuid" 2>/dev/null | tr -d ' ')
    [ -n "$lv_device" ] || job_fail not-found "there is no physical volume $lv_uuid"
    case $lv_start$lv_length in *[!0-9]*) job_fail bad-request 'an area is a UUID and two numbers' ;; esac
    set -- "$@" "$lv_device:$lv_start-$((lv_start + lv_length - 1))"
  done
  lvcreate "$@" >lv.out 2>&1 || job_fail failed "volume $arg_lv_group/$arg_name can not be made: $(tail -n 3 lv.out | tr '\n' ' ')"
  job_result "\"device\":\"/dev/$arg_lv_group/$arg_name\""
}
