# fenced: yes
# Starts again exactly what restore.stop has stopped, in reverse order. Idempotent. What it starts is noted for restore.health.

# Set or read elsewhere:
: "${arg_group-}" "${arg_run-}" "${failed-}" "${thawed-}"

# shellcheck source=lib/workloads.sh
. "$RESURGO_LIB/lib/workloads.sh"

verb_main() {
  set +e
  start_note || fail no-space "can't write in $RESURGO_VAR: make room, then call this again"
  workloads_start "$arg_group" "$arg_group" ||
    fail failed 'not everything starts again; what failed stays recorded: look at its log, then call this again' "\"started\":[$thawed],\"failed\":[$failed]"
  reply "\"started\":[$thawed],\"failed\":[]"
}

# start_note: the record goes once all of it runs, and with it the containers' names. A note of this run that is there already came from
# the same record.
start_note() {
  start_from=$RESURGO_VAR/workloads/$arg_group/stopped
  [ -s "$start_from" ] || return 0
  own_dir "$RESURGO_VAR/started"
  {
    printf 'run %s\n' "$arg_run"
    cat "$start_from"
  } | atomic_write "$RESURGO_VAR/started/$arg_group"
}
