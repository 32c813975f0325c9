# How full the store is, in bytes, and what is unsafe about how it is mounted.
# keys: store:name group:group

# Set or read elsewhere:
: "${arg_group-}" "${arg_store-}" "${json-}" "${store_floor-}" "${store_folder-}" "${store_free-}" "${store_total-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/stores.sh"

verb_main() {
  stores_load "$arg_store" "$arg_group"
  stores_space
  json_quote "$(stat -f -c %T -- "$store_folder" 2>/dev/null)"
  reply "\"totalBytes\":$store_total,\"freeBytes\":$store_free,\"usedBytes\":$((store_total - store_free)),\"reservePercent\":${store_reserve:-0},\"floorBytes\":$store_floor,\"fsType\":$json,\"warnings\":$(stores_warnings)"
}
