#!/bin/sh
# How a job is: its state, progress, result and, when it failed, the end of its log. With wait_ms the answer comes when the job has
# ended, or after that time (10 s at most): its end is then known at once, without a look every few milliseconds from afar.
# keys: job:job wait_ms:int=0

: "${arg_job-}" "${arg_wait_ms-}" "${uptime-}" "${job_state-}" "${job_exit-}" "${job_ended-}" "${job_dir-}" "${line-}" "${json-}"

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
  poll_wait
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

# poll_wait: until the job has ended or the time is over. The looks become rarer, so that a long wait costs next to nothing.
poll_wait() {
  poll_left=$arg_wait_ms
  [ "$poll_left" -le 10000 ] || poll_left=10000
  read_uptime
  poll_until=$((uptime + poll_left))
  poll_nap=20
  while [ "$job_state" = running ] && [ "$uptime" -lt "$poll_until" ]; do
    sleep "0.$(printf '%03d' "$poll_nap")"
    [ "$poll_nap" -ge 200 ] || poll_nap=$((poll_nap * 5 / 4))
    job_look "$arg_job"
    read_uptime
  done
}
