# fenced: yes
# Stops what the configuration names for a restore, sees it stopped, and blocks its start until restore.start (S21).

# Set or read elsewhere:
: "${arg_group-}" "${arg_run-}" "${stopped_list-}"

# shellcheck source=lib/workloads.sh
. "$RESURGO_LIB/lib/workloads.sh"

verb_main() {
  set +e
  workloads_stop "$arg_group" "$arg_group" "$arg_run"
  reply "\"stopped\":[$stopped_list]"
}
