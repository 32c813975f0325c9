#!/bin/sh
# Starts a durable job, or attaches to the one of that name: a retry never runs it twice. One that failed is started again only by a
# later attempt; one that died (a reboot, a kill) by any.
# keys: job:job kind:name
# fenced: yes
# more: jobs kind

: "${arg_job-}" "${arg_kind-}" "${arg_group-}" "${arg_run-}" "${job_state-}" "${job_exit-}" "${job_group-}" "${job_run-}" "${json-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/jobs.sh"

verb_main() {
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
  json_quote "$arg_job"
  reply "\"job\":$json,\"attached\":$start_attached"
}

start_job() {
  start_attached=false
  job_spawn
  log "job $arg_job of kind $arg_kind started"
}
