#!/bin/sh
# How a job is: its state, progress, result and, when it failed, the end of its log.
# keys: job:job

: "${arg_job-}" "${job_state-}" "${job_exit-}" "${job_ended-}" "${job_dir-}" "${line-}" "${json-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/jobs.sh"

verb_main() {
  job_look "$arg_job"
  if [ "$job_state" = starting ]; then
    # Either a start is under way, which holds the lock until there is a pid, or one was cut off.
    with_lock "job-$arg_job"
    job_look "$arg_job"
    unlock
    [ "$job_state" != starting ] || job_state=died
  fi
  poll_body="\"state\":\"$job_state\""
  if [ "$job_state" != unknown ]; then
    poll_tail=
    case $job_state/$job_exit in
      running/ | exited/0) ;;
      *) [ ! -r "$job_dir/log" ] || poll_tail=$(tail -c 2048 "$job_dir/log") ;;
    esac
    json_quote "$poll_tail"
    poll_body="$poll_body,\"tail\":$json"
    [ -z "$job_exit" ] || poll_body="$poll_body,\"exit\":$job_exit,\"endedMs\":$job_ended"
    for poll_file in progress result; do
      ! read_line "$job_dir/$poll_file" || poll_body="$poll_body,\"$poll_file\":{$line}"
    done
    ! read_line "$job_dir/started" || poll_body="$poll_body,\"startedMs\":$line"
  fi
  reply "$poll_body"
}
