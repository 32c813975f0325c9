# Containers stopped for a restore, and started again (interface: workloads/containers.sh).

# Set or read elsewhere:
: "${failed-}" "${in_scope-}" "${json-}" "${scope-}" "${thawed-}"

STOP_FORMAT="{{.Id}} {{.State.Pid}} {{.State.Paused}} {{.HostConfig.AutoRemove}} {{or .HostConfig.RestartPolicy.Name \"no\"}}:{{.HostConfig.RestartPolicy.MaximumRetryCount}} {{.Config.Image}} {{.Name}} {{range \$k,\$v := .Config.Labels}}{{printf \"%q\" \$k}}={{printf \"%q\" \$v}} {{end}}"

# containers_stop: each container's restart policy is remembered and set to `no` before it is stopped, so that neither docker nor a
# reboot starts it on half-restored data (S21). A line in REC/stopped: ID PID PAUSED POLICY NAME, newest first.
containers_stop() {
  containers_scope "$1"
  [ "$scope" != none ] || return 0
  problem=''
  if ! engine_find; then
    engine_absent && return 0
    problem='docker is installed but its daemon does not run: start it, so that what would start with it is known'
    return 1
  fi
  [ -e "$2/stopped" ] || : >"$2/stopped"
  _cz_round=0
  while :; do
    _cz_ids=$(docker_run 20 ps -q --no-trunc) || {
      problem='docker ps gave no answer within 20 s'
      return 1
    }
    containers_to_stop "$2" "$_cz_ids" || return 1
    [ -n "$_cz_todo" ] || break
    _cz_round=$((_cz_round + 1))
    if [ "$_cz_round" -gt 4 ]; then
      problem='containers are started again as fast as they are stopped (a swarm, or a supervisor): let the restore stop the engine instead'
      return 1
    fi
    sync "$2/stopped"
    docker_on 60 "$_cz_todo" update --restart=no >/dev/null 2>&1
    # Each has its own time to end by itself; the client stops them side by side.
    docker_on 300 "$_cz_todo" stop >/dev/null 2>&1
  done
  containers_stopped "$2"
}

# containers_to_stop REC IDS: sets _cz_todo, and notes in REC/stopped whatever isn't there yet.
containers_to_stop() {
  _cz_todo=''
  [ -n "$2" ] || return 0
  _cz_text=$(docker_on 20 "$2" inspect --type container --format "$STOP_FORMAT" 2>/dev/null)
  while read -r _cz_id _cz_pid _cz_paused _cz_remove _cz_policy _cz_image _cz_name _cz_labels; do
    [ -n "$_cz_id" ] || continue
    container_in_scope "$_cz_image" "$_cz_labels"
    [ "$in_scope" = yes ] || continue
    if [ "$_cz_remove" = true ]; then
      problem="container ${_cz_name#/} was made with --rm: once stopped it can't be started again; end it by hand first"
      return 1
    fi
    case $_cz_policy in on-failure:*) ;; *) _cz_policy=${_cz_policy%:*} ;; esac
    _cz_policy=${_cz_policy%:0}
    grep -q "^$_cz_id " "$1/stopped" || printf '%s %s %s %s %s\n' "$_cz_id" "$_cz_pid" "$_cz_paused" "$_cz_policy" "${_cz_name#/}" >>"$1/stopped" || {
      problem="container ${_cz_name#/} can't be written down in $RESURGO_VAR: make room there"
      return 1
    }
    _cz_todo="$_cz_todo $_cz_id"
  done <<EOF
$_cz_text
EOF
}

containers_stopped() {
  [ -s "$1/stopped" ] || return 0
  problem=''
  _cq_running=$(docker_run 20 ps -q --no-trunc) || {
    problem='docker ps gave no answer within 20 s'
    return 1
  }
  _cq_ids=''
  while read -r _cq_id _ _ _ _cq_name; do
    case $_cq_running in *"$_cq_id"*) problem="container $_cq_name runs" ;; esac
    _cq_ids="$_cq_ids $_cq_id"
  done <"$1/stopped"
  # Stopped is not enough: a reboot must not start it either (S21). One that was removed meanwhile is not shown.
  _cq_policies=$(docker_on 20 "$_cq_ids" inspect --type container --format '{{or .HostConfig.RestartPolicy.Name "no"}} {{.Name}}' 2>/dev/null)
  while read -r _cq_policy _cq_name; do
    case $_cq_policy in '' | no) ;; *) problem="container ${_cq_name#/} would start with its engine (restart policy $_cq_policy)" ;; esac
  done <<EOF
$_cq_policies
EOF
  [ -z "$problem" ]
}

# containers_start: oldest first, each with its own restart policy again; seen running.
containers_start() {
  [ -s "$1/stopped" ] || return 0
  _ca_order='' _ca_bad=0
  while read -r _ca_line; do _ca_order="$_ca_line$LF$_ca_order"; done <"$1/stopped"
  while read -r _ca_id _ _ca_paused _ca_policy _ca_name <&7; do
    [ -n "$_ca_id" ] || continue
    docker_run 30 start "$_ca_id" >/dev/null 2>&1
    json_quote "$_ca_name"
    if docker_run 20 update "--restart=$_ca_policy" "$_ca_id" >/dev/null 2>&1 &&
      [ "$(docker_run 20 inspect --type container --format '{{.State.Running}}' "$_ca_id" 2>/dev/null)" = true ]; then
      thawed="$thawed${thawed:+,}$json"
      [ "$_ca_paused" != true ] || docker_run 20 pause "$_ca_id" >/dev/null 2>&1
    else
      _ca_bad=1 failed="$failed${failed:+,}$json"
    fi
  done 7<<EOF
$_ca_order
EOF
  return "$_ca_bad"
}
