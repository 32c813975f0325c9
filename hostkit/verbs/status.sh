#!/bin/sh
# What exists of a group on this host now, and of which run.
# keys: group:series

: "${arg_group-}" "${json-}" "${left_json-}" "${line-}" "${deadmen-}" "${lease_term-}" "${lease_json-}" "${lease_live-}" "${job_state-}" "${job_exit-}"
: "${job_group-}" "${job_run-}" "${grant_group-}" "${grant_run-}" "${grant_purpose-}" "${grant_scope-}" "${grant_until_ms-}" "${grant_peer-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/lease.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/jobs.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/grants.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/left.sh"

verb_main() {
  status_leases=
  lease_read "$arg_group"
  if [ "$lease_term" != 0 ]; then
    lease_holder
    status_live=false
    [ "$lease_live" = no ] || status_live=true
    status_leases="${lease_json%\}},\"live\":$status_live}"
  fi
  status_grants=
  grants_each status_take_grant
  status_jobs=
  jobs_each status_take_job
  status_runs=
  left_runs "$arg_group" status_take_run
  left_snapshots "$arg_group"
  deadmen=
  status_paused=
  if own_part "$RESURGO_LIB/lib/deadman.sh"; then
    # shellcheck source=/dev/null
    . "$RESURGO_LIB/lib/deadman.sh"
    deadmen_list
    records_each status_take_paused
  fi
  # The run that has stopped the group for a restore and not started it again (S21).
  status_restore=
  if read_line "$RESURGO_VAR/workloads/$arg_group/run"; then
    json_quote "$line"
    status_restore=",\"restore\":$json"
  fi
  reply "\"leases\":[$status_leases],\"grants\":[$status_grants],\"jobs\":[$status_jobs],\"snapshots\":[$left_json],\"deadmen\":[$deadmen],\"paused\":[$status_paused],\"runs\":[$status_runs]$status_restore"
}

status_take_grant() {
  grant_load "$1" || return 0
  [ "$grant_group" = "$arg_group" ] || return 0
  json_quote "$grant_peer"
  status_grants="$status_grants${status_grants:+,}{\"name\":\"$1\",\"run\":\"$grant_run\",\"purpose\":\"$grant_purpose\",\"scope\":\"$grant_scope\",\"peer\":$json,\"untilMs\":$grant_until_ms}"
}

status_take_job() {
  job_look "$1"
  job_owner || return 0
  [ "$job_group" = "$arg_group" ] || return 0
  status_jobs="$status_jobs${status_jobs:+,}{\"name\":\"$1\",\"run\":\"$job_run\",\"state\":\"$job_state\"${job_exit:+,\"exit\":$job_exit}}"
}

status_take_run() { status_runs="$status_runs${status_runs:+,}{\"name\":\"$1\",\"run\":\"$1\"}"; }

# What a record of this group names as paused or stopped, a line each, as its parts wrote it.
status_take_paused() {
  record_read "$1" || return 0
  [ "${rec_group-}" = "$arg_group" ] || return 0
  for status_file in containers units left engine; do
    [ -s "$1/$status_file" ] || continue
    while IFS= read -r status_line <&8; do
      json_quote "$status_line"
      status_paused="$status_paused${status_paused:+,}{\"kind\":\"$status_file\",\"run\":\"${rec_run-}\",\"name\":$json}"
    done 8<"$1/$status_file"
  done
}
