# keys: group:group
# What of ours exists on this host now: at its sources, and where records name another place; a restore's safety snapshots
# say until when they are kept.

# Set or read elsewhere:
: "${arg_group-}" "${json-}" "${safety_until-}" "${source_names-}" "${src_group-}" "${src_kind-}" "${src_name-}"

# shellcheck source=lib/freeze.sh
. "$RESURGO_LIB/lib/freeze.sh"

verb_main() {
  set +e
  found='' seen=' ' snap_places=$LF
  source_names "$arg_group"
  for name in $source_names; do
    config_source "$arg_group" "$name" || continue
    src_group=$arg_group
    if snapshot_resolve; then "snapshot_${src_kind}_places" snapshots_tell || :; fi
  done
  snapshots_lost "$arg_group" snapshots_tell
  reply "\"snapshots\":[$found]"
}

# snapshots_tell: adds those of the source or place that its kind has open.
snapshots_tell() {
  listed=$("snapshot_${src_kind}_list" "$arg_group")
  while read -r s_run s_freeze s_name s_created s_used; do
    [ -n "$s_run" ] || continue
    # Sources of one file system see each other's snapshots, and a nested subvolume has one of its own: a line for each source.
    s_source=$src_name
    [ "$src_kind" != btrfs ] || { s_source=${s_name##*/} && s_source=${s_source%%+*}; }
    s_source=${s_source%%:*}
    case $seen in *" $s_source/$s_run/$s_freeze "*) continue ;; esac
    seen="$seen$s_source/$s_run/$s_freeze "
    s_size=''
    [ "$s_used" = -1 ] || s_size=",\"usedBytes\":$s_used"
    s_safety=''
    ! safety_until "$arg_group" "$s_run" "$s_freeze" || s_safety=",\"safety\":true,\"keepUntilMs\":$safety_until"
    json_quote "$s_name"
    found="$found${found:+,}{\"source\":\"$s_source\",\"run\":\"$s_run\",\"freeze\":$s_freeze,\"kind\":\"$src_kind\",\"name\":$json,\"createdMs\":$s_created$s_size$s_safety}"
  done <<EOF
$listed
EOF
}
