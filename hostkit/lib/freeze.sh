# The freeze on one host: what is paused, recorded before it is touched, reversed by whoever comes first: the session, the dead-man,
# the `thaw` verb, the sweep. docs/hostkit.md has the session's protocol.

# Set or read elsewhere:
: "${boot-}" "${json-}" "${rec_armed-}" "${rec_boot-}" "${rec_group-}" "${rec_limit-}" "${rec_run-}" "${rec_token-}" \
  "${uptime-}" "${was_fired-}"

# shellcheck source=lib/deadman.sh
. "$RESURGO_LIB/lib/deadman.sh"
# shellcheck source=lib/snapshots.sh
. "$RESURGO_LIB/lib/snapshots.sh"
# shellcheck source=workloads/docker.sh
. "$RESURGO_LIB/workloads/docker.sh"
# shellcheck source=workloads/containers.sh
. "$RESURGO_LIB/workloads/containers.sh"
# shellcheck source=workloads/units.sh
. "$RESURGO_LIB/workloads/units.sh"

# wall_prepare: busybox's date knows whole seconds only, too coarse to place docker's events: then the wall clock is reckoned from the
# monotonic one, by the moment at which the second turns. Costs up to a second, before anything is paused.
wall_prepare() {
  wall_offset=''
  case $(date +%s%3N) in
    *[!0-9]*)
      _wp_second=$(date +%s)
      _wp_next=$_wp_second
      while [ "$_wp_next" = "$_wp_second" ]; do _wp_next=$(date +%s); done
      read_uptime
      wall_offset=$((_wp_next * 1000 - uptime))
      ;;
  esac
}

# read_wall: sets time, ms since 1970, to the millisecond (ten of them where date is coarse).
read_wall() {
  if [ -n "${wall_offset-}" ]; then
    read_uptime
    time=$((wall_offset + uptime))
  else
    read_time
  fi
}

# thaw_record REC: reverses everything that the record names and sees it run; sets thawed, failed, unsettled (JSON members).
# Returns 1 when something still stands; the record and its dead-man are then left for the next try.
thaw_record() {
  thawed='' failed='' unsettled='' _tr_bad=0
  if record_read "$1"; then
    read_boot
    # After a reboot no container of ours is paused any more; units and hooks are as they were left.
    [ "$boot" != "$rec_boot" ] || containers_unpause "$1" || _tr_bad=1
    units_unpause "$1" || _tr_bad=1
    hooks_after "$1" || _tr_bad=1
  fi
  return "$_tr_bad"
}

# workload_failed NAME WHY: adds what does not run again to failed (JSON members) and to failed_why, for people.
workload_failed() {
  json_quote "$1"
  failed="$failed${failed:+,}$json"
  failed_why="${failed_why-}${failed_why:+; }$1${2:+: $2}"
}

# hooks_after REC: runs the "after" of each hook whose "before" ran for this record.
hooks_after() {
  [ -s "$1/hooks" ] || return 0
  hooks_rec=$1 hooks_bad=0
  config_each hook "$rec_group" hooks_after_take
  return "$hooks_bad"
}
hooks_after_take() {
  [ "$2" = after ] && grep -qx "$3" "$hooks_rec/hooks" || return 0
  json_quote "hook $3"
  # What it says is worth less than that it runs: a full disk must not keep it.
  hooks_log=$RESURGO_VAR/log/hooks.log
  ( : >>"$hooks_log" ) 2>/dev/null || hooks_log=/dev/null
  if timeout -k 5 "$4" "$5" after "$rec_group" "$rec_run" </dev/null >>"$hooks_log" 2>&1; then
    thawed="$thawed${thawed:+,}$json"
    grep -vx "$3" "$hooks_rec/hooks" >"$hooks_rec/hooks.new"
    mv -f "$hooks_rec/hooks.new" "$hooks_rec/hooks"
  else
    hooks_bad=1
    failed="$failed${failed:+,}$json"
  fi
}

# thaw_group GROUP: reverses the freeze of that group, and its hooks. Idempotent. Sets all_thawed, all_failed, was_fired.
thaw_group() {
  all_thawed='' all_failed='' was_fired=false
  for _tg_rec in "$RESURGO_VAR/deadman/$1" "$RESURGO_VAR/deadman/$1.hooks"; do
    [ -e "$_tg_rec/meta" ] || continue
    session_end "$_tg_rec"
    [ ! -e "$_tg_rec/meta" ] || thaw_and_remove "$_tg_rec"
  done
  [ -z "$all_failed" ]
}

# thaw_and_remove REC: reverses, disarms, removes; a record that can't be reversed stays, and so does its dead-man. So does one that
# another freeze has put in its place while a slow unit or hook of the old one was started: its pause needs both.
thaw_and_remove() {
  [ ! -e "$1/fired" ] || was_fired=true
  if thaw_record "$1"; then
    _ta_token=$rec_token
    record_read "$1" || :
    if [ "$rec_token" = "$_ta_token" ]; then
      deadman_disarm "$1"
      record_remove "$1"
    fi
  else
    deadman_alive "$1" || deadman_arm "$1" || :
    log "not reversed: $failed $unsettled"
  fi
  all_thawed="$all_thawed${all_thawed:+${thawed:+,}}$thawed"
  failed="$failed${failed:+${unsettled:+,}}$unsettled"
  all_failed="$all_failed${all_failed:+${failed:+,}}$failed"
}

# thaw_stale: what nobody watches any more: another boot's records, and those whose limit has passed (the boot-time sweep, S2).
thaw_stale() {
  all_thawed='' all_failed='' was_fired=false
  records_each thaw_stale_take
  [ -z "$all_failed" ]
}
thaw_stale_take() {
  record_read "$1" || return 0
  read_boot
  read_uptime
  if [ "$boot" != "$rec_boot" ] || [ "$uptime" -gt $((rec_armed + rec_limit)) ]; then thaw_and_remove "$1"; fi
  return 0
}

# freeze_clean GROUP: an older freeze of the group leaves nothing: it is thawed and its snapshots are dropped. A retry never mixes two
# instants.
freeze_clean() {
  if [ -e "$RESURGO_VAR/deadman/$1/meta" ]; then
    record_read "$RESURGO_VAR/deadman/$1"
    _fc_run=$rec_run
    session_end "$RESURGO_VAR/deadman/$1"
    thaw_and_remove "$RESURGO_VAR/deadman/$1"
    [ -z "$all_failed" ] || fail failed "an older freeze (run $_fc_run) can't be thawed: look at it on the host" "\"failed\":[$all_failed]"
  fi
}

# session_end REC: the older session may still wait on a connection that nobody has: it is ended (it thaws by its own trap), then
# killed.
session_end() {
  [ -s "$1/session" ] && read -r _se_pid _se_start <"$1/session" || return 0
  _se_tries=0
  while [ "$_se_pid" != $$ ] && same_process "$_se_pid" "$_se_start" && [ "$_se_tries" -lt 60 ]; do
    [ "$_se_tries" -ne 0 ] || kill -TERM "$_se_pid" 2>/dev/null
    [ "$_se_tries" -ne 50 ] || kill -KILL "$_se_pid" 2>/dev/null
    _se_tries=$((_se_tries + 1))
    sleep 0.1
  done
  return 0
}
