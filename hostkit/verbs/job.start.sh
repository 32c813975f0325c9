#!/bin/sh
# Starts a durable job, or attaches to the one of that name: a retry never runs it twice. One that failed is started again only by a
# later attempt; one that died (a reboot, a kill) by any. `boot`: in that boot of this host and no other, for what a later one knows nothing of.
# With wait_ms the answer is that of job.poll, as it is when the job has ended, or after that time.
# keys: job:job kind:name boot:name? wait_ms:int=0
# fenced: yes
# more: jobs kind

: "${arg_boot-}" "${arg_job-}" "${arg_kind-}" "${arg_group-}" "${arg_run-}" "${arg_wait_ms-}" "${boot-}" "${job_report-}" "${job_state-}" "${job_exit-}" "${job_group-}" "${job_run-}" "${json-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/jobs.sh"

verb_main() {
  if [ -n "$arg_boot" ]; then
    read_boot
    [ "$boot" = "$arg_boot" ] || fail rebooted 'this system was booted anew since: what had been mounted and opened is not any more'
  fi
  with_lock "job-$arg_job"
  job_look "$arg_job"
  start_attached=true
  if job_owner && [ "$job_group/$job_run" != "$arg_group/$arg_run" ]; then
    fail exists "job $arg_job belongs to run $job_run of group $job_group; a job's name begins with its run"
  fi
  case $job_state in
    running) ;;
    exited)
      if [ "$job_exit" != 0 ] && job_superseded; then start_job; fi
      ;;
    *) start_job ;;
  esac
  start_report=
  if [ "$arg_wait_ms" -gt 0 ]; then
    # The runner holds the lock until it has said its pid.
    unlock
    job_settled "$arg_job"
    job_wait "$arg_job" "$arg_wait_ms"
    job_report
    start_report=,$job_report
  fi
  json_quote "$arg_job"
  reply "\"job\":$json,\"attached\":$start_attached$start_report"
}

start_job() {
  start_attached=false
  job_spawn
  log "job $arg_job of kind $arg_kind started"
}
