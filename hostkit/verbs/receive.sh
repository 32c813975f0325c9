#!/bin/sh
# The receiving end of a grant: one jailed rsync daemon on this connection (S22, S25, S29). It ends with the connection.
# keys: grant:grant
# by: grant

: "${arg_grant-}" "${grant_dir-}" "${grant_purpose-}" "${grant_until_ms-}" "${time-}" "${scope_path-}" "${scope_meta-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/grants.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/scopes.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/jail.sh"

verb_main() {
  with_lock "grant-$arg_grant"
  grant_enter receive
  scope_path
  jail_write "$grant_dir"
  unlock
  hostkit_replied=yes
  : "$hostkit_replied"
  jail_serve "$grant_dir/rsyncd.conf"
}
