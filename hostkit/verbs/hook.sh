# keys: phase:word(before|after) name:name
# fenced: yes
# Runs one configured hook. From before a "before" until its "after" a dead-man stands ready to run the "after" itself (S2): for the
# hook's own time-out and ten minutes more, in which the freeze has to happen. The hooks of a group run one at a time: what an earlier
# attempt has started, whose director was lost, ends first.

# Set or read elsewhere:
: "${arg_group-}" "${arg_name-}" "${arg_phase-}" "${arg_run-}" "${json-}" "${rec_run-}"

# shellcheck source=lib/freeze.sh
. "$RESURGO_LIB/lib/freeze.sh"

HOOK_SPARE_MS=600000

verb_main() {
  set +e
  hook_command='' hook_longest=0 hook_fired=''
  config_each hook "$arg_group" hook_take
  rec=$RESURGO_VAR/deadman/$arg_group.hooks
  fates=$RESURGO_VAR/runs/$arg_run/hooks
  hook_alone
  if [ -z "$hook_command" ]; then
    [ "$arg_phase" = after ] || fail not-found "this host allows no hook '$arg_name' before a freeze of group $arg_group: enrol it again"
  elif [ "$arg_phase" = before ]; then
    hook_before
  fi
  [ "$arg_phase" = before ] || hook_fate
  said='' hook_status=0
  if [ -n "$hook_command" ]; then
    said=$(timeout -k 5 "$hook_timeout" "$hook_command" "$arg_phase" "$arg_group" "$arg_run" </dev/null 2>&1 9>&-)
    hook_status=$?
    [ "${#said}" -le 2000 ] || said=$(printf '%s' "$said" | tail -c 2000)
  fi
  json_quote "$said"
  [ "$hook_status" -eq 0 ] || fail failed "hook $arg_name ($arg_phase) ended with exit $hook_status; see its output" "\"exit\":$hook_status,\"tail\":$json"
  hook_answer="\"exit\":0,\"tail\":$json,\"deadmanFired\":${hook_fired:-false}"
  [ "$arg_phase" = before ] || hook_done
  reply "$hook_answer"
}

hook_take() {
  [ "$4" -le "$hook_longest" ] || hook_longest=$4
  [ "$2" = "$arg_phase" ] && [ "$3" = "$arg_name" ] || return 0
  hook_timeout=$4 hook_command=$5
}

# hook_alone: holds the group's lock until this request ends; whoever holds it now is ended by its own time-out. The programs don't
# inherit it: what one leaves running must not hold up the next backup.
hook_alone() {
  own_dir "$RESURGO_VAR/lock"
  exec 9>>"$RESURGO_VAR/lock/hooks-$arg_group"
  hook_waited=0
  until flock -n 9; do
    [ "$hook_waited" -le $((hook_longest + 10)) ] ||
      fail busy "a hook of group $arg_group that an earlier attempt started still runs here after $hook_waited s; look at it on the host, then retry"
    sleep 1
    hook_waited=$((hook_waited + 1))
  done
  [ "$hook_waited" -eq 0 ] || fence_still
}

# hook_before: noted before it runs; each "before" moves the dead-man's limit.
hook_before() {
  hook_names=''
  [ -s "$rec/hooks" ] && hook_names=$(grep -vx "$arg_name" "$rec/hooks")
  deadman_disarm "$rec"
  record_new "$arg_group.hooks" hooks "$arg_group" "$arg_run" 0 $((hook_timeout * 1000 + HOOK_SPARE_MS))
  printf '%s\n' ${hook_names:+"$hook_names"} "$arg_name" | atomic_write "$rec/hooks"
  # From here on it is another try: what an earlier "after" has found is no word of this one.
  [ ! -e "$fates" ] || printf '%s\n' "$arg_name" >>"$fates"
  deadman_arm "$rec" || fail failed 'the dead-man did not start within 5 s: the hook was not run'
}

# hook_fate: sets hook_fired: whether what this run's "before" did was undone before this "after": by the dead-man, or by whoever has
# thawed or swept its record since (S7). The first "after" finds it out; a repeated one, whose answer was lost or whose program had
# failed, tells the same.
hook_fate() {
  if [ -r "$fates" ]; then
    while read -r fate_name fate_fired; do
      [ "$fate_name" != "$arg_name" ] || hook_fired=$fate_fired
    done <"$fates"
  fi
  [ -z "$hook_fired" ] || return 0
  hook_fired=true
  if record_read "$rec" && [ "$rec_run" = "$arg_run" ] && [ ! -e "$rec/fired" ] && grep -qx "$arg_name" "$rec/hooks"; then
    hook_fired=false
  fi
  # A full disk must not keep the program from running.
  ( own_dir "$RESURGO_VAR/runs" "$RESURGO_VAR/runs/$arg_run" && printf '%s %s\n' "$arg_name" "$hook_fired" >>"$fates" ) >/dev/null 2>&1
  return 0
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
