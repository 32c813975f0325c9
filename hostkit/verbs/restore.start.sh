# fenced: yes
# Starts again exactly what restore.stop has stopped, in reverse order. Idempotent. What it starts is noted for restore.health.

# Set or read elsewhere:
: "${arg_group-}" "${arg_run-}" "${gone-}" "${kept-}" "${thawed-}"

# shellcheck source=lib/workloads.sh
. "$RESURGO_LIB/lib/workloads.sh"

verb_main() {
  set +e
  workloads_start "$arg_group" start_note || workloads_not_started
  reply "\"started\":[$thawed],\"failed\":[],\"gone\":[$gone],\"kept\":[$kept]"
}

# start_note REC: the record goes once all of it runs, and with it the containers' names. A note of this run that is there already came
# from the same record.
start_note() {
  _sn_text=''
  for _sn_file in "$1/stopped" "$1/engine.ran"; do
    [ -s "$_sn_file" ] || continue
    while read -r _sn_line; do _sn_text="$_sn_text$LF$_sn_line"; done <"$_sn_file"
  done
  [ -n "$_sn_text" ] || return 0
  own_dir "$RESURGO_VAR/started"
  atomic_put "$RESURGO_VAR/started/$arg_group" "run $arg_run$_sn_text"
}
