# Safety snapshots: what a restore overwrites is snapshotted first, under the restore's own run. They outlive the restore, however it
# ends, by SAFETY_KEEP_MS (lib/snapshots.sh): the operator can go back to them by hand (docs/operations.md).

# Set or read elsewhere:
: "${arg_freeze-}" "${arg_group-}" "${arg_run-}" "${arg_source-}" "${real_path-}" "${snap_name-}" "${snap_problem-}" \
  "${snap_record-}" "${source_names-}" "${src_kind-}" "${time-}"

# safety_take: a snapshot of $arg_source as freeze $arg_freeze of $arg_run, once. Sets safety_name, empty where the kind has none. Each
# source has a freeze of its own: what is taken anew drops what the same freeze took before.
safety_take() {
  safety_name=
  config_source "$arg_group" "$arg_source" || fail not-allowed "this host has no source '$arg_source' in group $arg_group"
  [ "$src_kind" != none ] || return 0
  snapshot_record_path "$arg_group" "$arg_run" "$arg_freeze" "$arg_source"
  if [ -f "$snap_record.done" ]; then read -r safety_name <"$snap_record.done"; return 0; fi
  for safety_other in "${snap_record%/*}"/*.done; do
    [ ! -f "$safety_other" ] || fail bad-request "freeze $arg_freeze of run $arg_run holds another source: name a freeze of its own for $arg_source"
  done
  snapshot_source "$arg_group" "$arg_source"
  "snapshot_${src_kind}_identity" || fail failed "source $arg_source: $snap_problem"
  "snapshot_${src_kind}_prepare" || fail failed "source $arg_source: $snap_problem"
  "snapshot_${src_kind}_nested" || fail failed "source $arg_source: $snap_problem"
  # An answer that was lost leaves a snapshot without its mark; nothing was restored yet, so it is taken anew.
  snapshots_drop_run "$arg_group" "$arg_run" "$arg_freeze" || fail busy "an earlier safety snapshot can't be removed: $snap_problem"
  source_names=$arg_source
  own_dir "${snap_record%/*}"
  read_time
  atomic_put "${snap_record%/*}/safety" "$time"
  sync -f "$real_path"
  snapshots_take "$arg_group" "$arg_run" "$arg_freeze" || fail failed "no safety snapshot of $arg_source: $snap_problem"
  source_names=$arg_source
  snapshots_ready "$arg_group" "$arg_run" "$arg_freeze" || fail failed "no safety snapshot of $arg_source: $snap_problem"
  safety_name=$snap_name
  snapshot_record_path "$arg_group" "$arg_run" "$arg_freeze" "$arg_source"
  atomic_put "$snap_record.done" "$safety_name"
}
