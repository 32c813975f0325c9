# fenced: yes
# Reverses whatever a freeze of this group has paused, by the record on disk. Idempotent.

# Set or read elsewhere:
: "${all_failed-}" "${all_thawed-}" "${arg_group-}" "${was_fired-}"

# shellcheck source=lib/freeze.sh
. "$RESURGO_LIB/lib/freeze.sh"

verb_main() {
  set +e
  if thaw_group "$arg_group"; then
    reply "\"thawed\":[$all_thawed],\"failed\":[],\"deadmanFired\":$was_fired"
  else
    fail failed 'some still stand: the dead-man goes on trying; look at docker or systemd on this host' "\"thawed\":[$all_thawed],\"failed\":[$all_failed],\"deadmanFired\":$was_fired"
  fi
}
