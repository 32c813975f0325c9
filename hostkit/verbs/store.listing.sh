# The listing that was sealed with a backup: one line of JSON, then its gzip'd bytes.
# keys: store:name group:group id:id tree:tree

# Set or read elsewhere:
: "${arg_group-}" "${arg_id-}" "${arg_store-}" "${arg_tree-}" "${store_view-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/stores.sh"

verb_main() {
  stores_load "$arg_store" "$arg_group"
  stores_need_id "$arg_id"
  stores_view "$arg_id"
  listing_gz=$store_view/resurgo/listings/$arg_tree.gz
  [ -f "$listing_gz" ] || fail not-found "backup $arg_id holds no listing of $arg_tree; see 'resurgo show $arg_id'"
  listing_sum=$(sha256sum <"$listing_gz")
  reply "\"bytes\":$(wc -c <"$listing_gz"),\"sha256\":\"${listing_sum%% *}\""
  cat "$listing_gz"
}
