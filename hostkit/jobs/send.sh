# A source's snapshot into the peer's jail: the listing first, then the data, then the listing beside it (S9, S10, S11).
# keys: source:name grant:grant peer:name? peer_host:host? peer_port:int=22 peer_user:name? peer_key:pubkey? signature:b64? streams:int=1
# keys: bandwidth_kib:int=0 io:word(normal|low|idle)=normal dial:word(out|in)=out checksum:bool=0
# keys: listing:hex? fresh:bool=0 base:hex?
#
# `listing` names the sum of the listing that job `listing` has made of this snapshot; without, one is made here. `fresh` says that nothing of
# this tree lies at the target, `base` that just the tree of the listing with that sum lies there (it was sealed so). Then what differs from it
# is all that has to be visited; else one pass visits the whole tree. Whether it is all, the comparison at the target tells (S9).

# Set or read elsewhere:
: "${arg_base-}" "${arg_checksum-}" "${arg_fresh-}" "${arg_group-}" "${arg_listing-}" "${arg_run-}" "${arg_source-}" "${arg_streams-}" "${client_attributes-}" "${client_base-}" "${client_keep-}" "${client_inplace-}" \
  "${listing_count-}" "${listing_error-}" "${listing_sparse-}" "${luks_told-}" "${patterns-}" "${plan_beside-}" \
  "${plan_big-}" "${plan_bytes-}" "${plan_cut-}" "${plan_files-}" "${plan_rest-}" "${plan_streams-}" "${src_tree-}" "${stat-}" "${streams_bad-}" "${view_live-}" "${view_told-}"

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
. "$RESURGO_LIB/lib/rsync-client.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/streams.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/sources.sh"

job_main() {
  sources_view "$arg_source" "$PWD/view"
  sources_filters "$arg_source" "$PWD/filters" "$PWD/view"
  client_connect
  send_kept=$RESURGO_VAR/runs/$arg_run/$src_tree.listing
  # A key may have been changed since that listing was made.
  if [ -n "$arg_listing" ] && luks_headers_as "$send_kept.headers" && listing_kept "$send_kept" "$arg_listing"; then
    cp "$send_kept" listing || job_fail failed 'cannot write the listing'
  else
    job_progress '"step":"listing"'
    listing_make "$PWD/view" "$PWD/work" "$PWD/listing" "$PWD/filters" || { view_blame; job_fail failed "source $arg_source: $listing_error"; }
  fi
  [ "$listing_count" -gt 0 ] || job_fail failed "source $arg_source is empty and has no root; look at its snapshot"
  send_meta_begin
  send_data
  send_meta_end
  luks_headers_told listing
  view_intact "$arg_source"
  own_dir "$RESURGO_VAR/sent" "$RESURGO_VAR/sent/$arg_group"
  send_hint=$RESURGO_VAR/sent/$arg_group/$arg_source
  send_filters=$RESURGO_VAR/sent/$arg_group/.filters.$arg_source
  rm -f "$send_filters"
  mv -f listing "$send_hint" && mv -f filters "$send_filters"
  rm -rf work lists
  job_result "$(listing_result),\"sentBytes\":$sent_bytes,\"sentFiles\":$sent_files,\"deleted\":$deleted,\"patterns\":$patterns$view_told$luks_told"
}

send_data() {
  sent_bytes=0
  sent_files=0
  deleted=0
  # -S costs time per file and does nothing where no file has holes.
  client_sparse=-S
  [ "$listing_sparse" -gt 0 ] || client_sparse=--no-S
  # A live tree may cut a link between two attempts; only a frozen one is safe to write in place. What is not written so, a file of several names
  # too, and breaks off, stays under its name as far as it has come, as a file of its own: the next attempt goes on from it (--partial).
  client_inplace=1 client_keep=-W
  [ "$view_live" = no ] || client_inplace=0 client_keep=--partial
  listing_has listing security.selinux || client_private_xattrs="$client_private_xattrs security.selinux"
  plan_rest=whole
  # What is to be sent, as far as the listings tell; 0: unknown.
  plan_bytes=0
  if [ "$arg_checksum" = 0 ]; then
    send_base
    # Should the target make some by itself, the comparison finds them, and the pass after it asks (S9).
    [ "$send_known" = no ] || ! send_bare listing || ! send_bare "$send_hint" || client_attributes=
    streams_plan listing "$send_hint" "$arg_streams" lists "$send_known" || job_fail failed 'cannot write the lists of the streams'
    [ "$plan_cut" = 0 ] || send_pass cut -W --ignore-times --force "$client_sparse" --from0 --files-from=lists/cut
    if [ "$plan_files" -gt 0 ] && { [ "$plan_big" -gt 0 ] || [ "$plan_streams" -gt 1 ] || [ "$plan_rest" != whole ]; }; then
      streams_run "$plan_streams" "$PWD/view" "$plan_bytes" || client_verdict "$streams_bad"
    fi
  fi
  client_base=$sent_bytes
  case $plan_rest in
    none) ;;
    some)
      if [ "$plan_beside" = no ] || [ "$plan_files" = 0 ]; then
        client_watched "$plan_bytes" rest streams_rest "$PWD/view"
        send_sum_up rest
      fi
      ;;
    *)
      # Planned against what may lie there no more, the sum says nothing of this pass.
      [ "${send_known-no}" = yes ] || plan_bytes=0
      # What is excluded now may have been sent before.
      set -- -H --partial --delete-delay --delete-excluded --filter="merge filters" "$client_sparse"
      [ "$arg_checksum" = 0 ] || set -- "$@" --checksum
      send_pass whole "$@"
      ;;
  esac
}

# send_base: what lies at the target, as far as that is certain: $send_known yes with its listing $send_hint; else no, with the listing of the
# copy before as a hint that costs nothing when it is wrong.
send_base() {
  send_hint=$RESURGO_VAR/sent/$arg_group/$arg_source
  send_filters=$RESURGO_VAR/sent/$arg_group/.filters.$arg_source
  send_known=no
  [ "$view_live" = no ] || return 0
  if [ "$arg_fresh" = 1 ]; then
    send_hint=/dev/null
    send_known=yes
  elif [ -n "$arg_base" ] && [ -s "$send_hint" ] && cmp -s filters "$send_filters"; then
    send_sum=$(sha256sum <"$send_hint")
    [ "${send_sum%% *}" != "$arg_base" ] || send_known=yes
  fi
}

# send_bare LISTING: 0 when no entry in it has ACLs or other attributes; so has none.
send_bare() {
  [ "$1" = /dev/null ] || [ "$(tail -n 1 "$1")" = xattrs ]
}

# send_pass NAME ARG…: one pass after the streams, with its verdict and its numbers.
send_pass() {
  send_name=$1
  shift
  client_run "$plan_bytes" "$send_name" "$@" "$PWD/view/" peer::data/
  send_sum_up "$send_name"
}

send_sum_up() {
  client_verdict "$1"
  client_stat "$1.out" 'Total bytes sent'
  sent_bytes=$((sent_bytes + stat))
  client_stat "$1.out" 'Number of regular files transferred'
  sent_files=$((sent_files + stat))
  client_stat "$1.out" 'Number of deleted files'
  deleted=$((deleted + stat))
}

# The listing goes beside the data: it is read only when the data is there.
send_meta_begin() {
  mkdir -p meta
  rm -f meta.rc
  {
    gzip -n -c -1 listing >meta/listing.gz && client_rsync meta "$PWD/meta/listing.gz" peer::meta/
  } &
  send_meta_pid=$!
}

send_meta_end() {
  wait "$send_meta_pid" || :
  client_verdict meta
}
