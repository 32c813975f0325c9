# keys: freeze:int max_pause:int
# fenced: yes
# The freeze: a session. Arms, then does what each following word says, and thaws when the words end (docs/hostkit.md).

# Set or read elsewhere:
: "${arg_freeze-}" "${arg_group-}" "${arg_max_pause-}" "${arg_run-}" "${json-}" "${limit_ms-}" "${snap_failed-}" \
  "${snap_problem-}" "${starttime-}" "${taken-}" "${time-}" "${uptime-}" "${verified_ms-}" "${was_fired-}"

# shellcheck source=lib/freeze.sh
. "$RESURGO_LIB/lib/freeze.sh"
# shellcheck source=workloads/containers-evidence.sh
. "$RESURGO_LIB/workloads/containers-evidence.sh"

verb_main() {
  # From here on an unforeseen failure must not end the shell: it has things to reverse.
  set +e
  freeze_phase=none freeze_taken=no rec=''
  trap '' PIPE
  trap 'freeze_abort "ended by a signal"; exit 1' HUP INT TERM
  trap 'freeze_leave; hostkit_at_exit' EXIT
  freeze_arm
  while IFS= read -r freeze_word; do
    case $freeze_phase/$freeze_word in
      armed/pause) freeze_pause ;;
      paused/snapshot) freeze_snapshot ;;
      */thaw)
        freeze_thaw
        return
        ;;
      *) freeze_fail bad-request "after '$freeze_phase' the word '$(printf %.20s "$freeze_word")' means nothing: this freeze is thawed" ;;
    esac
  done
  freeze_abort 'its input ended'
  fail failed 'the session ended before it was thawed by word: everything is thawed, its snapshots are dropped'
}

# freeze_leave: refused while arming, nothing was touched yet: the record goes too.
freeze_leave() {
  hostkit_left=$?
  [ "$freeze_phase" != none ] || [ -z "$rec" ] || { deadman_disarm "$rec" && record_remove "$rec"; }
  (exit "$hostkit_left")
}

# freeze_say PHASE [MEMBERS]
freeze_say() {
  read_wall
  read_uptime
  freeze_phase=$1
  reply "\"phase\":\"$1\",\"timeMs\":$time,\"uptimeMs\":$uptime${2:+,$2}"
}

# freeze_fail CODE MESSAGE: everything is reversed first, then said.
freeze_fail() {
  _ff_code=$1 _ff_message=$2
  freeze_abort "$2"
  fail "$_ff_code" "$_ff_message" "\"phase\":\"$freeze_phase\",\"thawed\":[$all_thawed],\"failed\":[$all_failed],\"timeMs\":$time"
}

freeze_abort() {
  log "freeze $arg_freeze is thawed: $1"
  all_thawed='' all_failed='' was_fired=false
  thaw_and_remove "$rec"
  [ "$freeze_taken" = no ] || snapshots_drop_run "$arg_group" "$arg_run" "$arg_freeze" || log "left: $snap_problem"
  read_wall
}

freeze_arm() {
  all_failed='' all_thawed=''
  with_lock "freeze-$arg_group"
  freeze_clean "$arg_group"
  deadman_limit "$arg_group" "$arg_max_pause"
  record_new "$arg_group" freeze "$arg_group" "$arg_run" "$arg_freeze" "$limit_ms"
  read_starttime $$ && printf '%s %s\n' $$ "$starttime" >"$rec/session"
  unlock
  snapshots_drop_run "$arg_group" - -1 || fail failed "snapshots of an older run can't be removed: $snap_problem"
  snapshots_prepare "$arg_group"
  wall_prepare
  read_wall
  freeze_armed_ms=$time
  containers_list "$arg_group" "$rec"
  units_list "$arg_group" "$rec"
  # The early flush: what is dirty now need not be written inside the pause. The timer starts after it: it may take long.
  snapshots_sync 100 || fail failed "the early sync failed: $snap_problem"
  record_new "$arg_group" freeze "$arg_group" "$arg_run" "$arg_freeze" "$limit_ms"
  deadman_arm "$rec" || fail failed 'the dead-man did not start within 5 s: nothing was paused; look at the load of the host'
  freeze_lists
  freeze_say armed "\"limitMs\":$limit_ms,\"containers\":[$json_ours],\"left\":[$json_left],\"units\":[$json_units]"
}

# freeze_lists: sets json_ours, json_left, json_units from the record.
freeze_lists() {
  json_ours='' json_left='' json_units=''
  while read -r _fl_id _ _ _fl_name; do
    json_quote "$_fl_name"
    json_ours="$json_ours${json_ours:+,}{\"id\":\"$_fl_id\",\"name\":$json}"
  done <"$rec/containers"
  while read -r _fl_id _fl_why _fl_name; do
    [ "$_fl_why" != no ] || continue
    json_quote "$_fl_name"
    json_left="$json_left${json_left:+,}{\"id\":\"$_fl_id\",\"name\":$json,\"why\":\"$_fl_why\"}"
  done <"$rec/left"
  while read -r _fl_why _fl_name _; do
    json_quote "$_fl_name"
    json_units="$json_units${json_units:+,}$json"
  done <"$rec/units"
}

# freeze_alive: is there still someone who would reverse this? Nothing is paused, and no instant is trusted, without.
freeze_alive() {
  [ ! -e "$rec/fired" ] || freeze_fail deadman-fired "the dead-man fired after $limit_ms ms: allow a longer pause, or find what made the host slow"
  deadman_alive "$rec" || freeze_fail failed 'the dead-man no longer runs: this freeze is thawed; try again'
}

freeze_pause() {
  freeze_alive
  read_uptime
  freeze_pause_up=$uptime
  units_pause "$arg_group" "$rec" || freeze_fail failed "$problem"
  containers_pause "$arg_group" "$rec" || freeze_fail failed "$problem"
  freeze_alive
  read_uptime
  freeze_say paused "\"tookMs\":$((uptime - freeze_pause_up))"
}

freeze_snapshot() {
  read_uptime
  _fs_from=$uptime
  freeze_taken=yes
  snapshots_sync 60 || freeze_fail failed "sync before the snapshot: $snap_problem"
  read_uptime
  _fs_synced=$uptime
  snapshots_take "$arg_group" "$arg_run" "$arg_freeze" || freeze_fail failed "snapshot of source $snap_failed: $snap_problem"
  freeze_alive
  read_uptime
  freeze_say snapshotted "\"snapshots\":[$taken],\"syncMs\":$((_fs_synced - _fs_from)),\"tookMs\":$((uptime - _fs_from))"
}

# freeze_thaw: first everything runs again, then the evidence is gathered.
freeze_thaw() {
  torn='' thawed='' failed='' unsettled='' fired=false problem='' unpaused_up=''
  _ft_phase=$freeze_phase
  [ "$_ft_phase" != armed ] && { units_still "$rec" || torn=$problem; }
  read_wall
  freeze_thaw_ms=$time
  read_uptime
  unpaused_up=$uptime
  _ft_ok=yes
  thaw_record "$rec" || _ft_ok=no
  [ ! -e "$rec/fired" ] || fired=true
  _ft_torn=$torn torn=''
  case $_ft_phase in
    snapshotted) containers_evidence "$rec" "$freeze_armed_ms" "$verified_ms" "$freeze_thaw_ms" ;;
    *) torn="thawed while $_ft_phase: no snapshot was taken" events=0 ;;
  esac
  torn=${_ft_torn:-$torn}
  [ "$fired" = false ] || torn='the dead-man fired'
  deadman_alive "$rec" || [ "$fired" = true ] || torn=${torn:-'the dead-man was gone'}
  freeze_lists
  if [ "$_ft_ok" = yes ]; then
    deadman_disarm "$rec"
    record_remove "$rec"
  else
    log "NOT THAWED: $failed $unsettled; the record and the dead-man stay"
  fi
  if [ "$_ft_phase" = snapshotted ] && ! snapshots_ready "$arg_group" "$arg_run" "$arg_freeze"; then
    torn=${torn:-"the snapshot of source $snap_failed can't be read: $snap_problem"}
  fi
  json_quote "$torn"
  freeze_say thawed "\"torn\":$json,\"containers\":[$json_ours],\"pausedMs\":$((unpaused_up - ${freeze_pause_up:-$unpaused_up})),\"thawMs\":$freeze_thaw_ms,\"events\":$events,\"deadmanFired\":$fired,\"thawed\":[$thawed],\"failed\":[$failed${failed:+${unsettled:+,}}$unsettled]"
}
