# Opens `current` for a run: what the last sealed backup holds, whatever was done to `current` since (S15).
# keys: store:name

# Set or read elsewhere:
: "${json-}" "${arg_group-}" "${arg_run-}" "${arg_store-}" "${store_coarse-}" "${store_current-}" "${store_error-}" "${store_free-}" "${store_last-}" \
  "${store_open_run-}" "${store_root-}" "${store_total-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/listing.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/stores.sh"

job_main() {
  stores_load "$arg_store" "$arg_group"
  config_accepts "$arg_store" "$arg_group" '' \
    || job_fail not-allowed "store '$arg_store' takes nothing of group $arg_group; enrol its host with this group"
  with_lock "$(stores_lock_name)"
  kind_prepare || job_fail failed "$store_error"
  stores_know || job_fail failed "$store_error"
  kind_swept || job_fail failed "$store_error"
  stores_last
  # Which trees are not as sealed, for all starts of this job.
  open_cut=$RESURGO_VAR/runs/$arg_run/cut
  # What another run has received goes with the roll-back: only then is it known how much room there is.
  open_counted=no
  if ! stores_marked || [ "$store_open_run" = "$arg_run" ]; then
    stores_need_space
    open_counted=yes
  fi
  # The same run again, after a broken answer or a crash: what it received so far stays.
  if ! { stores_marked && [ "$store_open_run" = "$arg_run" ] && [ -d "$store_current" ] && [ -f "$open_cut" ]; }; then
    # The mark comes first, so that no moment shows a half rolled back `current` as whole; it names no run until it is done.
    stores_mark opening || job_fail failed "cannot write in $store_root"
    kind_rollback "$store_last" || job_fail failed "$store_error"
    [ "$open_counted" = yes ] || open_count
    open_ids=
    : >taken
    config_each accept "$arg_store" open_take_up
    own_dir "$RESURGO_VAR/runs" "$RESURGO_VAR/runs/$arg_run"
    store_cut_links "$store_current" "$open_cut" || job_fail failed "cannot separate hard links in $store_current"
    cat taken >>"$open_cut" || job_fail failed "cannot write in $RESURGO_VAR/runs/$arg_run"
    rm -rf -- "$RESURGO_VAR/runs/$arg_run/compared"
    stores_mark "$arg_run" || job_fail failed "cannot write in $store_root"
  fi
  open_changed=
  while IFS= read -r open_tree; do
    json_quote "$open_tree"
    open_changed=$open_changed${open_changed:+,}$json
  done <"$open_cut"
  stores_space
  job_result "\"last\":\"$store_last\",\"changed\":[$open_changed],\"usedBytes\":$((store_total - store_free)),\"freeBytes\":$store_free,\"wholeSeconds\":$([ "$store_coarse" = yes ] && echo true || echo false),\"warnings\":$(stores_warnings)"
}

# open_take_up STORE GROUP TREE: a tree that the last backup lacks (a partial one, without a host that was away) begins from the newest that holds
# it: else all of it would be sent, and kept, once more. It is told as one that is not as sealed last, and compared with its source before it is
# sealed (S9).
open_take_up() {
  if [ -z "$store_last" ] || [ "$2" != "$arg_group" ] || [ -e "$store_current/$3" ] || [ -h "$store_current/$3" ]; then return 0; fi
  [ -n "$open_ids" ] || open_ids=$(kind_ids | sort -r)
  for open_id in $open_ids; do
    kind_holds "$open_id" "$3" || continue
    ! kind_take_up "$open_id" "$3" || printf '%s\n' "$3" >>taken
    return 0
  done
}

# open_count: what the roll-back has freed counts, after 20 s at most. Where it is not enough `current` is what was sealed last, and nobody
# writes it.
open_count() {
  open_tries=0
  until stores_above_floor; do
    open_tries=$((open_tries + 1))
    if [ "$open_tries" -gt 20 ]; then
      stores_unmark
      stores_need_space
    fi
    kind_freed
    sleep 1
  done
}
