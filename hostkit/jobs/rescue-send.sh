# The rescue media that job rescue-build has made in this run, into the peer's jail.
# keys: grant:grant peer:name? peer_host:host? peer_port:int=22 peer_user:name? peer_key:pubkey? signature:b64?
# keys: bandwidth_kib:int=0 io:word(normal|low|idle)=normal dial:word(out|in)=out

# Set or read elsewhere:
: "${arg_run-}" "${stat-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/rsync-client.sh"

job_main() {
  send_from=$RESURGO_VAR/runs/$arg_run/rescue
  [ -d "$send_from" ] || job_fail not-found "run $arg_run has made no rescue media on this host; build them first (job rescue-build)"
  client_connect
  send_bytes=$(du -sb -- "$send_from" | awk '{ print $1 }')
  # A part of an image that was cut off is worth keeping; by content, so that sending again mends what lies there.
  client_run "$send_bytes" media --inplace --partial --checksum --delete "$send_from/" peer::data/
  client_verdict media
  client_stat media.out 'Total bytes sent'
  job_result "\"bytes\":$send_bytes,\"sentBytes\":$stat"
}
