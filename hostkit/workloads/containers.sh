# Docker containers. The interface that every family in workloads/ gives (REC is a record's folder, see lib/freeze.sh):
#   FAMILY_list GROUP REC      writes down in REC what would be touched, before anything is; fails the request when it can't know
#   FAMILY_pause GROUP REC     pauses it and sees it paused; returns 1 with $problem
#   FAMILY_unpause REC         reverses what REC says; sees it run; adds to $thawed and $failed; returns 1 when something still stands
#   FAMILY_stop GROUP REC      stops it, sees it stopped, blocks its start (S21)
#   FAMILY_start REC           reverses exactly that; nothing without its files
# A container's line in REC/containers: ID PID FREEZER-FILE NAME. Others that were seen are in REC/left: ID already|exempt NAME.
# Beside this file: docker.sh (the client, the engine, which containers count, their freezers), containers-stop.sh (stop and start),
# containers-evidence.sh (did the pause hold).

# Set or read elsewhere:
: "${engine_pid-}" "${engine_start-}" "${freezer-}" "${frozen-}" "${in_scope-}" "${json-}" "${line-}" "${scope-}" "${time-}" \
  "${unpaused_up-}" "${uptime-}" "${verified_ms-}"

CONTAINER_FORMAT="{{.Id}} {{.State.Pid}} {{.State.Paused}} {{.Config.Image}} {{.Name}} {{range \$k,\$v := .Config.Labels}}{{printf \"%q\" \$k}}={{printf \"%q\" \$v}} {{end}}"

RECORD_FULL="what is paused can't be written down in $RESURGO_VAR: make room there"

# containers_inspect REC IDS: sorts those containers into REC's files; sets fresh_ids to those that are ours to pause. 1 when they can't
# be written down: what stands in no record is thawed by nobody, so it must not be paused (S2).
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
  { printf '%s' "$_ct_ours" >>"$_ct_rec/containers"; } && { printf '%s' "$_ct_left" >>"$_ct_rec/left"; }
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
  [ -z "$_cl_ids" ] || containers_inspect "$2" "$_cl_ids" || fail no-space "$RECORD_FULL"
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
      if ! containers_inspect "$2" "$_cp_new" || ! sync "$2/containers"; then
        problem=$RECORD_FULL
        return 1
      fi
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
