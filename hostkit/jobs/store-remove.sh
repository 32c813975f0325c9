# Removes one sealed backup, unless the target's own floor, a hold or a reader says no (S27). Idempotent.
# keys: store:name id:id

# Set or read elsewhere:
: "${arg_group-}" "${arg_id-}" "${arg_store-}" "${store_error-}" "${store_holds-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/listing.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/stores.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/retention.sh"

job_main() {
  stores_load "$arg_store" "$arg_group"
  with_lock "$(stores_lock_name)"
  kind_swept || job_fail busy "$store_error"
  if ! stores_has "$arg_id"; then
    stores_uncatalogue "$arg_id"
    job_result "\"id\":\"$arg_id\",\"removed\":false"
    return 0
  fi
  if stores_held "$arg_id"; then job_fail not-allowed "backup $arg_id is held by: $store_holds; release it first"; fi
  if kind_busy "$arg_id"; then job_fail busy "backup $arg_id is being read; wait until that restore is done"; fi
  retention_floor "$arg_store" "$arg_group"
  remove_why=$(retention_whole | retention_kept | sed -n "s/^$arg_id //p")
  [ -z "$remove_why" ] \
    || job_fail not-allowed "this host keeps backup $arg_id ($remove_why) whatever the director says; its floor is the keep line of $RESURGO_ETC/host.conf"
  kind_remove "$arg_id" || job_fail busy "$store_error"
  stores_uncatalogue "$arg_id"
  job_result "\"id\":\"$arg_id\",\"removed\":true"
}
