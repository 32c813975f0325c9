# The whole docker engine with its socket (interface: workloads/containers.sh). Only for a restore: an engine is never paused.
# Only where systemd runs: elsewhere nobody knows what would start it again, so "stopped" could not be held.

# Set or read elsewhere:
: "${engine_pid-}" "${json-}" "${unit_active-}"

ENGINE_UNITS='docker.socket docker.service'

# engine_stop: REC/engine.units holds the units that were active, REC/engine.pids what ran in containers.
engine_stop() {
  problem=''
  if ! units_here; then
    problem='the engine can be stopped only where systemd runs: let the restore stop the containers instead'
    return 1
  fi
  if [ ! -e "$2/engine.units" ]; then
    for _es_unit in $ENGINE_UNITS; do
      unit_state "$_es_unit"
      [ "$unit_active" != active ] || printf '%s\n' "$_es_unit"
    done | atomic_write "$2/engine.units"
    _es_ids=$(docker_run 20 ps -q --no-trunc)
    [ -z "$_es_ids" ] || docker_on 20 "$_es_ids" inspect --type container --format '{{.State.Pid}} {{.Name}}' | atomic_write "$2/engine.pids"
  fi
  # Against a reboot in the middle as well (S21): the socket would start the service.
  for _es_unit in $ENGINE_UNITS; do
    unit_block "$_es_unit" || problem="can't write the start block of $_es_unit"
  done
  timeout -k 5 150 systemctl stop docker.socket docker.service </dev/null >/dev/null 2>&1
  [ -z "$problem" ] && engine_stopped "$2"
}

engine_stopped() {
  problem=''
  [ -e "$1/engine.units" ] || return 0
  engine_find && problem="the docker daemon runs (process $engine_pid)"
  if [ -z "$problem" ] && [ -s "$1/engine.pids" ]; then
    while read -r _ed_pid _ed_name; do
      [ ! -d "/proc/$_ed_pid" ] || ! grep -q docker "/proc/$_ed_pid/cgroup" 2>/dev/null ||
        problem="container ${_ed_name#/} runs on without its engine (live-restore): stop the containers as well"
    done <"$1/engine.pids"
  fi
  [ -z "$problem" ]
}

engine_start() {
  [ -e "$1/engine.units" ] || return 0
  for _en_unit in $ENGINE_UNITS; do unit_unblock "$_en_unit"; done
  _en_bad=0
  while read -r _en_unit <&7; do
    unit_do 120 start "$_en_unit" >/dev/null
    unit_state "$_en_unit"
    json_quote "$_en_unit"
    if [ "$unit_active" = active ]; then thawed="$thawed${thawed:+,}$json"; else _en_bad=1 failed="$failed${failed:+,}$json"; fi
  done 7<"$1/engine.units"
  return "$_en_bad"
}
