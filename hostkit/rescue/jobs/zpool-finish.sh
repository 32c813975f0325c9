# Sets what of a pool had to wait for its data, and writes the file that the new system imports it by at its boot. `datasets`: one a line,
# `PROPERTY VALUE DATASET`, `-` for a value that was not set.
# keys: tree:tree name:text properties:lines? datasets:lines? cache:path?
# tools: zpool zfs

# Set or read elsewhere:
: "${arg_cache-}" "${arg_datasets-}" "${arg_name-}" "${arg_properties-}" "${arg_run-}" "${new_place-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/new.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/pools.sh"

job_main() {
  new_enter
  pool_module
  pool_must "$arg_name"
  if [ -n "$arg_properties" ]; then
    while IFS= read -r finish_line; do
      property_check "${finish_line%%=*}"
      zpool set "$finish_line" "$arg_name" >finish.out 2>&1 || job_fail failed "$finish_line can not be set for pool $arg_name: $(tail -n 2 finish.out | tr '\n' ' ')"
    done <<PROPERTIES
$arg_properties
PROPERTIES
  fi
  if [ -n "$arg_datasets" ]; then
    while read -r finish_property finish_value finish_dataset; do
      property_check "$finish_property"
      pool_check "$finish_dataset"
      [ "${finish_dataset%%/*}" = "$arg_name" ] || job_fail bad-request "$finish_dataset is not of pool $arg_name"
      finish_set
    done <<DATASETS
$arg_datasets
DATASETS
  fi
  [ -z "$arg_cache" ] || finish_cache
  json_quote "$arg_cache"
  job_result "\"pool\":\"$arg_name\",\"cache\":$json"
}

# finish_set: what it says afterwards counts: a share that can't be shared from here is no matter.
finish_set() {
  if [ "$finish_value" = - ]; then
    # Not inherited from anywhere: back to what it is when nobody has set it.
    zfs inherit -S "$finish_property" "$finish_dataset" >finish.out 2>&1 || zfs set "$finish_property=on" "$finish_dataset" >>finish.out 2>&1 || :
    finish_value=on
  else
    zfs set "$finish_property=$finish_value" "$finish_dataset" >finish.out 2>&1 || :
  fi
  [ "$(zfs get -H -o value "$finish_property" "$finish_dataset")" = "$finish_value" ] ||
    job_fail failed "$finish_property=$finish_value can not be set for $finish_dataset: $(tail -n 2 finish.out | tr '\n' ' ')"
}

# finish_cache: kept by ZFS itself while the pool is imported; an export takes it out of there, so that the new system has a copy of before.
finish_cache() {
  finish_file=$RESURGO_RUN/zpool.cache
  zpool set "cachefile=$finish_file" "$arg_name" >finish.out 2>&1 || job_fail failed "pool $arg_name can not be noted for the boot: $(tail -n 2 finish.out | tr '\n' ' ')"
  finish_tries=0
  until [ -f "$finish_file" ] && new_tells "$arg_name" <"$finish_file"; do
    finish_tries=$((finish_tries + 1))
    [ "$finish_tries" -le 60 ] || job_fail failed "ZFS has not noted pool $arg_name in $finish_file within 30 s"
    sleep 0.5
  done
  new_place "$arg_cache"
  [ ! -d "$new_place" ] || job_fail exists "$arg_cache of the new system is a folder"
  (umask 022 && mkdir -p "${new_place%/*}" && cat "$finish_file" >"$new_place.resurgo-new") || job_fail no-space "$new_place can not be written: is its file system full?"
  if ! sync "$new_place.resurgo-new" || ! mv -f "$new_place.resurgo-new" "$new_place"; then job_fail failed "$new_place can not be written"; fi
  atomic_put "$RESURGO_VAR/runs/$arg_run/made/cache.$arg_name" "$arg_cache"
}
