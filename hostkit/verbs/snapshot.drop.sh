# keys: target_run:run freeze:text=-1
# fenced: yes
# Removes the snapshots that a run has taken on this host.

# Set or read elsewhere:
: "${arg_freeze-}" "${arg_group-}" "${arg_target_run-}" "${dropped-}" "${snap_problem-}"

# shellcheck source=lib/freeze.sh
. "$RESURGO_LIB/lib/freeze.sh"

verb_main() {
  set +e
  case $arg_freeze in
    -1) ;;
    *) check_type int "$arg_freeze" || fail bad-request 'freeze is a number, or -1 for all of that run' ;;
  esac
  snapshots_drop_run "$arg_group" "$arg_target_run" "$arg_freeze" ||
    fail busy "not every snapshot could be removed: $snap_problem: end what reads it and try again" "\"dropped\":[$dropped]"
  reply "\"dropped\":[$dropped]"
}
