# Docker containers. The interface that every family in workloads/ gives (REC is a record's folder, see lib/freeze.sh):
#   FAMILY_list GROUP REC      writes down in REC what would be touched, before anything is; fails the request when it can't know
#   FAMILY_pause GROUP REC     pauses it and sees it paused; returns 1 with $problem
#   FAMILY_unpause REC         reverses what REC says; sees it run; adds to $thawed and $failed; returns 1 when something still stands
#   FAMILY_stop GROUP REC      stops it, sees it stopped, blocks its start (S21)
#   FAMILY_start REC           reverses exactly that
#   FAMILY_stopped REC         is all of it still stopped? returns 1 with $problem
# A container's line in REC/containers: ID PID FREEZER-FILE NAME. Others that were seen are in REC/left: ID already|exempt NAME.

# Set or read elsewhere:
: "${json-}" "${line-}" "${starttime-}" "${stat_text-}" "${time-}" "${unpaused_up-}" "${uptime-}" "${verified_ms-}"

docker_run() {
  _dr_limit=$1
  shift
  timeout -k 2 "$_dr_limit" docker "$@" </dev/null
}

# docker_on LIMIT IDS COMMAND…: the command on those containers (words), in one call: the client works on them in parallel.
docker_on() {
  _do_limit=$1 _do_ids=$2
  shift 2
  for _do_id in $_do_ids; do set -- "$@" "$_do_id"; done
  docker_run "$_do_limit" "$@"
}

# engine_find: sets engine_pid and engine_start of the running dockerd; 1 (and empty) if there is none (S1, S5).
engine_find() {
  engine_pid='' engine_start=''
  for _ef_file in /run/docker.pid /var/run/docker.pid; do
    read_line "$_ef_file" || continue
    _ef_pid=$line
    engine_is "$_ef_pid" && engine_pid=$_ef_pid && break
  done
  if [ -z "$engine_pid" ]; then
    for _ef_file in /proc/[0-9]*; do
      engine_is "${_ef_file#/proc/}" && engine_pid=${_ef_file#/proc/} && break
    done
  fi
  [ -n "$engine_pid" ] && read_starttime "$engine_pid" && engine_start=$starttime
}

engine_is() {
  case $1 in '' | *[!0-9]*) return 1 ;; esac
  read_line "/proc/$1/comm" && [ "$line" = dockerd ] || return 1
  # One that was killed and not yet reaped is no engine.
  read_starttime "$1" || return 1
  case ${stat_text##*) } in Z*) return 1 ;; esac
}

# engine_absent: no docker here at all, so no containers either.
engine_absent() { [ -z "$engine_pid" ] && { ! command -v docker >/dev/null || [ ! -S /run/docker.sock ]; }; }

# containers_scope GROUP: loads which containers belong to the group: scope_all, scope_token, and the exempt tokens.
# A token is a label as docker's format prints it: "KEY"="VALUE", quoted as Go does.
containers_scope() {
  scope=none scope_token='' exempt_tokens=''
  config_each containers "$1" containers_scope_take
  config_each exempt-label '' containers_exempt_take
}
containers_scope_take() {
  case $2 in
    all) scope=all ;;
    label:*)
      scope=label
      label_token "${2#label:}"
      scope_token=$token
      ;;
  esac
}
containers_exempt_take() {
  label_token "$1"
  exempt_tokens=$exempt_tokens$token$LF
}

label_token() { token="\"${1%%=*}\"=\"${1#*=}\""; }

# container_in_scope IMAGE TOKENS: sets in_scope to yes, no or exempt. Our own engine is never touched.
container_in_scope() {
  in_scope=exempt
  case $1 in temporalio/* | */temporalio/*) return ;; esac
  case " $2" in *' "com.resurgo.engine"='*) return ;; esac
  _ci_rest=$exempt_tokens
  while [ -n "$_ci_rest" ]; do
    case " $2 " in *" ${_ci_rest%%"$LF"*} "*) return ;; esac
    _ci_rest=${_ci_rest#*"$LF"}
  done
  in_scope=no
  case $scope in
    all) in_scope=yes ;;
    label) case " $2 " in *" $scope_token "*) in_scope=yes ;; esac ;;
  esac
}

# freezer_of PID ID: sets freezer, the file that freezes this container's cgroup, in v1 or v2 form; empty if unknown.
freezer_of() {
  freezer='' _fo_unified=''
  while IFS=: read -r _ _fo_control _fo_path; do
    # A container may have moved its first process into a cgroup below its own: cut behind its id.
    case $_fo_path in
      *"$2"*)
        _fo_tail=${_fo_path#*"$2"}
        _fo_path=${_fo_path%%"$2"*}$2${_fo_tail%%/*}
        ;;
    esac
    case ,$_fo_control, in
      *,freezer,*) freezer=/sys/fs/cgroup/freezer$_fo_path/freezer.state ;;
      ,,) _fo_unified=/sys/fs/cgroup$_fo_path/cgroup.freeze ;;
    esac
  done 2>/dev/null <"/proc/$1/cgroup"
  [ -n "$freezer" ] || [ ! -e "$_fo_unified" ] || freezer=$_fo_unified
}

# freezer_read FILE: sets frozen to yes, no or gone. No fork.
freezer_read() {
  frozen=gone
  read_line "$1" || return 0
  case $line in THAWED | 0) frozen=no ;; *) frozen=yes ;; esac
}

freezer_write() {
  case $1 in
    */cgroup.freeze) [ "$2" = FROZEN ] && printf 1 >"$1" || printf 0 >"$1" ;;
    */freezer.state) printf '%s' "$2" >"$1" ;;
  esac 2>/dev/null
}

CONTAINER_FORMAT="{{.Id}} {{.State.Pid}} {{.State.Paused}} {{.Config.Image}} {{.Name}} {{range \$k,\$v := .Config.Labels}}{{printf \"%q\" \$k}}={{printf \"%q\" \$v}} {{end}}"

# containers_inspect REC IDS: sorts those containers into REC's files; sets fresh_ids to those that are ours to pause.
containers_inspect() {
  _ct_rec=$1
  fresh_ids=''
  # A container may end between the listing and this; docker then complains, but shows the others.
  _ct_text=$(docker_on 20 "$2" inspect --type container --format "$CONTAINER_FORMAT" 2>/dev/null)
  _ct_ours='' _ct_left=''
  while read -r _ct_id _ct_pid _ct_paused _ct_image _ct_name _ct_labels; do
    [ -n "$_ct_id" ] || continue
    container_in_scope "$_ct_image" "$_ct_labels"
    if [ "$in_scope" != yes ]; then
      _ct_left="$_ct_left$_ct_id $in_scope ${_ct_name#/}$LF"
    elif [ "$_ct_paused" = true ]; then
      _ct_left="$_ct_left$_ct_id already ${_ct_name#/}$LF"
    elif [ "$_ct_pid" != 0 ]; then
      freezer_of "$_ct_pid" "$_ct_id"
      _ct_ours="$_ct_ours$_ct_id $_ct_pid ${freezer:--} ${_ct_name#/}$LF"
      fresh_ids="$fresh_ids $_ct_id"
    fi
  done <<EOF
$_ct_text
EOF
  printf '%s' "$_ct_ours" >>"$_ct_rec/containers"
  printf '%s' "$_ct_left" >>"$_ct_rec/left"
}

containers_list() {
  : >"$2/containers"
  : >"$2/left"
  containers_scope "$1"
  [ "$scope" != none ] || return 0
  if ! engine_find; then
    engine_absent && printf 'none\n' >"$2/engine" && return 0
    fail failed 'docker is installed but its daemon does not run: start it, or set "containers none" for this group'
  fi
  printf '%s %s\n' "$engine_pid" "$engine_start" >"$2/engine"
  _cl_ids=$(docker_run 20 ps -q --no-trunc) || fail failed 'docker ps gave no answer within 20 s: look at the docker daemon'
  [ -z "$_cl_ids" ] || containers_inspect "$2" "$_cl_ids"
  # On disk before anything is touched (S2).
  sync "$2/containers" "$2/engine" "$2/left" "$2/meta" 2>/dev/null || sync
}

# containers_known REC: sets our_ids and left_ids (words) from the record.
containers_known() {
  our_ids=' ' left_ids=' '
  [ -s "$1/containers" ] && while read -r _ck_id _; do our_ids="$our_ids$_ck_id "; done <"$1/containers"
  [ -s "$1/left" ] && while read -r _ck_id _; do left_ids="$left_ids$_ck_id "; done <"$1/left"
  return 0
}

# containers_pause: all at once, then look again: what was started meanwhile is paused also, a bounded number of times.
# Sets verified_ms, the wall clock just before the look that found everything paused, and paused_ids.
containers_pause() {
  problem='' paused_ids=' '
  read_wall
  verified_ms=$time
  [ -e "$2/engine" ] || return 0
  read_line "$2/engine"
  [ "$line" != none ] || return 0
  containers_known "$2"
  _cp_todo=$our_ids _cp_round=0 _cp_said=''
  while :; do
    case $_cp_todo in
      *[!\ ]*)
        _cp_said=$(docker_on 20 "$_cp_todo" pause 2>&1 >/dev/null)
        ;;
    esac
    read_wall
    verified_ms=$time
    _cp_seen=$(docker_run 20 ps --no-trunc --format '{{.ID}} {{.Status}}') || {
      problem='docker ps gave no answer within 20 s'
      return 1
    }
    paused_ids=' ' _cp_todo='' _cp_new=''
    while read -r _cp_id _cp_status; do
      case $_cp_status in
        *'(Paused)'*)
          paused_ids="$paused_ids$_cp_id "
          continue
          ;;
      esac
      case $our_ids in *" $_cp_id "*) _cp_todo="$_cp_todo $_cp_id" && continue ;; esac
      case $left_ids in *" $_cp_id "*) containers_left_alone "$2" "$_cp_id" && continue ;; esac
      [ -z "$_cp_id" ] || _cp_new="$_cp_new $_cp_id"
    done <<EOF
$_cp_seen
EOF
    if [ -n "$_cp_new" ]; then
      containers_inspect "$2" "$_cp_new"
      sync "$2/containers" 2>/dev/null
      containers_known "$2"
      _cp_todo="$_cp_todo$fresh_ids"
    fi
    [ -n "$_cp_todo" ] || break
    _cp_round=$((_cp_round + 1))
    if [ "$_cp_round" -gt 5 ]; then
      problem="containers go on running after 5 rounds of docker pause:$(containers_names "$2" "$_cp_todo"): ${_cp_said%%"$LF"*}"
      return 1
    fi
  done
  containers_frozen "$2"
}

# containers_left_alone REC ID: noted as exempt or outside? Then its running is right. One that was paused by others and runs now is ours.
containers_left_alone() { grep -q "^$2 \(exempt\|no\) " "$1/left"; }

# containers_frozen REC: the kernel says the same of every container that docker calls paused.
containers_frozen() {
  while read -r _cf_id _ _cf_freezer _cf_name; do
    case $paused_ids in *" $_cf_id "*) ;; *) continue ;; esac
    freezer_read "$_cf_freezer"
    [ "$frozen" != no ] || {
      problem="docker calls container $_cf_name paused, but its cgroup is not frozen"
      return 1
    }
  done <"$1/containers"
}

containers_names() {
  while read -r _cn_id _ _ _cn_name; do
    case " $2 " in *" $_cn_id "*) printf ' %s' "$_cn_name" ;; esac
  done <"$1/containers"
}

# containers_unpause REC: through docker, so that docker's own books are right; where docker can't (gone, hung), through the cgroup (S5).
containers_unpause() {
  [ -s "$1/containers" ] || return 0
  containers_known "$1"
  docker_on 8 "$our_ids" unpause >/dev/null 2>&1
  # 124 and above: it hangs. Then it isn't asked again here: the time would be the paused processes'.
  _cu_hung=$? _cu_still='' _cu_books=''
  while read -r _cu_id _ _cu_freezer _; do
    freezer_read "$_cu_freezer"
    [ "$frozen" != yes ] || freezer_write "$_cu_freezer" THAWED
  done <"$1/containers"
  read_uptime
  unpaused_up=$uptime
  # Docker answers? Then nothing of ours may be paused in its books either. If it doesn't run, the kernel's word is enough.
  if [ "$_cu_hung" -lt 124 ] && _cu_books=$(docker_run 8 ps --no-trunc -q --filter status=paused 2>/dev/null); then
    for _cu_id in $_cu_books; do
      case $our_ids in *" $_cu_id "*) containers_settle "$1" "$_cu_id" ;; esac
    done
  elif engine_find; then
    _cu_still="$LF$our_ids"
  fi
  _cu_bad=0
  while read -r _cu_id _ _cu_freezer _cu_name; do
    freezer_read "$_cu_freezer"
    json_quote "$_cu_name"
    case $frozen$_cu_still in
      yes*) _cu_bad=1 failed="$failed${failed:+,}$json" ;;
      *" $_cu_id "*) _cu_bad=1 unsettled="${unsettled-}${unsettled:+,}$json" ;;
      *) thawed="$thawed${thawed:+,}$json" ;;
    esac
  done <"$1/containers"
  return "$_cu_bad"
}

# containers_settle REC ID: docker still calls it paused though its cgroup runs, and so refuses to unpause it: freeze it for the moment
# that docker needs to put both right.
containers_settle() {
  while read -r _cx_id _ _cx_freezer _; do
    [ "$_cx_id" = "$2" ] || continue
    freezer_write "$_cx_freezer" FROZEN
    docker_run 8 unpause "$2" >/dev/null 2>&1 || {
      freezer_write "$_cx_freezer" THAWED
      _cu_still="$_cu_still $2 "
    }
  done <"$1/containers"
}

EVENT_FORMAT="{{.TimeNano}} {{.Actor.ID}} {{printf \"%q\" .Action}} {{range \$k,\$v := .Actor.Attributes}}{{printf \"%q\" \$k}}={{printf \"%q\" \$v}} {{end}}"

# containers_evidence REC ARMED_MS VERIFIED_MS THAW_MS: from docker's own log: did anything of the group run while it was to be still?
# Sets torn (empty, or the reason) and events. The daemon keeps its last 256 events only: our own pauses must be among them (S1).
containers_evidence() {
  events=0
  [ -e "$1/engine" ] || return 0
  read -r _ev_pid _ev_start <"$1/engine"
  if [ "$_ev_pid" = none ]; then
    engine_find && torn='a docker daemon was started during the freeze'
    return 0
  fi
  same_process "$_ev_pid" "$_ev_start" || {
    torn='the docker daemon ended or was started anew during the freeze'
    return 0
  }
  # Just now it didn't answer: not asked again, the director waits.
  [ -z "${unsettled-}" ] || {
    torn='docker does not answer: nothing shows that the freeze held'
    return 0
  }
  _ev_text=$(docker_run 15 events --since "${2%???}.${2#"${2%???}"}" --until "${4%???}.${4#"${4%???}"}" --filter type=container --format "$EVENT_FORMAT" 2>/dev/null) || {
    torn='docker gave no event log: nothing shows that the freeze held'
    return 0
  }
  _ev_paused=' '
  while read -r _ev_time _ev_id _ev_action _ev_rest; do
    [ -n "$_ev_time" ] || continue
    events=$((events + 1))
    case $_ev_action in
      '"pause"') _ev_paused="$_ev_paused$_ev_id " && continue ;;
      '"start"' | '"unpause"' | '"restart"' | '"die"' | '"kill"' | '"stop"' | '"oom"' | '"destroy"' | '"exec_start:') ;;
      *) continue ;;
    esac
    [ "${_ev_time%??????}" -ge "$3" ] || continue
    [ "${_ev_time%??????}" -lt "$4" ] || continue
    _ev_image=${_ev_rest#*'"image"="'}
    container_in_scope "${_ev_image%%\"*}" "$_ev_rest"
    [ "$in_scope" = yes ] || continue
    _ev_name=${_ev_rest#*'"name"="'}
    torn="container ${_ev_name%%\"*}: ${_ev_action#\"}"
    torn="${torn%\"} during the freeze"
    return 0
  done <<EOF
$_ev_text
EOF
  for _ev_id in $paused_ids; do
    case $our_ids in *" $_ev_id "*) ;; *) continue ;; esac
    case $_ev_paused in *" $_ev_id "*) ;; *) torn="docker's event log no longer shows our own pause of$(containers_names "$1" "$_ev_id")" && return 0 ;; esac
  done
  [ "$events" -lt 256 ] || [ -n "$paused_ids" ] || torn="docker's event log was overrun"
}

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
    grep -q "^$_cz_id " "$1/stopped" || printf '%s %s %s %s %s\n' "$_cz_id" "$_cz_pid" "$_cz_paused" "$_cz_policy" "${_cz_name#/}" >>"$1/stopped"
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
  while read -r _cq_id _ _ _ _cq_name; do
    case $_cq_running in *"$_cq_id"*) problem="container $_cq_name runs" ;; esac
  done <"$1/stopped"
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
