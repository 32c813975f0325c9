#!/bin/sh
# Does this host get to the ssh port of a peer, the way that data will take? It says ssh's greeting there, asks for the host key, and leaves.
# It is asked about peers that enrolment has named; their address is the request's own (docs/security.md says what a thief could do by it).
# keys: peer:name peer_host:host peer_port:int

# Set or read elsewhere:
: "${arg_peer-}" "${arg_peer_host-}" "${arg_peer_port-}" "${json-}" "${line-}"

# shellcheck source=lib/config.sh
. "$RESURGO_LIB/lib/config.sh"

verb_main() {
  own_file "$RESURGO_ETC/peers"
  reach_known=no
  while read -r line _; do
    [ "$line" != "$arg_peer" ] || reach_known=yes
  done <"$RESURGO_ETC/peers"
  [ "$reach_known" = yes ] || fail not-allowed "this host knows no peer '$arg_peer'; enrol it again (resurgo enroll)"
  command -v ssh-keyscan >/dev/null 2>&1 || fail missing-tool 'ssh-keyscan is not installed, so nobody can look whether the peer answers'
  reach_keys=$(timeout 20 ssh-keyscan -T 10 -t ed25519 -p "$arg_peer_port" -- "$arg_peer_host" 2>&1) || :
  case $LF$reach_keys in
    *"$LF"[!\#]*" ssh-ed25519 "*) reply '"reached":true,"said":""' ;;
    *)
      json_quote "$(printf '%s\n' "$reach_keys" | tail -n 1)"
      reply "\"reached\":false,\"said\":$json"
      ;;
  esac
}
LF='
'
