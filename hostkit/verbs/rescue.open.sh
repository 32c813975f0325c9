# Makes the place where rescue media of a host arrive: PLACE/GROUP/rescue/HOST/ID.part. What an earlier build left half received goes: whoever
# holds the lease is alone. Asked again, it keeps what has arrived.
# keys: store:name host:name id:id
# fenced: yes

# Set or read elsewhere:
: "${arg_group-}" "${arg_host-}" "${arg_id-}" "${arg_store-}" "${store_error-}" "${store_rescue-}" "${store_root-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/rescue-store.sh"

verb_main() {
  rescue_store_load "$arg_store" "$arg_group" "$arg_host"
  # The kinds leave their tools' last words in the working folder.
  own_dir "$RESURGO_RUN"
  cd "$RESURGO_RUN" || fail internal "cannot enter $RESURGO_RUN"
  # Where no backup has ever been opened, this is the store's beginning.
  if [ ! -d "$store_root" ]; then
    with_lock "$(stores_lock_name)"
    kind_prepare || fail failed "$store_error"
    stores_know || fail failed "$store_error"
    unlock
  fi
  rescue_store_lock
  kind_rescue || fail failed "$store_error"
  stores_need_space
  [ ! -e "$store_rescue/$arg_host/$arg_id" ] || fail exists "store $arg_store holds rescue media $arg_id of $arg_host already; build again"
  own_dir "$store_rescue/$arg_host" "$store_rescue/$arg_host/$arg_id.part"
  rescue_swept "$arg_host" "$arg_id"
  reply "\"id\":\"$arg_id\""
}
