# fenced: yes
# The operator's stop: as restore.stop, with a record of its own.

# Set or read elsewhere:
: "${arg_group-}" "${arg_run-}" "${stopped_list-}"

# shellcheck source=lib/workloads.sh
. "$RESURGO_LIB/lib/workloads.sh"

verb_main() {
  set +e
  workloads_stop "$arg_group.hand" "$arg_group" "$arg_run"
  reply "\"stopped\":[$stopped_list]"
}
