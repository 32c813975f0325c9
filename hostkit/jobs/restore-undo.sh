# Undoes a restore in place: the source becomes what its safety snapshot holds; mounts below it are left alone (S20).
# keys: source:name excludes:b64?

# Set or read elsewhere:
: "${arg_excludes-}" "${arg_group-}" "${arg_path-}" "${arg_run-}" "${arg_source-}" "${arg_subpath-}" "${arg_tree-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/snapshots.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/view.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/protect.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/destination.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/undo.sh"

job_main() {
  arg_path=''
  arg_tree=''
  arg_subpath=''
  destination_find
  snapshot_view "$arg_group" "$arg_source" "$arg_run" "$PWD/view"
  protect_rules "$arg_excludes" '' filters || job_fail bad-request 'the excludes are not base64'
  destination_mounts >>filters
  view_excludes "$arg_source" | sed 's/^/- /' >>filters
  undo_apply "$PWD/view"
  job_result "\"files\":${undo_files:-0},\"deletions\":${undo_deleted:-0}"
}
