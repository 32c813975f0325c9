#!/bin/sh
# Ends a job's whole process tree and sees it gone.
# keys: job:job
# fenced: yes

: "${arg_job-}" "${arg_group-}" "${arg_run-}" "${job_state-}" "${job_group-}" "${job_run-}" "${json-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/jobs.sh"

verb_main() {
  with_lock "job-$arg_job"
  job_look "$arg_job"
  if job_owner && [ "$job_group" != "$arg_group" ]; then
    fail not-allowed "job $arg_job belongs to group $job_group; ask as that group"
  fi
  job_stop "$arg_job" || fail busy "job $arg_job can't be ended: a process hangs in the kernel (state D); look at this host's disks and try again"
  job_look "$arg_job"
  reply "\"state\":\"$job_state\""
}
