# Holds a backup by a name: nothing removes it until every hold is released. Idempotent.
# keys: store:name id:id name:name
# fenced: yes

# Set or read elsewhere:
: "${arg_group-}" "${arg_id-}" "${arg_name-}" "${arg_run-}" "${arg_store-}" "${store_catalog-}" "${time-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/stores.sh"

verb_main() {
  stores_load "$arg_store" "$arg_group"
  with_lock "$(stores_lock_name)"
  stores_need_id "$arg_id"
  mkdir -p "$store_catalog/holds/$arg_id"
  read_time
  atomic_put "$store_catalog/holds/$arg_id/$arg_name" "$arg_run $time"
  reply "\"id\":\"$arg_id\",\"name\":\"$arg_name\""
}
