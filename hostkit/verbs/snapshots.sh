# keys: group:group
# What of ours exists on this host's own sources now.

# Set or read elsewhere:
: "${arg_group-}" "${json-}" "${source_names-}" "${src_group-}" "${src_kind-}"

# shellcheck source=lib/freeze.sh
. "$RESURGO_LIB/lib/freeze.sh"

verb_main() {
  set +e
  found=''
  source_names "$arg_group"
  for name in $source_names; do
    config_source "$arg_group" "$name" || continue
    src_group=$arg_group
    if ! snapshot_resolve || ! "snapshot_${src_kind}_identity"; then continue; fi
    listed=$("snapshot_${src_kind}_list" "$arg_group")
    while read -r s_run s_freeze s_name s_created s_used; do
      [ -n "$s_run" ] || continue
      s_size=''
      [ "$s_used" = -1 ] || s_size=",\"usedBytes\":$s_used"
      json_quote "$s_name"
      found="$found${found:+,}{\"source\":\"$name\",\"run\":\"$s_run\",\"freeze\":$s_freeze,\"kind\":\"$src_kind\",\"name\":$json,\"createdMs\":$s_created$s_size}"
    done <<EOF
$listed
EOF
    "snapshot_${src_kind}_close"
  done
  reply "\"snapshots\":[$found]"
}
