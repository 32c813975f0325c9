# The listing that was sealed with a backup: one line of JSON, then its gzip'd bytes.
# keys: store:name group:group id:id tree:tree

# Set or read elsewhere:
: "${arg_group-}" "${arg_id-}" "${arg_store-}" "${arg_tree-}" "${store_error-}" "${store_view-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/stores.sh"

verb_main() {
  stores_load "$arg_store" "$arg_group"
  stores_need_id "$arg_id"
  listing_dir=$(mktemp -d)
  cd "$listing_dir" || fail internal "cannot enter $listing_dir"
  trap 'listing_close' EXIT
  kind_view "$arg_id" "$listing_dir/view" || fail failed "$store_error"
  listing_gz=$store_view/resurgo/listings/$arg_tree.gz
  [ -f "$listing_gz" ] || fail not-found "backup $arg_id holds no listing of $arg_tree; see 'resurgo show $arg_id'"
  listing_sum=$(sha256sum <"$listing_gz")
  reply "\"bytes\":$(wc -c <"$listing_gz"),\"sha256\":\"${listing_sum%% *}\""
  cat "$listing_gz"
}

# listing_close: what was sent is whole, whatever becomes of the view: one that is still in use goes at the store's next change.
listing_close() {
  kind_unview "$arg_id" "$listing_dir/view" || log "$store_error"
  rm -f "$listing_dir/zfs.err"
  rmdir "$listing_dir"
}
