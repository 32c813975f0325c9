# From the read-only view of a sealed backup into the peer's jail. `excludes` (base64, one rsync pattern a line, relative to
# the destination) are left alone at the destination: what the backup never held, and mounts below it (S20).
# keys: store:name id:id tree:tree subpath:subpath? grant:grant peer:name? peer_host:host? peer_port:int=22 peer_user:name? peer_key:pubkey?
# keys: signature:b64? dry_run:bool=0 delete:bool=0 max_delete:int? excludes:b64? checksum:bool=0 bandwidth_kib:int=0
# keys: io:word(normal|low|idle)=normal dial:word(out|in)=out headers:bool=1 stream:bool=0
#
# `headers`: 0 for a whole machine that is made again: headers of its encrypted volumes have gone back to where they came from, and are not files of it.
# `stream`: as one tar, to a receiver that was granted that; nothing is deleted or left alone there.

# Set or read elsewhere:
: "${arg_checksum-}" "${arg_delete-}" "${arg_dry_run-}" "${arg_excludes-}" "${arg_group-}" "${arg_id-}" "${arg_store-}" \
  "${arg_tree-}" "${arg_dial-}" "${arg_grant-}" "${arg_headers-}" "${arg_peer-}" "${arg_stream-}" "${arg_bandwidth_kib-}" "${grant_peer-}" "${json-}" "${listing_error-}" "${stat-}" "${store_error-}" "${store_view-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/listing.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/stores.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/rsync-client.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/scopes.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/protect.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/tar-stream.sh"

SEND_HEADERS=var/lib/resurgo/luks

job_main() {
  [ "$arg_stream" = 0 ] || send_may_stream
  stores_load "$arg_store" "$arg_group"
  stores_need_id "$arg_id"
  send_to=$arg_peer
  if [ "$arg_dial" = in ]; then
    grant_load "$arg_grant" || job_fail not-allowed "there is no grant $arg_grant here; it was closed, or never made"
    send_to=$grant_peer
  fi
  scope_rescue_gets "$arg_store" "$arg_group" "$arg_tree" "$send_to"
  client_connect
  kind_view "$arg_id" "$PWD/view" || job_fail failed "$store_error"
  # The view goes before the job says anything else, also when it fails: a clone left behind would keep the backup busy.
  trap 'kind_unview "$arg_id" "$PWD/view"' EXIT
  send_from=$store_view/$arg_tree${arg_subpath:+/$arg_subpath}
  [ -d "$store_view/$arg_tree" ] || job_fail not-found "backup $arg_id holds no tree $arg_tree; see 'resurgo show $arg_id'"
  send_inside || job_fail not-found "backup $arg_id holds no $arg_subpath in $arg_tree"
  protect_rules "$arg_excludes" filters || job_fail bad-request 'the excludes are not base64'
  # The destination may be the top level of a btrfs, and an older hostkit there doesn't say so. What the backup holds of that name is data.
  [ -n "$arg_subpath" ] || [ -e "$send_from/.resurgo" ] || [ -h "$send_from/.resurgo" ] || protect_ours filters
  [ "$arg_headers" = 1 ] || printf -- '- /%s/*\n' "$SEND_HEADERS" >>filters
  if [ "$arg_stream" = 1 ]; then
    send_stream
  else
    send_backup
    [ "$arg_dry_run" = 1 ] || [ ! -d "$send_from" ] || send_listing
  fi
  kind_unview "$arg_id" "$PWD/view" || job_fail busy "$store_error"
  trap - EXIT
  job_result "\"bytes\":$send_bytes,\"files\":$send_files,\"deletions\":$send_deleted,\"sentBytes\":$send_wire,\"deleting\":[$send_names],\"listing\":{$send_listed}"
}

# send_without_headers: what is not sent is not looked for.
send_without_headers() {
  LC_ALL=C awk -F '\t' -v folder="$SEND_HEADERS/" '
    NF == 10 && index($10, folder) == 1 || NF == 2 && index($1, folder) == 1 { next }
    { print }
  ' listing >listing.less || job_fail failed 'cannot write the listing'
  mv -f listing.less listing
}

# send_inside: the path asked for lies in the tree, and no part on the way to it is a link that leads elsewhere.
send_inside() {
  send_at=$store_view/$arg_tree
  send_rest=$arg_subpath
  while [ -n "$send_rest" ]; do
    [ -d "$send_at" ] && [ ! -h "$send_at" ] || return 1
    send_at=$send_at/${send_rest%%/*}
    case $send_rest in */*) send_rest=${send_rest#*/} ;; *) send_rest= ;; esac
  done
  [ -e "$send_at" ] || [ -h "$send_at" ]
}

send_backup() {
  set -- -H --filter='merge filters' --itemize-changes
  [ "$arg_checksum" = 0 ] || set -- "$@" --checksum
  [ "$arg_dry_run" = 0 ] || set -- "$@" --dry-run
  if [ -d "$send_from" ] && [ ! -h "$send_from" ]; then
    [ "$arg_delete" = 0 ] || set -- "$@" --delete-delay
    [ -z "$arg_max_delete" ] || set -- "$@" --max-delete="$arg_max_delete"
    set -- "$@" "$send_from/"
  else
    # A single file goes into its folder, which is what the grant's path then names.
    set -- "$@" "$send_from"
  fi
  client_private_xattrs="$client_private_xattrs security.selinux"
  client_run 0 restore "$@" peer::data/
  client_verdict restore
  client_stat restore.out 'Total transferred file size'
  send_bytes=$stat
  client_stat restore.out 'Number of regular files transferred'
  send_files=$stat
  client_stat restore.out 'Total bytes sent'
  send_wire=$stat
  send_deleted=$(grep -c '^\*deleting ' restore.out || :)
  send_names=
  sed -n 's/^\*deleting *//p' restore.out | head -n 20 >deleting
  while IFS= read -r send_name; do
    json_quote "$send_name"
    send_names=$send_names${send_names:+,}$json
  done <deleting
  send_listed=
}

send_may_stream() {
  case $arg_dry_run$arg_delete$arg_checksum/$arg_excludes/$arg_bandwidth_kib in
    000//0) ;;
    *) job_fail bad-request 'one tar sends all, as quickly as it can: without dry_run, delete, checksum, excludes and bandwidth_kib' ;;
  esac
  tar_here || job_fail missing-tool 'tar is missing on this host, or is not GNU tar'
}

send_stream() {
  tar_may_read "$send_from" || job_fail bad-request "of what lies in store '$arg_store' tar can not tell data from holes: rsync can"
  send_deleted=0 send_names='' client_program=tar
  : "$client_program"
  send_listing_make
  set --
  [ "$arg_headers" = 1 ] || set -- "--exclude=./$SEND_HEADERS/*"
  client_watched 0 restore tar_send restore "$send_from" meta/listing.gz "$@"
  client_verdict restore
  send_wire=$(tail -n 1 restore.out)
  send_wire=${send_wire%% *}
  # Of files with several names one, as rsync counts.
  send_count=$(LC_ALL=C awk -F '\t' 'NF == 10 && $1 == "f" && ($7 == "-" || $7 == $10) { files++; bytes += $5 } END { printf "%d %.0f", files, bytes }' listing)
  send_files=${send_count% *} send_bytes=${send_count#* }
}

send_listing() {
  send_listing_make
  client_run 0 meta "$PWD/meta/listing.gz" peer::meta/
  client_verdict meta
}

# send_listing_make: what the destination will be verified against: the listing that was sealed, or that of the part sent.
send_listing_make() {
  mkdir -p meta
  send_sealed=$store_view/resurgo/listings/$arg_tree.gz
  if [ -z "$arg_subpath" ] && [ -f "$send_sealed" ]; then
    gzip -dc "$send_sealed" >listing || job_fail failed "the listing of $arg_tree in backup $arg_id is damaged"
  else
    listing_make "$send_from" "$PWD/work" "$PWD/listing" || job_fail failed "$listing_error"
  fi
  [ "$arg_headers" = 1 ] || send_without_headers
  gzip -n -c -1 listing >meta/listing.gz || job_fail failed 'cannot write the listing'
  listing_sha256=$(sha256sum <listing)
  send_listed="\"sha256\":\"${listing_sha256%% *}\""
}
