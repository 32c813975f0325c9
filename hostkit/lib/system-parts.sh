# The parts of a source of kind `system` (snapshots/system.sh): each at work as if it were a source, by the kind that fits it.

# Set or read elsewhere:
: "${LF-}" "${escaped-}" "${line-}" "${lvm_pool-}" "${mount_apart-}" "${mount_device-}" "${mount_parts-}" "${mount_places-}" "${mount_root-}" \
  "${mount_type-}" "${real_path-}" "${snap_problem-}" "${src_apart-}" "${src_below-}" "${src_kind-}" "${src_room-}" "${system_from-}" \
  "${unescaped-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/mount-parts.sh"

# system_scan: sets $system_parts, `KIND POINT SOURCE` of each part. Asked again with nothing mounted or unmounted, it asks no tool: this is done
# while the workloads are paused.
system_scan() {
  mount_parts || return 1
  if [ "${system_scanned-}" = "$src_name $mount_parts" ]; then
    system_parts=$system_found
    return 0
  fi
  system_parts='' _sc_rest=$mount_parts
  while [ -n "$_sc_rest" ]; do
    read -r _sc_point _sc_type _sc_dev _sc_source <<PART
${_sc_rest%%"$LF"*}
PART
    _sc_rest=${_sc_rest#*"$LF"}
    system_kind
    system_parts="$system_parts$system_kind $_sc_point $_sc_source$LF"
  done
  system_scanned="$src_name $mount_parts" system_found=$system_parts
}

# system_kind: sets $system_kind for the mount of $_sc_type from $_sc_source. `snapshot_room: 0%` says that classic LVM snapshots are not wanted.
system_kind() {
  system_kind=none
  case $_sc_type in
    btrfs) system_kind=btrfs ;;
    zfs | fuse.zfs) system_kind=zfs ;;
    ext[234] | xfs)
      read_line "/sys/dev/block/$_sc_dev/dm/uuid" || return 0
      case $line in LVM-*) ;; *) return 0 ;; esac
      mount_type=$_sc_type mount_device=$_sc_source mount_root=/
      lvm_origin || return 0
      if [ -n "$lvm_pool" ]; then system_kind=lvm_thin; elif [ "${src_room:-10}" != 0 ]; then system_kind=lvm; fi
      ;;
  esac
}

# system_each COMMAND…: runs it for each line of $system_parts, with the part at work as if it were a source. Stops at the first that fails,
# with its place named in snap_problem.
system_each() {
  system_source=$src_name system_path=${real_path:-/} system_n=0 system_code=0 _se_parts=$system_parts
  while [ -n "$_se_parts" ]; do
    read -r src_kind system_point system_from <<PART
${_se_parts%%"$LF"*}
PART
    _se_parts=${_se_parts#*"$LF"}
    src_name=$system_source:$system_n
    unescape_mount "$system_point"
    real_path=$unescaped
    system_apart
    if mount_of "$real_path" && "$@"; then
      system_n=$((system_n + 1))
      continue
    fi
    snap_problem="$real_path: ${snap_problem:-nothing is mounted there any more}"
    system_code=1
    break
  done
  src_kind=system src_name=$system_source real_path=$system_path src_below='' src_apart=''
  mount_of "$real_path"
  return "$system_code"
}

# system_apart: sets $src_below and $src_apart for the part at work: places below it that are parts of their own, or left out.
system_apart() {
  src_below=${real_path#/}
  src_below=$src_below${src_below:+/}
  src_apart=''
  for _sa_point in $system_points; do
    unescape_mount "$_sa_point"
    [ "$unescaped" = "$real_path" ] || src_apart=$src_apart${unescaped#/}$LF
  done
}

# system_look: the scan, and $system_points for system_apart.
system_look() {
  system_scan || return 1
  system_points=''
  _sl_rest=$system_parts
  while [ -n "$_sl_rest" ]; do
    read -r _ _sl_point _ <<PART
${_sl_rest%%"$LF"*}
PART
    [ "$_sl_point" = / ] || system_points="$system_points $_sl_point"
    _sl_rest=${_sl_rest#*"$LF"}
  done
  _sl_rest=$mount_places
  while [ -n "$_sl_rest" ]; do
    mount_escape "${_sl_rest%%"$LF"*}"
    system_points="$system_points $escaped"
    _sl_rest=${_sl_rest#*"$LF"}
  done
  system_points="$system_points $(printf '%s' "$mount_apart" | tr '\n' ' ')"
}

# system_parts_of RECORD: the parts of that record, for system_each.
system_parts_of() {
  system_parts='' system_watch='' system_points=''
  while read -r _so_word _so_n _so_kind _so_point _so_from; do
    case $_so_word in
      mount) system_parts="$system_parts$_so_kind $_so_point $_so_from$LF" ;;
      watch) system_watch="$system_watch $_so_n=$_so_kind" ;;
    esac
  done <"$1"
  [ -n "$system_parts" ] || {
    snap_problem='it holds no part'
    return 1
  }
}
