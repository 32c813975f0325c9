# Releases a hold by its name. Idempotent.
# keys: store:name id:id name:name
# fenced: yes

# Set or read elsewhere:
: "${arg_group-}" "${arg_id-}" "${arg_name-}" "${arg_store-}" "${store_catalog-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/stores.sh"

verb_main() {
  stores_load "$arg_store" "$arg_group"
  with_lock "$(stores_lock_name)"
  rm -f -- "$store_catalog/holds/$arg_id/$arg_name"
  rmdir -- "$store_catalog/holds/$arg_id" 2>/dev/null || :
  reply "\"id\":\"$arg_id\",\"name\":\"$arg_name\""
}
