#!/bin/sh
# Finds what dead runs of a group have left on this host; with fix=1 mends it (S8). A run is dead when its term is superseded, its lease
# was given back or ran out a day ago, or the director names it as dead. A run that may still come back is left alone.
# keys: group:series fix:bool target_run:run?

: "${arg_group-}" "${arg_fix-}" "${arg_target_run-}" "${json-}" "${line-}" "${time-}" "${uptime-}" "${boot-}"
: "${fence_term-}" "${fence_run-}" "${lease_run-}" "${lease_live-}" "${lease_ttl-}" "${lease_until_ms-}"
: "${job_state-}" "${job_group-}" "${job_run-}" "${grant_group-}" "${grant_run-}" "${grant_until_ms-}" "${left_safety_runs-}" "${left_snapshot_runs-}"
: "${rec_group-}" "${rec_boot-}" "${rec_armed-}" "${rec_limit-}" "${rec_run-}" "${all_thawed-}" "${all_failed-}" "${was_fired-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/lease.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/jobs.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/grants.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/left.sh"

verb_main() {
  sweep_found=
  sweep_mended=
  read_time
  sweep_deadmen
  sweep_jobs=
  jobs_each sweep_take_job
  sweep_grants=
  grants_each sweep_take_grant
  sweep_list "$sweep_grants" grant sweep_close
  sweep_list "$sweep_jobs" job sweep_stop
  left_snapshots "$arg_group"
  sweep_list "$left_snapshot_runs" snapshots sweep_drop
  sweep_list "$left_safety_runs" safety sweep_drop
  sweep_runs=
  left_runs "$arg_group" sweep_take_run
  sweep_list "$sweep_runs" run sweep_forget
  [ "$arg_fix" = 0 ] || [ -z "$sweep_found" ] || log "sweep of group $arg_group: $sweep_mended"
  reply "\"found\":[$sweep_found],\"mended\":[$sweep_mended]"
}

# sweep_dead RUN
sweep_dead() {
  # A restore that is not done or undone: its safety snapshot is the only way back, whoever says that the run is over (S21).
  ! read_line "$RESURGO_VAR/workloads/$arg_group/run" || [ "$line" != "$1" ] || return 1
  [ "$1" != "$arg_target_run" ] || return 0
  # Read anew for each, and so after what it has left was seen: a run raises the fence before it does anything here, and one may have begun
  # while this sweep waited for the end of a job.
  fence_read "$arg_group"
  lease_read "$arg_group"
  [ "$fence_term" != 0 ] || return 1
  [ "$1" = "$fence_run" ] || return 0
  [ "$1" = "$lease_run" ] || return 1
  [ "$lease_live" = no ] || return 1
  [ "$lease_ttl" != 0 ] || return 0
  [ "$time" -gt $((lease_until_ms + 86400000)) ]
}

# sweep_list NAMES KIND MENDER: each name is reported, and mended where that is asked for. Names hold no space.
sweep_list() {
  sweep_names=$1
  while [ -n "$sweep_names" ]; do
    sweep_name=${sweep_names%% *}
    case $sweep_names in *' '*) sweep_names=${sweep_names#* } ;; *) sweep_names= ;; esac
    [ -n "$sweep_name" ] || continue
    # Of snapshots the name is the run's; a living run's are no leftover.
    case $2 in snapshots | safety) sweep_dead "$sweep_name" || continue ;; esac
    sweep_entry="{\"kind\":\"$2\",\"name\":\"$sweep_name\"}"
    sweep_found="$sweep_found${sweep_found:+,}$sweep_entry"
    [ "$arg_fix" = 1 ] || continue
    "$3" "$sweep_name" || continue
    sweep_mended="$sweep_mended${sweep_mended:+,}$sweep_entry"
  done
}

sweep_deadmen() {
  own_part "$RESURGO_LIB/lib/freeze.sh" || return 0
  # shellcheck source=/dev/null
  . "$RESURGO_LIB/lib/freeze.sh"
  # Gathered by each thaw; what the sweep has mended it sees by the records that are gone.
  all_thawed='' all_failed='' was_fired=false
  sweep_late=
  records_each sweep_take_record
  sweep_list "$sweep_late" deadman sweep_thaw
}

sweep_take_record() {
  record_read "$1" || return 0
  [ "$rec_group" = "$arg_group" ] || return 0
  read_boot
  read_uptime
  if [ "$boot" != "$rec_boot" ] || [ "$uptime" -gt $((rec_armed + rec_limit)) ] || sweep_dead "$rec_run"; then
    sweep_late="$sweep_late ${1##*/}"
  fi
}

sweep_thaw() {
  [ -d "$RESURGO_VAR/deadman/$1" ] || return 0
  thaw_and_remove "$RESURGO_VAR/deadman/$1"
  [ ! -d "$RESURGO_VAR/deadman/$1" ]
}

sweep_take_job() {
  job_look "$1"
  job_owner || return 0
  [ "$job_group" = "$arg_group" ] && sweep_dead "$job_run" || return 0
  sweep_jobs="$sweep_jobs $1"
}

sweep_stop() {
  with_lock "job-$1"
  job_stop "$1" || return 1
  rm -rf -- "$RESURGO_VAR/jobs/$1"
  lock_forget "job-$1"
}

sweep_take_grant() {
  grant_load "$1" || return 0
  [ "$grant_group" = "$arg_group" ] || return 0
  [ "$time" -gt "$grant_until_ms" ] || sweep_dead "$grant_run" || return 0
  sweep_grants="$sweep_grants $1"
}

sweep_close() { grants_close "$1"; }

sweep_drop() { snapshots_drop_run "$arg_group" "$1" -1; }

sweep_take_run() {
  ! sweep_dead "$1" || sweep_runs="$sweep_runs $1"
}

sweep_forget() {
  with_lock "run-$1"
  rm -rf -- "$RESURGO_VAR/runs/$1"
  lock_forget "run-$1"
}
