#!/bin/sh
# Prolongs the lease, as long as it is still this run's.
# keys: group:series run:run term:int ttl:seconds owner:text? store:name?

: "${arg_group-}" "${arg_run-}" "${arg_term-}" "${arg_ttl-}"
: "${lease_term-}" "${lease_run-}" "${lease_owner-}" "${lease_until_ms-}" "${fence_term-}" "${fence_run-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/lease.sh"

verb_main() {
  with_lock "fence-$arg_group"
  fence_read "$arg_group"
  lease_read "$arg_group"
  [ "$arg_term/$arg_run/$arg_term/$arg_run" = "$fence_term/$fence_run/$lease_term/$lease_run" ] ||
    fail fenced "run $arg_run with term $arg_term no longer holds group $arg_group (term $fence_term, run $fence_run); start the run again"
  lease_write "$arg_group" "$lease_term" "$lease_run" "$lease_owner" $((arg_ttl * 1000))
  reply "\"term\":$lease_term,\"untilMs\":$lease_until_ms"
}
