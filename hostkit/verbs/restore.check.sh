# Is the destination of a restore what is meant? Mounted, the pinned device and file system, enough space; what must be protected.
# keys: group:group run:run source:name? path:path? tree:tree? subpath:subpath? fs_uuid:text? real_path:path? expected:int=0

# Set or read elsewhere:
: "${arg_expected-}" "${arg_group-}" "${arg_source-}" "${destination-}" "${destination_root-}" "${json-}" "${snap_problem-}" \
  "${snap_uuid-}" "${src_kind-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/snapshots.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/destination.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/protect.sh"

verb_main() {
  destination_find
  check_at=$destination
  while [ ! -d "$check_at" ]; do check_at=${check_at%/*}; check_at=${check_at:-/}; done
  if [ -n "$arg_real_path" ] && [ "$(readlink -f -- "$destination_root")" != "$arg_real_path" ]; then
    fail identity-changed "$destination_root now leads to $(readlink -f -- "$destination_root"), not to $arg_real_path as when it was enrolled; look at the link"
  fi
  check_facts=$(findmnt -n -o TARGET,SOURCE,FSTYPE,UUID -T "$check_at" -r 2>/dev/null) || fail not-mounted "$check_at lies in no mount; mount it"
  read -r check_mount check_device check_type check_uuid <<FACTS
$check_facts
FACTS
  if [ -n "$arg_source" ]; then
    check_source
  else
    # findmnt knows no UUID where udev doesn't run.
    [ -n "${check_uuid:-}" ] || check_uuid=$(blkid -s UUID -o value "${check_device%%\[*}" 2>/dev/null) || check_uuid=
  fi
  if [ -n "$arg_fs_uuid" ] && [ "$arg_fs_uuid" != "$check_uuid" ]; then
    fail identity-changed "$destination_root lies on the file system ${check_uuid:-without a UUID}, not on $arg_fs_uuid; is its disk mounted?"
  fi
  check_free=$(df -P -k -- "$check_at" | tail -n 1 | awk '{ print $4 }')
  check_free=$((${check_free:-0} * 1024))
  [ "$arg_expected" -le "$check_free" ] || fail no-space "$check_at has $check_free bytes free and the restore needs $arg_expected; make room"
  check_holds=false
  [ ! -d "$destination" ] || [ -z "$(find "$destination" -mindepth 1 -maxdepth 1 -print 2>/dev/null | head -c 1)" ] || check_holds=true
  check_mounts=
  # Kept in a variable: root writes no file where every user may lay a link.
  check_rules=$(destination_mounts)
  while IFS= read -r check_rule; do
    [ -n "$check_rule" ] || continue
    json_quote "${check_rule#- }"
    check_mounts=$check_mounts${check_mounts:+,}$json
  done <<RULES
$check_rules
RULES
  # Also where they do not lie yet: the safety snapshot comes after this.
  ! protect_is_top "$destination" || check_mounts="$check_mounts${check_mounts:+,}\"/.resurgo\""
  json_quote "$destination_root" && check_root=$json
  json_quote "$destination" && check_path=$json
  json_quote "$check_mount" && check_mount=$json
  json_quote "$check_device" && check_device=$json
  reply "\"root\":$check_root,\"destination\":$check_path,\"exists\":$([ -d "$destination" ] && echo true || echo false),\"holds\":$check_holds,\"mountPoint\":$check_mount,\"device\":$check_device,\"fsType\":\"$check_type\",\"fsUuid\":\"$check_uuid\",\"freeBytes\":$check_free,\"protected\":[$check_mounts]"
}

# check_source: sets check_uuid to the source's file system, told apart as a backup does it. A disk that is not mounted leaves a folder of
# another file system behind: that is no place for the data.
check_source() {
  snapshot_source "$arg_group" "$arg_source"
  "snapshot_${src_kind}_filesystem" || fail not-mounted "source $arg_source: $snap_problem"
  check_uuid=$snap_uuid
}
