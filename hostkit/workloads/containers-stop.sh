# Containers stopped for a restore, and started again (interface: workloads/containers.sh).

# Set or read elsewhere:
: "${in_scope-}" "${json-}" "${scope-}" "${thawed-}"

STOP_FORMAT="{{.Id}} {{.State.Pid}} {{.State.Running}} {{.State.Paused}} {{.State.Status}} {{.HostConfig.AutoRemove}} {{or .HostConfig.RestartPolicy.Name \"no\"}}:{{.HostConfig.RestartPolicy.MaximumRetryCount}} {{.Config.Image}} {{.Name}} {{range \$k,\$v := .Config.Labels}}{{printf \"%q\" \$k}}={{printf \"%q\" \$v}} {{end}}"

# containers_stop: each container's restart policy is remembered and set to `no` before it is stopped, so that neither docker nor a
# reboot starts it on half-restored data (S21). A line in REC/stopped: ID PID PAUSED POLICY NAME, newest first. One that does not run, but
# that a reboot would start, loses its policy alone. A line in REC/held: ID POLICY NAME; POLICY - is one that another record has taken.
containers_stop() {
  containers_scope "$1"
  [ "$scope" != none ] || return 0
  problem=''
  if ! engine_find; then
    # One that this record has stopped, as the runbook said before, or that another has: it stays stopped until all of them have ended.
    if [ -e "$2/engine.units" ] || keeper_of "$2" names_engine; then
      engine_stop "$1" "$2"
      return
    fi
    engine_absent && return 0
    problem='docker is installed but its daemon does not run: start it, so that what would start with it is known'
    return 1
  fi
  _cz_round=0
  while :; do
    containers_look && containers_to_stop "$2" || return 1
    sync "$2" "$2"/* 2>/dev/null || sync
    [ -z "$_cz_hold" ] || docker_on 60 "$_cz_hold" update --restart=no >/dev/null 2>&1
    [ -n "$_cz_todo" ] || break
    _cz_round=$((_cz_round + 1))
    if [ "$_cz_round" -gt 4 ]; then
      problem='containers are started again as fast as they are stopped (a swarm, or a supervisor): let the restore stop the engine instead'
      return 1
    fi
    docker_on 60 "$_cz_todo" update --restart=no >/dev/null 2>&1
    # Each has its own time to end by itself; the client stops them side by side.
    docker_on 300 "$_cz_todo" stop >/dev/null 2>&1
  done
  containers_stopped "$2"
}

# containers_look: sets containers_seen, a line of STOP_FORMAT for each container there is. 1 with problem where docker does not tell.
containers_look() {
  containers_seen='' _co_round=0
  while [ "$_co_round" -lt 4 ]; do
    _co_ids=$(docker_run 20 ps -aq --no-trunc) || {
      problem='docker ps gave no answer within 20 s'
      return 1
    }
    [ -n "$_co_ids" ] || return 0
    # One that was removed since the listing makes it fail, and is no longer listed in the next round.
    containers_seen=$(docker_on 20 "$_co_ids" inspect --type container --format "$STOP_FORMAT" 2>/dev/null) && return 0
    _co_round=$((_co_round + 1))
  done
  problem='docker inspect does not tell of every container: look at the docker daemon'
  return 1
}

# containers_each CALLBACK: calls it with each container that was seen: ID PID RUNNING PAUSED STATUS AUTOREMOVE POLICY IMAGE NAME LABELS.
# It ends at the first that returns another status than 0, and returns it.
containers_each() {
  while read -r _ce_id _ce_pid _ce_running _ce_paused _ce_status _ce_remove _ce_policy _ce_image _ce_name _ce_labels <&6; do
    [ -n "$_ce_id" ] || continue
    case $_ce_policy in on-failure:*) ;; *) _ce_policy=${_ce_policy%:*} ;; esac
    "$1" "$_ce_id" "$_ce_pid" "$_ce_running" "$_ce_paused" "$_ce_status" "$_ce_remove" "${_ce_policy%:0}" "$_ce_image" "${_ce_name#/}" "$_ce_labels" ||
      return
  done 6<<EOF
$containers_seen
EOF
}

# containers_to_stop REC: sets _cz_todo (they run) and _cz_hold (a reboot would start them), and notes whatever isn't noted yet.
containers_to_stop() {
  _cz_todo='' _cz_hold='' _cz_rec=$1
  containers_each containers_to_stop_take
}
containers_to_stop_take() {
  container_in_scope "$8" "${10}"
  [ "$in_scope" = yes ] || return 0
  if [ "$3" != true ]; then
    container_hold "$_cz_rec" "$1" "$5" "$7" "$9"
    return
  fi
  container_can_return "$6" "$9" || return 1
  container_note "$_cz_rec" stopped "$1" "$2 $4 $7 $9" || return 1
  _cz_todo="$_cz_todo $1"
}

# container_can_return AUTOREMOVE NAME
container_can_return() {
  [ "$1" = true ] || return 0
  problem="container $2 was made with --rm: once stopped it can't be started again; end it by hand first"
  return 1
}

# container_hold REC ID STATUS POLICY NAME: notes one that does not run but would start with its engine, and adds it to _cz_hold; and one
# that another record would start. What was noted as stopped is held by that.
container_hold() {
  case $4/$3 in
    */dead | */removing) return 0 ;;
    no/*)
      if ! container_noted "$1" stopped "$2" && keeper_of "$1" notes_container "$2"; then container_note "$1" held "$2" "- $5"; fi
      return
      ;;
  esac
  container_noted "$1" stopped "$2" || container_note "$1" held "$2" "$4 $5" || return 1
  _cz_hold="$_cz_hold $2"
}

container_noted() { [ -s "$1/$2" ] && grep -q "^$3 " "$1/$2"; }

# container_note REC FILE ID REST: one that is there keeps its line. Returns 1 with problem.
container_note() {
  ! container_noted "$1" "$2" "$3" || return 0
  printf '%s %s\n' "$3" "$4" >>"$1/$2" && return 0
  problem="container ${4##* } can't be written down in $RESURGO_VAR: make room there"
  return 1
}

containers_stopped() {
  problem=''
  [ -s "$1/stopped" ] || [ -s "$1/held" ] || return 0
  _cq_running=$(docker_run 20 ps -q --no-trunc) || {
    problem='docker ps gave no answer within 20 s'
    return 1
  }
  _cq_ids=''
  [ -s "$1/stopped" ] && while read -r _cq_id _ _ _ _cq_name; do containers_stopped_take; done <"$1/stopped"
  [ -s "$1/held" ] && while read -r _cq_id _ _cq_name; do containers_stopped_take; done <"$1/held"
  # Stopped is not enough: a reboot must not start it either (S21). One that was removed meanwhile is not shown.
  _cq_policies=$(docker_on 20 "$_cq_ids" inspect --type container --format '{{or .HostConfig.RestartPolicy.Name "no"}} {{.Name}}' 2>/dev/null)
  [ "$?" -lt 124 ] || problem='docker inspect gave no answer within 20 s'
  while read -r _cq_policy _cq_name; do
    case $_cq_policy in '' | no) ;; *) problem="container ${_cq_name#/} would start with its engine (restart policy $_cq_policy)" ;; esac
  done <<EOF
$_cq_policies
EOF
  [ -z "$problem" ]
}
containers_stopped_take() {
  case $_cq_running in *"$_cq_id"*) problem="container $_cq_name runs" ;; esac
  _cq_ids="$_cq_ids $_cq_id"
}

containers_start() {
  _cs_bad=0
  containers_again "$1" stopped || _cs_bad=1
  containers_give_back "$1" || _cs_bad=1
  return "$_cs_bad"
}

# containers_again REC FILE: starts what FILE names (lines as in REC/stopped; POLICY - is left as it is), oldest first, each with its own
# restart policy again; seen running. What was removed or made anew meanwhile can't be started ever: it goes to REC/gone (ID NAME). What
# another record needs stopped goes there.
containers_again() {
  [ -s "$1/$2" ] || return 0
  _ca_order='' _ca_bad=0 _ca_left='' _ca_less=no
  while read -r _ca_line; do _ca_order="$_ca_line$LF$_ca_order"; done <"$1/$2"
  containers_there
  while read -r _ca_id _ca_pid _ca_paused _ca_policy _ca_name <&7; do
    [ -n "$_ca_id" ] || continue
    if keeper_of "$1" names_container "$_ca_id"; then
      hand_over "$keeper" stopped "$_ca_id $_ca_pid $_ca_paused $_ca_policy $_ca_name" "$_ca_name" && _ca_less=yes && continue
      _ca_bad=1
      workload_failed "$_ca_name" "$RECORD_STOP_FULL"
    elif container_gone "$_ca_id"; then
      container_note "$1" gone "$_ca_id" "$_ca_name" && _ca_less=yes && continue
      _ca_bad=1
      workload_failed "$_ca_name" "$problem"
    else
      container_again "$1" "$_ca_id" "$_ca_paused" "$_ca_policy" "$_ca_name" || _ca_bad=1
    fi
    _ca_left="$_ca_id $_ca_pid $_ca_paused $_ca_policy $_ca_name$LF$_ca_left"
  done 7<<EOF
$_ca_order
EOF
  [ "$_ca_less" = no ] || printf '%s' "$_ca_left" | atomic_write "$1/$2" || {
    _ca_bad=1
    problem=$RECORD_STOP_FULL
  }
  return "$_ca_bad"
}

# container_again REC ID PAUSED POLICY NAME. One that was held and then started by hand has the policy that it was held for.
container_again() {
  _cb_policy=$4
  [ "$4" = - ] || [ ! -s "$1/held" ] || ! grep -q "^$2 [^-]" "$1/held" || _cb_policy=-
  _cb_said=$(docker_run 30 start "$2" 2>&1 >/dev/null) || [ -n "$_cb_said" ] || _cb_said='docker start gave no answer within 30 s'
  [ "$_cb_policy" = - ] || docker_run 20 update "--restart=$_cb_policy" "$2" >/dev/null 2>&1 ||
    _cb_said="${_cb_said%%"$LF"*} its restart policy $_cb_policy is not given back"
  _cb_state=$(docker_run 20 inspect --type container --format '{{.State.Running}} {{.State.ExitCode}}' "$2" 2>/dev/null)
  # One that was started and has ended well since had nothing more to do.
  case $_cb_state:$_cb_said in
    'true '*'not given back') ;;
    'true '* | 'false 0:')
      json_quote "$5"
      thawed="$thawed${thawed:+,}$json"
      [ "$3" != true ] || docker_run 20 pause "$2" >/dev/null 2>&1
      return 0
      ;;
    'false '*:) _cb_said="it ended at once with exit ${_cb_state#false }" ;;
  esac
  workload_failed "$5" "${_cb_said%%"$LF"*}"
  return 1
}

# containers_give_back REC: what did not run at the stop gets its restart policy again, and is not started. What another record needs
# stopped gets it from there.
containers_give_back() {
  [ -s "$1/held" ] || return 0
  _cg_bad=0 _cg_left='' _cg_less=no
  containers_there
  while read -r _cg_id _cg_policy _cg_name <&7; do
    [ "$_cg_policy" != - ] || continue
    if keeper_of "$1" names_container "$_cg_id"; then
      hand_over "$keeper" held "$_cg_id $_cg_policy $_cg_name" '' && _cg_less=yes && continue
      _cg_bad=1
      workload_failed "$_cg_name" "$RECORD_STOP_FULL"
    else
      container_give_back
    fi
    _cg_left="$_cg_left$_cg_id $_cg_policy $_cg_name$LF"
  done 7<"$1/held"
  [ "$_cg_less" = no ] || printf '%s' "$_cg_left" | atomic_write "$1/held" || {
    _cg_bad=1
    problem=$RECORD_STOP_FULL
  }
  return "$_cg_bad"
}
container_give_back() {
  container_gone "$_cg_id" && return
  _cg_said=$(docker_run 20 update "--restart=$_cg_policy" "$_cg_id" 2>&1 >/dev/null) && return
  _cg_bad=1
  workload_failed "$_cg_name" "its restart policy $_cg_policy is not given back: ${_cg_said%%"$LF"*}"
}

# containers_there: sets there_known (does docker answer?) and there_ids.
containers_there() {
  there_known=no
  there_ids=$(docker_run 20 ps -aq --no-trunc 2>/dev/null) && there_known=yes
}

# container_gone ID: docker, which is well, has no such container. Where it does not answer nothing counts as gone.
container_gone() {
  [ "$there_known" = yes ] || return 1
  case $there_ids in *"$1"*) return 1 ;; esac
  case $(docker_run 20 inspect --type container --format x "$1" 2>&1) in *[Nn]'o such container'*) ;; *) return 1 ;; esac
}
