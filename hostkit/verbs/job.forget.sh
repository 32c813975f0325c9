#!/bin/sh
# Ends and removes the jobs of a run, and the run's folder with its keys.
# keys: target_run:run
# fenced: yes

: "${arg_group-}" "${arg_target_run-}" "${job_state-}" "${job_group-}" "${job_run-}" "${json-}" "${job_dir-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/jobs.sh"

verb_main() {
  forgotten=
  jobs_each forget_job
  # The folder's mark says whose it is; another group can't take a run's keys away.
  forget_folder=$RESURGO_VAR/runs/$arg_target_run
  if [ -d "$forget_folder" ] && run_is_ours "$arg_target_run"; then
    with_lock "run-$arg_target_run"
    rm -rf -- "$forget_folder"
    lock_forget "run-$arg_target_run"
  fi
  reply "\"forgotten\":[$forgotten]"
}

forget_job() {
  job_look "$1"
  job_owner || return 0
  [ "$job_group" = "$arg_group" ] && [ "$job_run" = "$arg_target_run" ] || return 0
  with_lock "job-$1"
  job_stop "$1" || fail busy "job $1 can't be ended; look at this host's disks (state D) and try again"
  rm -rf -- "$job_dir"
  lock_forget "job-$1"
  json_quote "$1"
  forgotten="$forgotten${forgotten:+,}$json"
}

run_is_ours() {
  forget_group=$arg_group
  [ ! -r "$forget_folder/group" ] || read -r forget_group <"$forget_folder/group"
  [ "$forget_group" = "$arg_group" ]
}
