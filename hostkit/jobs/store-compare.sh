# The target's own listing of a received tree against the source's, which came with the data (S9).
# keys: store:name tree:tree sha256:hex live:bool=0

# Set or read elsewhere:
: "${LISTING_DROP-}" "${arg_group-}" "${arg_live-}" "${arg_run-}" "${arg_sha256-}" "${arg_store-}" "${arg_tree-}" \
  "${json-}" "${listing_differences-}" "${listing_error-}" "${listing_sha256-}" "${store_coarse-}" "${store_current-}" \
  "${store_open_run-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/listing.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/stores.sh"

job_main() {
  stores_load "$arg_store" "$arg_group"
  if ! stores_marked || [ "$store_open_run" != "$arg_run" ]; then
    job_fail fenced "store '$arg_store' is not open for run $arg_run; open it again"
  fi
  compare_mark=$RESURGO_VAR/runs/$arg_run/compared/$arg_tree
  rm -f "$compare_mark"
  [ -d "$store_current/$arg_tree" ] || job_fail not-found "nothing of $arg_tree has arrived; send it again"
  # Where nothing had to be sent no listing came either: the one that the last backup was sealed with is the same, as its sum shows.
  compare_came=$RESURGO_VAR/runs/$arg_run/incoming/$arg_tree/listing.gz
  [ -f "$compare_came" ] || compare_came=$store_current/resurgo/listings/$arg_tree.gz
  compare_source "$compare_came"
  job_progress '"step":"compare"'
  # The seal asks whether anything in the tree changed after this moment: ctime can't be set by a sender.
  mkdir -p "$RESURGO_VAR/runs/$arg_run/compared"
  : >"$RESURGO_VAR/runs/$arg_run/compared/.begun.$arg_tree"
  # A kernel that labels every file by itself shows labels that the source never had.
  LISTING_DROP=
  listing_has source security.selinux || LISTING_DROP=security.selinux
  listing_make "$store_current/$arg_tree" "$PWD/work" "$PWD/target" || job_fail failed "$listing_error"
  rm -rf work
  compare_source_side=source
  compare_target_side=target
  if [ "$store_coarse" = yes ]; then
    listing_coarse source >source.coarse
    listing_coarse target >target.coarse
    compare_source_side=source.coarse
    compare_target_side=target.coarse
  fi
  listing_compare "$compare_source_side" "$compare_target_side" differences || :
  compare_lines=
  while IFS= read -r compare_line; do
    json_quote "$compare_line"
    compare_lines=$compare_lines${compare_lines:+,}$json
  done <differences
  if [ "$listing_differences" = 0 ] || [ "$arg_live" = 1 ]; then compare_keep; fi
  job_result "$(listing_result),\"equal\":$([ "$listing_differences" = 0 ] && echo true || echo false),\"count\":$listing_differences,\"wholeSeconds\":$([ "$store_coarse" = yes ] && echo true || echo false),\"differences\":[$compare_lines]"
}

# compare_source GZ: unpacks the source's listing to ./source and checks that it is the one that the source reported.
compare_source() {
  [ -f "$1" ] || job_fail not-found "the listing of $arg_tree has not arrived; send it again"
  # A hostile source may send a small file that unpacks to a whole disk.
  compare_limit=$((256 * 1024 * 1024 + $(wc -c <"$1") * 64))
  gzip -dc -- "$1" 2>/dev/null | head -c "$compare_limit" >source
  compare_sum=$(sha256sum <source)
  [ "${compare_sum%% *}" = "$arg_sha256" ] \
    || job_fail failed "the listing of $arg_tree that arrived is not the one that its source made; send it again"
}

# compare_keep: what the seal needs: the mark with the sum, and the listing itself (the target's own where the tree was live).
compare_keep() {
  mkdir -p "$RESURGO_VAR/runs/$arg_run/listings" || job_fail failed 'cannot keep the result'
  compare_kept=source
  if [ "$listing_differences" != 0 ] || [ "$store_coarse" = yes ]; then compare_kept=target; fi
  gzip -n -c "$compare_kept" | atomic_write "$RESURGO_VAR/runs/$arg_run/listings/$arg_tree.gz"
  printf '%s\n' "$listing_sha256" | atomic_write "$compare_mark"
}
