# fenced: yes
# Reverses workload.pause. Idempotent.

# Set or read elsewhere:
: "${arg_group-}"

# shellcheck source=lib/freeze.sh
. "$RESURGO_LIB/lib/freeze.sh"

verb_main() {
  set +e
  all_thawed='' all_failed='' was_fired=false
  [ ! -e "$RESURGO_VAR/deadman/$arg_group.hand/meta" ] || thaw_and_remove "$RESURGO_VAR/deadman/$arg_group.hand"
  [ -z "$all_failed" ] || fail failed 'some still stand: the dead-man goes on trying' "\"thawed\":[$all_thawed],\"failed\":[$all_failed]"
  reply "\"thawed\":[$all_thawed],\"failed\":[],\"deadmanFired\":$was_fired"
}
