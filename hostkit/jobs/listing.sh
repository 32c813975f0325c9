# The listing of a source's snapshot (source), of what was received (store tree), or of a sealed backup (store tree id).
# keys: source:name? store:name? tree:tree? id:id?

# Set or read elsewhere:
: "${arg_group-}" "${arg_run-}" "${listing_error-}" "${luks_told-}" "${patterns-}" "${src_tree-}" "${store_current-}" "${store_error-}" "${store_view-}" "${view_told-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/snapshots.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/view.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/luks-headers.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/listing.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/stores.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/sources.sh"

job_main() {
  list_told=''
  list_out=$RESURGO_VAR/runs/$arg_run
  mkdir -p "$list_out"
  if [ -n "$arg_source" ]; then
    sources_view "$arg_source" "$PWD/view"
    sources_filters "$arg_source" "$PWD/filters" "$PWD/view"
    list_tree "$PWD/view" "$list_out/$src_tree.listing" "$PWD/filters"
    luks_headers_note "$list_out/$src_tree.headers"
    luks_headers_told "$list_out/$src_tree.listing"
    view_intact "$arg_source"
    list_told=",\"patterns\":$patterns$view_told$luks_told"
  else
    [ -n "$arg_store" ] || job_fail bad-request 'a listing needs a source, or a store'
    [ -n "$arg_tree" ] || job_fail bad-request 'the listing of a store needs a tree'
    stores_load "$arg_store" "$arg_group"
    # Of a sealed backup any tree is shown, also one that has left the runbook since.
    list_asked=$arg_tree
    [ -z "$arg_id" ] || list_asked=
    config_accepts "$arg_store" "$arg_group" "$list_asked" || job_fail not-allowed "store '$arg_store' holds no tree $arg_tree"
    if [ -n "$arg_id" ]; then list_sealed; else list_tree "$store_current/$arg_tree" "$list_out/$arg_tree.listing" ''; fi
  fi
  job_result "$(listing_result)$list_told"
}

list_sealed() {
  stores_need_id "$arg_id"
  trap 'kind_unview "$arg_id" "$PWD/view"' EXIT
  kind_view "$arg_id" "$PWD/view" || job_fail failed "$store_error"
  list_tree "$store_view/$arg_tree" "$list_out/$arg_tree.listing" ''
  kind_unview "$arg_id" "$PWD/view" || job_fail busy "$store_error"
  trap - EXIT
}

list_tree() {
  [ -d "$1" ] || job_fail not-found "there is no tree at $1"
  listing_make "$1" "$PWD/work" "$PWD/listing" "$3" || { view_blame; job_fail failed "$listing_error"; }
  listing_keep listing "$2" || job_fail failed "cannot write $2"
  rm -rf work
}
