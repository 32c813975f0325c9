#!/bin/sh
# The sending end of a grant where the receiver dials (dial=in): lends this connection to the rsync client of the send job, which takes
# it with `bridge`. What is sent is that job's affair; the one who dials chooses nothing.
# keys: grant:grant
# by: grant

: "${arg_grant-}" "${grant_run-}" "${starttime-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/grants.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/jail.sh"

verb_main() {
  with_lock "grant-$arg_grant"
  grant_enter send
  send_slots=$RESURGO_VAR/runs/$grant_run/slots/$arg_grant
  own_dir "$RESURGO_VAR/runs" "$RESURGO_VAR/runs/$grant_run" "$RESURGO_VAR/runs/$grant_run/slots" "$send_slots"
  send_slot=$send_slots/$$
  # A process of this number, from before a reboot.
  rm -rf -- "$send_slot.new" "$send_slot.free" "$send_slot.taken"
  mkdir "$send_slot.new"
  mkfifo "$send_slot.new/up" "$send_slot.new/down"
  unlock
  hostkit_replied=yes
  : "$hostkit_replied"
  # Held for both ways: what the peer says before the slot is taken stays in the pipe, and nothing blocks.
  exec 5<&0 6<>"$send_slot.new/down"
  read_starttime $$
  printf '%s %s\n' $$ "$starttime" >"$send_slot.new/owner"
  # The folder is renamed by whoever takes it, so the pipe is opened from within.
  cd "$send_slot.new" || exit 1
  mv "$send_slot.new" "$send_slot.free"
  # Whichever way ends first ends the other; an idle slot goes with its connection.
  cat up 5<&- 6<&- &
  send_up=$!
  (
    cat <&5 >&6 || :
    kill "$send_up" 2>/dev/null || :
  ) &
  send_down=$!
  exec 5<&- 6<&-
  wait "$send_up" || :
  kill "$send_down" 2>/dev/null || :
  cd /
  rm -rf -- "$send_slot.free" "$send_slot.taken"
}
