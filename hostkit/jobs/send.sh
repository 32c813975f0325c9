# A source's snapshot into the peer's jail: the listing first, then the data, then the listing beside it (S9, S10, S11).
# keys: source:name grant:grant peer:name? peer_host:host? peer_port:int=22 peer_user:name? peer_key:pubkey? signature:b64? streams:int=1
# keys: bandwidth_kib:int=0 io:word(normal|low|idle)=normal dial:word(out|in)=out checksum:bool=0

# Set or read elsewhere:
: "${arg_checksum-}" "${arg_group-}" "${arg_source-}" "${arg_streams-}" "${client_base-}" "${client_inplace-}" \
  "${listing_bytes-}" "${listing_count-}" "${listing_error-}" "${listing_sparse-}" "${patterns-}" "${plan_big-}" \
  "${plan_bytes-}" "${plan_files-}" "${src_kind-}" "${stat-}" "${streams_bad-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/snapshots.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/view.sh"
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

# Below this, one pass is quicker than several.
SEND_SPREAD_FILES=2000
SEND_SPREAD_BYTES=67108864

job_main() {
  sources_view "$arg_source" "$PWD/view"
  sources_filters "$arg_source" "$PWD/filters"
  client_connect
  job_progress '"step":"listing"'
  listing_make "$PWD/view" "$PWD/work" "$PWD/listing" "$PWD/filters" || job_fail failed "source $arg_source: $listing_error"
  [ "$listing_count" -gt 0 ] || job_fail failed "source $arg_source is empty and has no root; look at its snapshot"
  send_data
  send_meta
  own_dir "$RESURGO_VAR/sent" "$RESURGO_VAR/sent/$arg_group"
  mv -f listing "$RESURGO_VAR/sent/$arg_group/$arg_source"
  rm -rf work lists
  job_result "$(listing_result),\"sentBytes\":$sent_bytes,\"sentFiles\":$sent_files,\"deleted\":$deleted,\"resentBytes\":0,\"patterns\":$patterns"
}

send_data() {
  sent_bytes=0
  sent_files=0
  # -S costs time per file and does nothing where no file has holes.
  client_sparse=-S
  [ "$listing_sparse" -gt 0 ] || client_sparse=--no-S
  # A live tree may cut a link between two attempts; only a frozen one is safe to write in place.
  client_inplace=1
  [ "$src_kind" != none ] || client_inplace=0
  listing_has listing security.selinux || client_private_xattrs="$client_private_xattrs security.selinux"
  if [ "$arg_checksum" = 0 ]; then
    streams_plan listing "$RESURGO_VAR/sent/$arg_group/$arg_source" "$arg_streams" lists || job_fail failed 'cannot write the lists of the streams'
    if [ "$plan_big" -gt 0 ] || { [ "$arg_streams" -gt 1 ] && { [ "$plan_files" -gt "$SEND_SPREAD_FILES" ] || [ "$plan_bytes" -gt "$SEND_SPREAD_BYTES" ]; }; }; then
      streams_run "$arg_streams" "$PWD/view" "$listing_bytes" || client_verdict "$streams_bad"
    fi
  fi
  client_base=$sent_bytes
  set -- -H --delete-delay --filter="merge filters" "$client_sparse"
  [ "$arg_checksum" = 0 ] || set -- "$@" --checksum
  client_run "$listing_bytes" whole "$@" "$PWD/view/" peer::data/
  client_verdict whole
  client_stat whole.out 'Total bytes sent'
  sent_bytes=$((sent_bytes + stat))
  client_stat whole.out 'Number of regular files transferred'
  sent_files=$((sent_files + stat))
  client_stat whole.out 'Number of deleted files'
  deleted=$stat
}

send_meta() {
  mkdir -p meta
  gzip -n -c -1 listing >meta/listing.gz || job_fail failed 'cannot write the listing'
  client_run "$listing_bytes" meta "$PWD/meta/listing.gz" peer::meta/
  client_verdict meta
}
