# keys: phase:word(before|after) name:name
# fenced: yes
# Runs one configured hook. From before a "before" until its "after" a dead-man stands ready to run the "after" itself (S2): for the
# hook's own time-out and ten minutes more, in which the freeze has to happen.

# Set or read elsewhere:
: "${arg_group-}" "${arg_name-}" "${arg_phase-}" "${arg_run-}" "${json-}"

# shellcheck source=lib/freeze.sh
. "$RESURGO_LIB/lib/freeze.sh"

HOOK_SPARE_MS=600000

verb_main() {
  set +e
  hook_command=''
  config_each hook "$arg_group" hook_take
  rec=$RESURGO_VAR/deadman/$arg_group.hooks
  if [ -z "$hook_command" ]; then
    [ "$arg_phase" = after ] || fail not-found "this host allows no hook '$arg_name' before a freeze of group $arg_group: enrol it again"
  elif [ "$arg_phase" = before ]; then
    hook_before
  fi
  said='' hook_status=0
  if [ -n "$hook_command" ]; then
    said=$(timeout -k 5 "$hook_timeout" "$hook_command" "$arg_phase" "$arg_group" "$arg_run" </dev/null 2>&1)
    hook_status=$?
    [ "${#said}" -le 2000 ] || said=$(printf '%s' "$said" | tail -c 2000)
  fi
  json_quote "$said"
  [ "$hook_status" -eq 0 ] || fail failed "hook $arg_name ($arg_phase) ended with exit $hook_status; see its output" "\"exit\":$hook_status,\"tail\":$json"
  hook_answer="\"exit\":0,\"tail\":$json"
  [ "$arg_phase" = before ] || hook_done
  reply "$hook_answer"
}

hook_take() {
  [ "$2" = "$arg_phase" ] && [ "$3" = "$arg_name" ] || return 0
  hook_timeout=$4 hook_command=$5
}

# hook_before: noted before it runs; each "before" moves the dead-man's limit.
hook_before() {
  hook_names=''
  [ -s "$rec/hooks" ] && hook_names=$(grep -vx "$arg_name" "$rec/hooks")
  deadman_disarm "$rec"
  record_new "$arg_group.hooks" hooks "$arg_group" "$arg_run" 0 $((hook_timeout * 1000 + HOOK_SPARE_MS))
  printf '%s\n' ${hook_names:+"$hook_names"} "$arg_name" | atomic_write "$rec/hooks"
  deadman_arm "$rec" || fail failed 'the dead-man did not start within 5 s: the hook was not run'
}

# hook_done: the last "after" ends the record.
hook_done() {
  [ -e "$rec/meta" ] || return 0
  grep -vx "$arg_name" "$rec/hooks" | atomic_write "$rec/hooks"
  [ -s "$rec/hooks" ] || {
    deadman_disarm "$rec"
    record_remove "$rec"
  }
}
