#!/bin/sh
# Grants (S25): a key that a peer made for one run may do one thing in one place here, until it expires or is closed.
#
# grants/GRANT/facts     `key encoded-value` lines: group run purpose peer until_ms and the scope's keys
# grants/GRANT/line      its line of authorized_keys
# grants/GRANT/closed    there from the moment a close began: nothing enters any more
# The file that sshd reads is made anew from director.keys and these under a lock; no line is ever edited.

: "${RESURGO_LIB?}" "${arg_group-}" "${arg_run-}" "${arg_grant-}" "${arg_purpose-}" "${arg_pubkey-}" "${arg_peer-}" "${arg_peer_key-}" "${arg_signature-}"
: "${decoded-}" "${encoded-}" "${time-}" "${line-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/procs.sh"

grant_command=/usr/local/lib/resurgo/hostkit

# grant_statement RUN GRANT PURPOSE PUBKEY: what the host that made the key signs with its identity.
grant_statement() { printf 'resurgo-grant %s %s %s %s\n' "$1" "$2" "$3" "$4"; }

# host_statement RUN GRANT HOSTKEY: what the host that is dialled signs of its own ssh host key.
host_statement() { printf 'resurgo-host %s %s %s\n' "$1" "$2" "$3"; }

# grant_sign FILE: sets $signature to the identity's signature over it, base64 in one line.
grant_sign() {
  own_file "$RESURGO_ETC/host.key"
  rm -f "$1.sig"
  ssh-keygen -Y sign -q -n resurgo-grant -f "$RESURGO_ETC/host.key" "$1" 2>/dev/null ||
    fail failed "this host's identity $RESURGO_ETC/host.key can't sign; enrol the host again (resurgo enroll --update)"
  signature=
  while IFS= read -r grant_line; do
    case $grant_line in -----*) ;; *) signature=$signature$grant_line ;; esac
  done <"$1.sig"
  rm -f "$1.sig"
  : "$signature"
}

# grant_verify PEER SIGNATURE STATEMENT: was this said by that peer's identity, as pinned at enrolment? Who has only the director's
# keys can't (S27).
grant_verify() {
  own_file "$RESURGO_ETC/peers"
  own_dir "$RESURGO_VAR/grants"
  grant_sig=$RESURGO_VAR/grants/.sig.$$
  printf -- '-----BEGIN SSH SIGNATURE-----\n%s\n-----END SSH SIGNATURE-----\n' "$2" >"$grant_sig"
  grant_ok=no
  printf '%s\n' "$3" | ssh-keygen -Y verify -q -f "$RESURGO_ETC/peers" -I "$1" -n resurgo-grant -s "$grant_sig" >/dev/null 2>&1 && grant_ok=yes
  rm -f "$grant_sig"
  [ "$grant_ok" = yes ]
}

# grant_verify_host: ends the request unless $arg_peer's identity has signed, for this run and grant, that $arg_peer_key is its ssh host key.
grant_verify_host() {
  grant_verify "$arg_peer" "$arg_signature" "$(host_statement "$arg_run" "$arg_grant" "$arg_peer_key")" ||
    fail not-allowed "the ssh host key of $arg_peer is not signed by the identity that this host knows; enrol both hosts again (resurgo enroll)"
}

# grant_fact KEY VALUE: one line of facts, to stdout; nothing for an empty value.
grant_fact() {
  [ -n "$2" ] || return 0
  encode "$2"
  printf '%s %s\n' "$1" "$encoded"
}

# grant_load GRANT: sets $grant_dir and $grant_<fact>; 1 if there is no such grant.
grant_load() {
  grant_dir=$RESURGO_VAR/grants/$1
  grant_group='' grant_run='' grant_purpose='' grant_peer='' grant_until_ms=0 grant_scope='' grant_store='' grant_tree='' grant_id=''
  grant_subpath='' grant_source='' grant_path='' grant_pubkey='' grant_host='' grant_stream=0
  [ -r "$grant_dir/facts" ] || return 1
  while read -r grant_key grant_value <&8; do
    decode "$grant_value" || return 1
    case $grant_key in
      group) grant_group=$decoded ;;
      run) grant_run=$decoded ;;
      purpose) grant_purpose=$decoded ;;
      peer) grant_peer=$decoded ;;
      until_ms) grant_until_ms=$decoded ;;
      pubkey) grant_pubkey=$decoded ;;
      scope) grant_scope=$decoded ;;
      store) grant_store=$decoded ;;
      tree) grant_tree=$decoded ;;
      id) grant_id=$decoded ;;
      subpath) grant_subpath=$decoded ;;
      source) grant_source=$decoded ;;
      path) grant_path=$decoded ;;
      host) grant_host=$decoded ;;
      stream) grant_stream=$decoded ;;
    esac
  done 8<"$grant_dir/facts" || return 1 # gone since it was looked at
  : "$grant_purpose" "$grant_peer" "$grant_until_ms" "$grant_scope" "$grant_store" "$grant_tree" "$grant_id" "$grant_subpath"
  : "$grant_source" "$grant_path" "$grant_pubkey" "$grant_host" "$grant_stream"
}

# grants_publish: makes authorized_keys anew. Holds the lock `grants` while it does.
grants_publish() {
  with_lock grants
  own_file "$RESURGO_ETC/director.keys"
  grants_home=$RESURGO_VAR/home/.ssh
  [ -d "$grants_home" ] || {
    mkdir -p "$grants_home"
    chmod 0755 "$RESURGO_VAR/home" "$grants_home"
  }
  grants_new=$grants_home/authorized_keys.new
  {
    while read -r grants_type grants_b64 _; do
      check_type pubkey "$grants_type $grants_b64" || continue
      printf 'restrict,command="exec sudo -n %s" %s %s resurgo-director\n' "$grant_command" "$grants_type" "$grants_b64"
    done <"$RESURGO_ETC/director.keys"
    for grants_path in "$RESURGO_VAR"/grants/*/; do
      [ ! -e "$grants_path/closed" ] || continue
      ! read_line "$grants_path/line" || printf '%s\n' "$line"
    done
  } >"$grants_new"
  chmod 0644 "$grants_new"
  sync "$grants_new"
  mv -f "$grants_new" "$grants_home/authorized_keys"
  unlock
}

# grants_each CALLBACK: calls it with the name of each grant here.
grants_each() {
  for grants_each_path in "$RESURGO_VAR"/grants/*/; do
    [ -d "$grants_each_path" ] || continue
    grants_each_path=${grants_each_path%/}
    "$1" "${grants_each_path##*/}"
  done
}

# grants_close NAME…: their lines go, whoever came by them is ended and seen gone, then they are forgotten. Idempotent.
grants_close() {
  [ "$#" -gt 0 ] || return 0
  for grants_name in "$@"; do
    with_lock "grant-$grants_name"
    if [ -d "$RESURGO_VAR/grants/$grants_name" ]; then
      : >"$RESURGO_VAR/grants/$grants_name/closed"
      # Now, and not with the rest: whoever publishes while the folder goes may find its line still there and the mark gone.
      rm -f -- "$RESURGO_VAR/grants/$grants_name/line"
    fi
    unlock
  done
  grants_publish
  for grants_name in "$@"; do
    for grants_verb in receive send; do
      procs_end "RESURGO_GRANT=$grants_verb $grants_name" ||
        fail busy "a receiver of grant $grants_name can't be ended: it hangs in the kernel (state D); look at this host's disks and try again"
    done
    with_lock "grant-$grants_name"
    rm -rf -- "$RESURGO_VAR/grants/$grants_name"
    lock_forget "grant-$grants_name"
  done
}

# grants_close_run RUN: all of that run and of $arg_group.
grants_close_run() {
  grants_found=
  grants_want_run=$1
  grants_each grants_take_run
  grants_close_found
}
grants_take_run() {
  grant_load "$1" || grants_broken "$1" || return 0
  [ "$grant_run" = "$grants_want_run" ] && [ "$grant_group" = "$arg_group" ] || return 0
  grants_found="$grants_found $1"
}

# grants_end_older GROUP RUN: all of that group that belong to other runs (S4).
grants_end_older() {
  grants_found=
  grants_want_group=$1
  grants_want_run=$2
  grants_each grants_take_older
  grants_close_found
}
grants_take_older() {
  grant_load "$1" || grants_broken "$1" || return 0
  [ "$grant_group" = "$grants_want_group" ] && [ "$grant_run" != "$grants_want_run" ] || return 0
  grants_found="$grants_found $1"
}

# A grant whose making was cut off before its facts were there has no line either: it never let anybody in.
grants_broken() { return 1; }

grants_close_found() {
  [ -n "$grants_found" ] || return 0
  # Names are [a-z0-9.-]: they split cleanly.
  while read -r grants_one <&7; do
    grants_close "$grants_one"
  done 7<<EOF
$(printf '%s' "$grants_found" | tr ' ' '\n' | grep .)
EOF
}
