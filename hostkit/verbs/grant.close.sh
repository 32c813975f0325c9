#!/bin/sh
# Closes one grant of this run, or all of them: the line goes, its receivers are ended and seen gone.
# keys: grant:grant?
# fenced: yes

: "${arg_group-}" "${arg_run-}" "${arg_grant-}" "${grant_group-}" "${grant_run-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/grants.sh"

verb_main() {
  if [ -z "$arg_grant" ]; then
    grants_close_run "$arg_run"
  else
    if grant_load "$arg_grant" && [ "$grant_group/$grant_run" != "$arg_group/$arg_run" ]; then
      fail not-allowed "grant $arg_grant belongs to run $grant_run of group $grant_group; close it as that run"
    fi
    grants_close "$arg_grant"
  fi
  reply
}
