# fenced: yes
# Starts again exactly what workload.stop has stopped. Idempotent. `restore` names the run that keeps the group stopped for a restore:
# then nothing is started, since its data may be half restored (S21).

# Set or read elsewhere:
: "${arg_group-}" "${gone-}" "${kept-}" "${line-}" "${thawed-}"

# shellcheck source=lib/workloads.sh
. "$RESURGO_LIB/lib/workloads.sh"

verb_main() {
  set +e
  if read_line "$RESURGO_VAR/workloads/$arg_group/run"; then
    reply "\"started\":[],\"failed\":[],\"gone\":[],\"kept\":[],\"restore\":\"$line\""
    return
  fi
  workloads_start "$arg_group.hand" || workloads_not_started
  reply "\"started\":[$thawed],\"failed\":[],\"gone\":[$gone],\"kept\":[$kept]"
}
