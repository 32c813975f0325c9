# keys: max_pause:int
# fenced: yes
# The operator's pause: the same containers and units as a freeze, the same dead-man, a record of its own.

# Set or read elsewhere:
: "${all_thawed-}" "${arg_group-}" "${arg_max_pause-}" "${arg_run-}" "${json-}" "${limit_ms-}" "${problem-}" \
  "${was_fired-}"

# shellcheck source=lib/freeze.sh
. "$RESURGO_LIB/lib/freeze.sh"

verb_main() {
  set +e
  all_thawed='' all_failed='' was_fired=false
  [ ! -e "$RESURGO_VAR/deadman/$arg_group/meta" ] || fail busy "a freeze of group $arg_group is under way on this host: wait for its end"
  rec=$RESURGO_VAR/deadman/$arg_group.hand
  [ ! -e "$rec/meta" ] || thaw_and_remove "$rec"
  [ -z "$all_failed" ] || fail failed 'an older pause can not be reversed' "\"failed\":[$all_failed]"
  deadman_limit "$arg_group" "$arg_max_pause"
  record_new "$arg_group.hand" hand "$arg_group" "$arg_run" 0 "$limit_ms"
  trap 'hand_leave; hostkit_at_exit' EXIT
  hand_paused=no
  containers_list "$arg_group" "$rec"
  units_list "$arg_group" "$rec"
  deadman_arm "$rec" || fail failed 'the dead-man did not start within 5 s: nothing was paused'
  if ! units_pause "$arg_group" "$rec" || ! containers_pause "$arg_group" "$rec"; then fail failed "$problem: everything is thawed"; fi
  hand_paused=yes
  names=''
  while read -r _ _ _ name; do
    json_quote "$name"
    names="$names${names:+,}$json"
  done <"$rec/containers"
  while read -r _ name _; do
    json_quote "$name"
    names="$names${names:+,}$json"
  done <"$rec/units"
  reply "\"paused\":[$names],\"limitMs\":$limit_ms"
}

# hand_leave: whatever refuses the pause half-way leaves nothing paused.
hand_leave() {
  hand_status=$?
  [ "$hand_paused" = yes ] || thaw_and_remove "$rec"
  (exit "$hand_status")
}
