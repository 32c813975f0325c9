#!/bin/sh
# The receiving end of a grant: one jailed rsync daemon on this connection, or one tar where the grant is for that (S22, S25, S29). It ends with
# the connection.
# keys: grant:grant
# by: grant

: "${arg_grant-}" "${grant_dir-}" "${grant_purpose-}" "${grant_until_ms-}" "${time-}" "${grant_stream-}" "${scope_path-}" "${scope_meta-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/grants.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/scopes.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/jail.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/tar-stream.sh"

verb_main() {
  with_lock "grant-$arg_grant"
  grant_enter receive
  scope_path
  jail_write "$grant_dir"
  unlock
  hostkit_replied=yes
  : "$hostkit_replied"
  if [ "$grant_stream" = 1 ]; then tar_receive; else jail_serve "$grant_dir/rsyncd.conf"; fi
}
