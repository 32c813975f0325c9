#!/bin/sh
# Gives the lease back; nothing happens when it is another's. The term stays: it never goes back.
# keys: group:series run:run term:int owner:text? store:name?

: "${arg_group-}" "${arg_run-}" "${arg_term-}" "${lease_run-}" "${lease_term-}" "${lease_owner-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/lease.sh"

verb_main() {
  with_lock "fence-$arg_group"
  lease_read "$arg_group"
  if [ "$lease_run" = "$arg_run" ] && [ "$lease_term" -eq "$arg_term" ]; then
    # A released lease stays written, run out at once: the sweep then knows that the run is over.
    lease_write "$arg_group" "$lease_term" "$lease_run" "$lease_owner" 0
    reply '"released":true'
  else
    reply '"released":false'
  fi
}
