# The layout of a host as it was sealed with a backup, gzip'd.
# keys: store:name group:group id:id host:name

# Set or read elsewhere:
: "${arg_group-}" "${arg_host-}" "${arg_id-}" "${arg_store-}" "${store_view-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/stores.sh"

verb_main() {
  stores_load "$arg_store" "$arg_group"
  stores_need_id "$arg_id"
  stores_view "$arg_id"
  layout_file=$store_view/resurgo/layouts/$arg_host.json
  if [ ! -f "$layout_file" ] || [ -h "$layout_file" ]; then
    fail not-found "backup $arg_id holds no layout of $arg_host; see 'resurgo show $arg_id'"
  fi
  layout_text=$(gzip -nc -9 <"$layout_file" | base64 | tr -d '\n')
  reply "\"layout\":\"$layout_text\""
}
