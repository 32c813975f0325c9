#!/bin/sh
# How a job is: its state, progress, result and, when it failed, the end of its log. With wait_ms the answer comes when the job has
# ended, or after that time (10 s at most): its end is then known at once, without a look every few milliseconds from afar.
# keys: job:job wait_ms:int=0

: "${arg_job-}" "${arg_wait_ms-}" "${job_report-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/jobs.sh"

verb_main() {
  job_settled "$arg_job"
  job_wait "$arg_job" "$arg_wait_ms"
  job_report
  reply "$job_report"
}
