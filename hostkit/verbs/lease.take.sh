#!/bin/sh
# Takes the group's lease. At the store, term 0 asks for the next term; at a host the given term raises the fence. Either way older
# runs' receivers and jobs are ended here before the answer (S4). `least` asks the store for a term that high: its count began anew (another
# target, one that was enrolled again), and a host has seen higher ones.
# keys: group:series run:run owner:text term:int ttl:seconds store:name? least:int=0

: "${arg_group-}" "${arg_run-}" "${arg_owner-}" "${arg_term-}" "${arg_ttl-}" "${arg_store-}" "${arg_least-}"
: "${lease_term-}" "${lease_run-}" "${lease_live-}" "${lease_until_ms-}" "${lease_json-}" "${lease_owner-}" "${fence_term-}" "${fence_run-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/lease.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/jobs.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/grants.sh"

verb_main() {
  [ -z "$arg_store" ] || config_accepts "$arg_store" "${arg_group%.rescue}" '' ||
    fail not-allowed "store $arg_store takes nothing of group $arg_group; enrol it for this group"
  with_lock "fence-$arg_group"
  fence_read "$arg_group"
  lease_read "$arg_group"
  if [ "$arg_term" -eq 0 ]; then take_next; else take_given; fi
  [ "$take_term/$arg_run" = "$fence_term/$fence_run" ] || fence_raise "$arg_group" "$take_term" "$arg_run"
  lease_write "$arg_group" "$take_term" "$arg_run" "$arg_owner" $((arg_ttl * 1000))
  unlock
  grants_end_older "$arg_group" "$arg_run"
  jobs_end_older "$arg_group" "$arg_run"
  log "lease of group $arg_group taken, term $take_term"
  reply "\"term\":$take_term,\"untilMs\":$lease_until_ms"
}

take_next() {
  if [ "$lease_run" = "$arg_run" ] && [ "$lease_term" -eq "$fence_term" ] && [ "$fence_run" = "$arg_run" ]; then
    take_term=$lease_term
  else
    if [ "$lease_live" = yes ]; then
      lease_holder
      fail lease-held "group $arg_group is held by run $lease_run of $lease_owner; wait for it, or end it where it was started" "\"holder\":$lease_json"
    fi
    take_term=$fence_term
    [ "$lease_term" -le "$take_term" ] || take_term=$lease_term
    take_term=$((take_term + 1))
  fi
  [ "$take_term" -ge "$arg_least" ] || take_term=$arg_least
}

# The store has handed this term out, so whoever holds a lower one here has lost it. Where it is lower than what was seen here and nobody holds
# the group here now, `seen` lets the run ask its store for a higher one.
take_given() {
  if [ "$arg_term" -lt "$fence_term" ] && [ "$lease_live" != yes ]; then
    fail fenced "term $arg_term of run $arg_run is lower than term $fence_term of run $fence_run, which has been here" "\"seen\":$fence_term"
  fi
  fence_admit "$arg_term" "$arg_run"
  take_term=$arg_term
}
