# fenced: yes
# Starts again exactly what workload.stop has stopped. Idempotent.

# Set or read elsewhere:
: "${arg_group-}" "${failed-}" "${thawed-}"

# shellcheck source=lib/workloads.sh
. "$RESURGO_LIB/lib/workloads.sh"

verb_main() {
  set +e
  workloads_start "$arg_group.hand" "$arg_group" ||
    fail failed 'not everything starts again; what failed stays recorded: look at its log, then call this again' "\"started\":[$thawed],\"failed\":[$failed]"
  reply "\"started\":[$thawed],\"failed\":[]"
}
