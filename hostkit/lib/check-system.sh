# What `check` says of a whole machine (snapshots/system.sh), and what the sources of a host cover.

# Set or read elsewhere:
: "${LF-}" "${check_parts-}" "${covered-}" "${covered_mounts-}" "${free-}" "${json-}" "${mount_device-}" "${mount_parts-}" "${mount_point-}" "${mount_skipped-}" \
  "${mount_twice-}" "${mount_type-}" "${real_path-}" "${snap_problem-}" "${snap_uuid-}" "${src_group-}" "${src_kind-}" "${src_name-}" \
  "${system_parts-}" "${system_uuid-}" "${unescaped-}" "${used-}"

# check_system: the parts of a whole machine, and what is left out of it with the reason.
check_system() {
  system_each check_part || problem_add "$snap_problem"
  snap_uuid=$system_uuid
  system_tell "$mount_skipped"
  system_tell "$mount_twice"
}
check_part() {
  "snapshot_${src_kind}_filesystem" || return 1
  json_quote "$real_path"
  check_parts="$check_parts${check_parts:+,}{\"path\":$json,\"kind\":\"$src_kind\",\"fsType\":\"$mount_type\""
  json_quote "$snap_uuid"
  check_parts="$check_parts,\"fsUuid\":$json}"
}

# check_system_space: of all parts; what is free is so at `/`.
check_system_space() {
  check_counted=' '
  [ -n "$system_parts" ] || return 0
  system_each check_part_space || problem_add "$snap_problem"
  read -r _ _ _ free _ <<EOF
$(df -Pk -- / 2>/dev/null | tail -n 1)
EOF
  free=$((${free:-0} * 1024))
}
check_part_space() {
  case $check_counted in *" $mount_device "*) return 0 ;; esac
  check_counted="$check_counted$mount_device "
  read -r _ _ check_used _ <<EOF
$(df -Pk -- "$real_path" 2>/dev/null | tail -n 1)
EOF
  used=$((used + ${check_used:-0} * 1024))
}

check_covered() {
  if [ "$3" = system ]; then
    check_covered_whole "$1" "$2"
    return
  fi
  _cc_path=$(readlink -f -- "$4" 2>/dev/null)
  [ -z "$_cc_path" ] || covered=$covered$_cc_path$LF
}

# check_covered_whole GROUP NAME: adds to $covered_mounts the mounts that a whole machine holds, once or more.
check_covered_whole() {
  src_group=$1 src_name=$2
  mount_parts || return 0
  while read -r _cw_point _; do
    [ -n "$_cw_point" ] || continue
    unescape_mount "$_cw_point"
    covered_mounts=$covered_mounts$unescaped$LF
  done <<EOF
$mount_parts$mount_twice
$(printf '%s' "$mount_skipped" | grep -e '^[^ ]* an image file shows it' -e '^[^ ]* the backup store' -e '^[^ ]* a backup store')
EOF
}

# is_covered PATH: does it lie in a source, or in a mount that a whole machine holds?
is_covered() {
  if [ -n "$covered_mounts" ]; then
    # The caller's own.
    _ic_unescaped=$unescaped
    mount_of "$1"
    unescaped=$_ic_unescaped
    case $LF$covered_mounts in *"$LF$mount_point$LF"*) return 0 ;; esac
  fi
  _ic_rest=$covered
  while [ -n "$_ic_rest" ]; do
    _ic_one=${_ic_rest%%"$LF"*}
    _ic_rest=${_ic_rest#*"$LF"}
    case $1/ in "${_ic_one%/}"/*) return 0 ;; esac
  done
  return 1
}
