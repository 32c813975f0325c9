#!/bin/sh
# Where the source can't reach the target (dial=in): this side, the receiver, dials the sender with a grant of purpose `send` and puts its
# own jailed rsync daemon on the connection, or takes one tar (`stream`, in a rescue system). Keeps `lanes` connections open until it is stopped, whatever becomes of each; why the last
# one that failed did so is its result meanwhile. The sender's host key must be signed by
# the sender's identity, or who has only the director's keys could have this host take data from himself (S27, S28).
# keys: grant:grant peer:name peer_host:host peer_port:int peer_user:name peer_key:pubkey signature:b64 lanes:int=2
# keys: scope:word(store|restore|folder|rescue) store:name? tree:tree? source:name? subpath:subpath? path:path? host:name? id:id? stream:bool=0

: "${arg_grant-}" "${arg_group-}" "${arg_run-}" "${arg_peer_host-}" "${arg_peer_port-}" "${arg_peer_user-}" "${arg_peer_key-}"
: "${json-}" "${arg_lanes-}" "${arg_scope-}" "${arg_store-}" "${arg_tree-}" "${arg_source-}" "${arg_subpath-}" "${arg_path-}"
: "${arg_host-}" "${arg_id-}" "${arg_peer-}" "${arg_stream-}" "${ciphers-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/grants.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/scopes.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/jail.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/tar-stream.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/ciphers.sh"

job_main() {
  dial_key=$RESURGO_VAR/runs/$arg_run/grants/$arg_grant/key
  [ -f "$dial_key" ] || job_fail not-found "this run has no key for grant $arg_grant on this host; call grant.key first"
  grant_verify_host
  ciphers_choose
  scope_check receive
  [ "$arg_stream" = 0 ] || tar_may "$arg_scope"
  grant_group=$arg_group grant_run=$arg_run grant_scope=$arg_scope grant_store=$arg_store grant_tree=$arg_tree
  grant_source=$arg_source grant_subpath=$arg_subpath grant_path=$arg_path
  grant_peer=$arg_peer grant_host=$arg_host grant_id=$arg_id
  : "$grant_group" "$grant_run" "$grant_scope" "$grant_store" "$grant_tree" "$grant_source" "$grant_subpath" "$grant_path" "$grant_peer" "$grant_host" "$grant_id"
  dial_here=$PWD
  rm -f full
  (
    scope_path
    jail_write "$dial_here"
  )
  printf 'resurgo-peer %s\n' "$arg_peer_key" >known_hosts
  job_progress '"step":"dial"'
  dial_lane=1
  dial_others=
  while [ "$dial_lane" -lt "$arg_lanes" ] && [ "$dial_lane" -lt 16 ]; do
    dial_forever "$dial_lane" &
    dial_others="$dial_others $!"
    dial_lane=$((dial_lane + 1))
  done
  dial_forever 0
}

# dial_forever LANE: one connection after the other; one that ends at once waits a little, and after each failure longer: a run may wait
# for days for a person.
dial_forever() {
  # One from before a reboot is in the way: the job is begun again in the same folder.
  rm -f "lane.$1"
  mkfifo "lane.$1"
  dial_nap=1
  while :; do
    dial_began=$(date +%s)
    dial_failed=no
    [ ! -e "$dial_here/full" ] || dial_full "$1"
    dial_once "lane.$1" "lane.$1" "lane.$1.said" || dial_failed=yes
    cat "lane.$1.said" >&2
    [ "$dial_failed" = no ] || dial_tell "$1"
    [ "$(date +%s)" -gt $((dial_began + 1)) ] || sleep "$dial_nap"
    if [ "$dial_failed" = no ]; then dial_nap=1; elif [ "$dial_nap" -lt 30 ]; then dial_nap=$((dial_nap + 1)); fi
  done
}

# dial_full LANE: the store is down to its reserve. The first lane, whose daemon finds it out as well, is the job.
dial_full() {
  [ "$1" = 0 ] || exit 1
  dial_end_others
  job_fail no-space "store '$arg_store' is down to its reserve: prune, or make it larger, then repeat the step; what was sent stays"
}

dial_end_others() {
  for dial_other in $dial_others; do kill "$dial_other" 2>/dev/null || :; done
}

# dial_tell LANE: what ssh said last of why it has no connection; another host key than the signed one is the end (S28). All lanes go the
# same way: the first one's word is enough.
dial_tell() {
  [ "$1" = 0 ] && [ -s lane.0.said ] || return 0
  dial_said=$(tail -n 1 lane.0.said)
  case $dial_said in
    *'Host key verification failed'* | *'host key for'*'has changed'* | *'No '*' host key is known'*)
      dial_end_others
      job_fail identity-changed "the peer $arg_peer_host shows another ssh host key than the one that came with the grant: $dial_said"
      ;;
  esac
  json_quote "$dial_said"
  job_result "\"code\":\"interrupted\",\"message\":$json"
}

# dial_once FROM TO SAID: the daemon reads what ssh writes; both are the same fifo. What ssh has to say goes to SAID. The place is looked
# up anew for each connection, as for one that comes in: it may have been closed, or may no longer be what it was.
dial_once() {
  { (
    scope_path
    if [ "$arg_stream" = 1 ]; then tar_receive; else jail_serve "$dial_here/rsyncd.conf"; fi
  ) <"$1" || [ "$?" != "$JAIL_FULL" ] || : >"$dial_here/full"; } |
    ssh -F /dev/null -T -x -a -p "$arg_peer_port" -l "$arg_peer_user" -i "$dial_key" \
      -o BatchMode=yes -o IdentitiesOnly=yes -o IdentityAgent=none -o PreferredAuthentications=publickey \
      -o StrictHostKeyChecking=yes -o UserKnownHostsFile="$dial_here/known_hosts" -o GlobalKnownHostsFile=/dev/null \
      -o HostKeyAlias=resurgo-peer -o CheckHostIP=no -o UpdateHostKeys=no -o ClearAllForwardings=yes -o Compression=no \
      -o LogLevel=ERROR -o ConnectTimeout=20 -o ServerAliveInterval=15 -o ServerAliveCountMax=4 -o Ciphers="$ciphers" \
      -- "$arg_peer_host" send 2>"$3" >"$2"
}
