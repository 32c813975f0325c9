#!/bin/sh
# Durable remote jobs: they outlive the connection and the worker; a retry attaches.
#
# $RESURGO_VAR/jobs/JOB holds
#   request   the request as it came: the runner reads and checks it again
#   owner     GROUP RUN TERM ATTEMPT of the newest start
#   pid       PID STARTTIME BOOT of the runner, written by itself before anything else; one file, so it is whole or not there
#   log       what the job said; log.1 that of the start before
#   progress, result   JSON fragments, by atomic rename
#   started, exit      ms; `EXITCODE MS`, by atomic rename, the last thing that a job does
# No pid and no exit: `starting`, which a start under the job's lock repairs. The lock passes to the runner and is held until pid is
# there, so two starts can't both run one, even when the first was killed in the middle.

: "${RESURGO_LIB?}" "${arg_job-}" "${arg_kind-}" "${arg_group-}" "${arg_run-}" "${arg_term-}" "${arg_attempt-}" "${arg_io-}"
: "${boot-}" "${json-}" "${line-}" "${time-}" "${request_pairs-}" "${procs-}" "${uptime-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/procs.sh"

# job_look JOB: sets $job_dir, $job_state (unknown starting running exited died) and, where exited, $job_exit $job_ended.
job_look() {
  job_dir=$RESURGO_VAR/jobs/$1
  job_state=unknown
  job_exit=
  job_ended=
  [ -d "$job_dir" ] || return 0
  if job_has_ended; then return 0; fi
  if [ -r "$job_dir/pid" ]; then
    # Another request may have removed it since it was looked at.
    job_pid='' job_start='' job_boot=''
    read -r job_pid job_start job_boot <"$job_dir/pid" || :
    read_boot
    if [ "$boot" = "$job_boot" ] && same_process "$job_pid" "$job_start"; then
      job_state=running
    elif ! job_has_ended; then # it may have ended between the two looks
      job_state=died
    fi
  else
    job_state=starting
  fi
}

job_has_ended() {
  [ -r "$job_dir/exit" ] && read -r job_exit job_ended <"$job_dir/exit" || return 1
  job_state=exited
  : "$job_exit" "$job_ended"
}

# job_settled JOB: job_look, with no job that is neither begun nor not: one whose start was cut off has died.
job_settled() {
  job_look "$1"
  [ "$job_state" = starting ] || return 0
  # Either a start is under way, which holds the lock until there is a pid, or one was cut off.
  with_lock "job-$1"
  job_look "$1"
  unlock
  [ "$job_state" != starting ] || job_state=died
}

# job_wait JOB MS: after job_settled, until the job has ended or the time is over, 10 s at most. The looks become rarer, so that a long wait costs
# next to nothing.
job_wait() {
  job_left=$2
  [ "$job_left" -le 10000 ] || job_left=10000
  read_uptime
  job_until=$((uptime + job_left))
  job_nap=20
  while [ "$job_state" = running ] && [ "$uptime" -lt "$job_until" ]; do
    sleep "0.$(printf '%03d' "$job_nap")"
    [ "$job_nap" -ge 200 ] || job_nap=$((job_nap * 5 / 4))
    job_look "$1"
    read_uptime
  done
}

# job_report: sets $job_report: the state that job_look has found, the progress, the result and, of one that failed, the end of its log.
job_report() {
  job_report="\"state\":\"$job_state\""
  [ "$job_state" != unknown ] || return 0
  job_tail=
  case $job_state/$job_exit in
    running/ | exited/0) ;;
    *) [ ! -r "$job_dir/log" ] || job_tail=$(tail -c 2048 "$job_dir/log") ;;
  esac
  json_quote "$job_tail"
  job_report="$job_report,\"tail\":$json"
  [ -z "$job_exit" ] || job_report="$job_report,\"exit\":$job_exit,\"endedMs\":$job_ended"
  for job_file in progress result; do
    ! read_line "$job_dir/$job_file" || job_report="$job_report,\"$job_file\":{$line}"
  done
  ! read_line "$job_dir/started" || job_report="$job_report,\"startedMs\":$line"
}

# job_owner: sets $job_group $job_run $job_term $job_attempt of the newest start.
job_owner() {
  job_group=
  job_run=
  job_term=0
  job_attempt=0
  [ -r "$job_dir/owner" ] || return 1
  read -r job_group job_run job_term job_attempt <"$job_dir/owner"
}

# job_superseded: is this request a later attempt than the one that the job was started by?
job_superseded() {
  [ "$arg_term" -gt "$job_term" ] || { [ "$arg_term" -eq "$job_term" ] && [ "$arg_attempt" -gt "$job_attempt" ]; }
}

# job_spawn: starts $arg_job under its lock, which the caller holds, and returns when its runner has said its pid.
job_spawn() {
  # What a killed runner left must not write beside its successor.
  job_clear || fail busy "processes of an earlier start of job $arg_job can't be ended; look at the host's disks (state D) and try again"
  own_dir "$RESURGO_VAR/jobs" "$job_dir"
  rm -f "$job_dir/exit" "$job_dir/pid" "$job_dir/progress" "$job_dir/result"
  [ ! -e "$job_dir/log" ] || mv -f "$job_dir/log" "$job_dir/log.1"
  read_time
  printf '%s\n' "$time" >"$job_dir/started"
  printf 'resurgo 1 job.start\n%s.\n' "$request_pairs" | atomic_write "$job_dir/request"
  atomic_put "$job_dir/owner" "$arg_group $arg_run $arg_term $arg_attempt"
  # Whoever has taken the lease since the fence was checked either sees this owner and stops the job, or is seen here (S4).
  fence_still
  : >>"$job_dir/log"
  job_unit=resurgo-job-$arg_job.service
  if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null; then
    # A unit of that name is a start that was cut off: it needs only to be waited for.
    systemctl is-active --quiet "$job_unit" || job_run_unit
  else
    job_run_session
  fi
  job_tries=0
  until [ -r "$job_dir/pid" ]; do
    job_tries=$((job_tries + 1))
    [ "$job_tries" -lt 500 ] || fail internal "job $arg_job did not start within 10 s; see $job_dir/log on the host"
    sleep 0.02
  done
}

# The shell that runs us runs the job too (a rescue system may have busybox alone).
job_shell() {
  job_exe=$(readlink "/proc/$$/exe")
  case $job_exe in */busybox*) job_applet='sh' ;; *) job_applet='' ;; esac
}

job_run_session() {
  job_shell
  (
    cd "$job_dir" || exit 1
    RESURGO_JOB=$arg_job
    export RESURGO_JOB
    set -- setsid unshare -m --propagation private "$job_exe" ${job_applet:+"$job_applet"} "$RESURGO_LIB/job-runner" "$arg_job"
    case ${arg_io:-normal} in
      idle) set -- nice -n 19 ionice -c 3 "$@" ;;
      low) set -- nice -n 10 ionice -c 2 -n 7 "$@" ;;
    esac
    # exec: no shell of ours stays behind holding the lock (fd 9, which the runner closes) or the connection's pipes.
    exec "$@" </dev/null >>log 2>&1 &
  )
}

job_run_unit() {
  job_shell
  systemctl reset-failed "$job_unit" 2>/dev/null || :
  set -- --nice=0
  case ${arg_io:-normal} in
    idle) set -- --nice=19 -p IOSchedulingClass=idle ;;
    low) set -- --nice=10 -p IOSchedulingClass=best-effort -p IOSchedulingPriority=7 ;;
  esac
  systemd-run --quiet --collect --unit="$job_unit" --description="Resurgo job $arg_job" "$@" \
    -p KillMode=control-group -p WorkingDirectory="$job_dir" -p "StandardOutput=append:$job_dir/log" -p "StandardError=append:$job_dir/log" \
    --setenv=RESURGO_JOB="$arg_job" \
    unshare -m --propagation private "$job_exe" ${job_applet:+"$job_applet"} "$RESURGO_LIB/job-runner" "$arg_job" \
    </dev/null >/dev/null 9>&- || fail failed "systemd refuses to run job $arg_job; see: systemctl status $job_unit"
}

# job_clear: ends whatever still runs of the job at $job_dir (its whole tree); 1 if something can't be ended.
job_clear() {
  if [ -d /run/systemd/system ] && systemctl is-active --quiet "resurgo-job-${job_dir##*/}.service"; then
    timeout 20 systemctl stop "resurgo-job-${job_dir##*/}.service" >/dev/null 2>&1 9>&- || :
  fi
  procs_end "RESURGO_JOB=${job_dir##*/}"
}

# job_stop JOB: ends it, confirmed; one that had not ended by itself has then exit 143. 1 if it can't be ended.
# The caller holds its lock.
job_stop() {
  job_look "$1"
  case $job_state in
    unknown) return 0 ;;
    exited) ;;
    *)
      # Its tree first, then its verdict: nobody may start it again while something runs.
      job_clear || return 1
      if ! job_has_ended; then
        read_time
        atomic_put "$job_dir/exit" "143 $time"
        log "job $1 stopped"
      fi
      ;;
  esac
  job_clear
}

# jobs_each CALLBACK: calls it with the name of each job on this host.
jobs_each() {
  for jobs_path in "$RESURGO_VAR"/jobs/*/; do
    [ -d "$jobs_path" ] || continue
    jobs_path=${jobs_path%/}
    "$1" "${jobs_path##*/}"
  done
}

# jobs_end_older GROUP RUN: stops the jobs of that group that belong to other runs (their lease is lost, S4), seen gone.
jobs_end_older() {
  jobs_end_group=$1 jobs_end_run=$2 jobs_end_what=''
  jobs_each jobs_end_one
}

# jobs_end_kind GROUP RUN KIND: stops that run's jobs of that kind, seen gone.
jobs_end_kind() {
  jobs_end_group=$1 jobs_end_run=$2 jobs_end_what=$3
  jobs_each jobs_end_one
}

jobs_end_one() {
  job_look "$1"
  case $job_state in running | starting | died) ;; *) return 0 ;; esac
  job_owner && [ "$job_group" = "$jobs_end_group" ] || return 0
  if [ -z "$jobs_end_what" ]; then
    [ "$job_run" != "$jobs_end_run" ] || return 0
  else
    [ "$job_run" = "$jobs_end_run" ] && grep -qx "kind $jobs_end_what" "$job_dir/request" || return 0
  fi
  with_lock "job-$1"
  job_stop "$1" || fail busy "job $1 of run $job_run can't be ended; look at this host's disks (state D) and try again"
  unlock
}
