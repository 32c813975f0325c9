# Is there a safety snapshot of this restore to go back to? The going back itself is the job `restore-undo`: it may take long.
# keys: group:group source:name run:run

# Set or read elsewhere:
: "${arg_group-}" "${arg_run-}" "${arg_source-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/snapshots.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/view.sh"

verb_main() {
  config_source "$arg_group" "$arg_source" || fail not-allowed "this host has no source '$arg_source' in group $arg_group"
  undo_there=false
  if view_latest "$arg_group" "$arg_run" "$arg_source"; then undo_there=true; fi
  reply "\"source\":\"$arg_source\",\"possible\":$undo_there"
}
