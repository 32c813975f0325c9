# Removes what has arrived of rescue media whose build was given up; what is in the list already stays. Idempotent.
# keys: store:name host:name id:id
# fenced: yes

# Set or read elsewhere:
: "${arg_group-}" "${arg_host-}" "${arg_id-}" "${arg_run-}" "${arg_store-}" "${store_rescue-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/rescue-store.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/grants.sh"

verb_main() {
  rescue_store_load "$arg_store" "$arg_group" "$arg_host"
  grants_close_run "$arg_run"
  rescue_store_lock
  rm -rf --one-file-system -- "$store_rescue/$arg_host/$arg_id.part"
  reply "\"id\":\"$arg_id\""
}
