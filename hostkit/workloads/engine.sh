# The whole docker engine with its socket (interface: workloads/containers.sh). Only for a restore: an engine is never paused.
# Only where systemd runs: elsewhere nobody knows what would start it again, so "stopped" could not be held.

# Set or read elsewhere:
: "${_cz_hold-}" "${engine_pid-}" "${json-}" "${thawed-}" "${unit_active-}"

ENGINE_UNITS='docker.socket docker.service'

# engine_stop: REC/engine.units holds the units that were active; REC/engine.ran the containers that ran (lines as in REC/stopped), since
# an engine starts none again that has no restart policy; REC/engine.tasks those of a swarm, which starts them itself.
engine_stop() {
  problem=''
  if ! units_here; then
    problem='the engine can be stopped only where systemd runs: let the restore stop the containers instead'
    return 1
  fi
  [ -e "$2/engine.units" ] || engine_note "$2" || return 1
  # Against a reboot in the middle as well (S21): the socket would start the service.
  for _es_unit in $ENGINE_UNITS; do
    unit_block "$_es_unit" || problem="can't write the start block of $_es_unit"
  done
  timeout -k 5 150 systemctl stop docker.socket docker.service </dev/null >/dev/null 2>&1 9>&-
  [ -z "$problem" ] && engine_stopped "$2"
}

# engine_note REC: what will have to start again; engine.units comes last, and says that the note is whole. A container that did not run
# loses a policy by which the engine's next start would start it: containers_start gives it back.
engine_note() {
  _eo_rec=$1 _eo_units='' _eo_ran='' _eo_tasks='' _cz_hold=''
  for _eo_unit in $ENGINE_UNITS; do
    unit_state "$_eo_unit"
    if [ -z "$unit_active" ]; then
      problem="systemd tells nothing of $_eo_unit: look at it on the host"
      return 1
    fi
    ! unit_up || _eo_units="$_eo_units$_eo_unit$LF"
  done
  if engine_find; then
    containers_look && containers_each engine_note_take || return 1
  fi
  problem=$RECORD_STOP_FULL
  printf '%s' "$_eo_ran" | atomic_write "$1/engine.ran" || return 1
  printf '%s' "$_eo_tasks" | atomic_write "$1/engine.tasks" || return 1
  if [ -n "$_cz_hold" ]; then
    sync "$1" "$1/held" 2>/dev/null || sync
    docker_on 60 "$_cz_hold" update --restart=no >/dev/null 2>&1 || {
      problem='docker update does not take the restart policy from what does not run: look at the docker daemon'
      return 1
    }
  fi
  printf '%s' "$_eo_units" | atomic_write "$1/engine.units" || return 1
  problem=''
}
engine_note_take() {
  if [ "$3" != true ]; then
    container_hold "$_eo_rec" "$1" "$5" "$7" "$9"
    return
  fi
  case " ${10}" in
    *' "com.docker.swarm.task.id"='*) _eo_tasks="$_eo_tasks$1 $2 $4 - $9$LF" ;;
    *)
      container_can_return "$6" "$9" || return 1
      _eo_ran="$_eo_ran$1 $2 $4 - $9$LF"
      ;;
  esac
}

engine_stopped() {
  problem=''
  [ -e "$1/engine.units" ] || return 0
  engine_find && problem="the docker daemon runs (process $engine_pid)"
  for _ed_file in engine.ran engine.tasks; do
    if [ -n "$problem" ] || [ ! -s "$1/$_ed_file" ]; then continue; fi
    while read -r _ _ed_pid _ _ _ed_name; do
      [ ! -d "/proc/$_ed_pid" ] || ! grep -q docker "/proc/$_ed_pid/cgroup" 2>/dev/null ||
        problem="container $_ed_name runs on without its engine (live-restore): stop the containers as well"
    done <"$1/$_ed_file"
  done
  [ -z "$problem" ]
}

engine_start() {
  [ -e "$1/engine.units" ] || return 0
  if keeper_of "$1" names_engine; then
    engine_hand_over "$1" && return 0
    workload_failed docker.service "$RECORD_STOP_FULL"
    return 1
  fi
  _en_bad=0
  for _en_unit in $ENGINE_UNITS; do
    unit_unblock "$_en_unit" && continue
    _en_bad=1
    workload_failed "$_en_unit" 'its start block stays'
  done
  for _en_unit in $ENGINE_UNITS; do
    grep -qx "$_en_unit" "$1/engine.units" || continue
    unit_do 120 start "$_en_unit" >/dev/null
    unit_state "$_en_unit"
    if [ "$unit_active" = active ]; then
      json_quote "$_en_unit"
      thawed="$thawed${thawed:+,}$json"
    else
      _en_bad=1
      workload_failed "$_en_unit" "it is ${unit_active:-unknown}"
    fi
  done
  containers_again "$1" engine.ran || _en_bad=1
  return "$_en_bad"
}

# engine_hand_over REC: to $keeper; engine.units last, as in engine_note.
engine_hand_over() {
  if [ -s "$1/engine.ran" ]; then
    # The last first: each goes before the others there.
    _eh_order=''
    while IFS= read -r _eh_line; do _eh_order="$_eh_line$LF$_eh_order"; done <"$1/engine.ran"
    while read -r _eh_id _eh_pid _eh_paused _eh_policy _eh_name <&7; do
      [ -n "$_eh_id" ] || continue
      hand_over "$keeper" engine.ran "$_eh_id $_eh_pid $_eh_paused $_eh_policy $_eh_name" "$_eh_name" || return 1
    done 7<<EOF
$_eh_order
EOF
  fi
  while read -r _eh_unit <&7; do
    hand_over "$keeper" engine.units "$_eh_unit" "$_eh_unit" || return 1
  done 7<"$1/engine.units"
  [ -e "$keeper/engine.units" ] || printf '' | atomic_write "$keeper/engine.units" || return 1
  rm -f -- "$1/engine.units" "$1/engine.ran" "$1/engine.tasks"
}
