#!/bin/sh
# Lets a peer's key in, for one purpose, into one place, until it expires. The peer's identity must have signed the key (S27), and the
# place must be one that this host's configuration allows. Asked again with the same key, it prolongs the grant.
# keys: grant:grant purpose:word(receive|send) scope:word(store|backup|snapshot|restore|folder|rescue) pubkey:pubkey peer:name signature:b64
# keys: expires_s:seconds store:name? tree:tree? id:id? subpath:subpath? source:name? path:path? host:name? stream:bool=0
# fenced: yes

: "${arg_group-}" "${arg_run-}" "${arg_grant-}" "${arg_purpose-}" "${arg_scope-}" "${arg_pubkey-}" "${arg_peer-}" "${arg_signature-}"
: "${arg_expires_s-}" "${arg_store-}" "${arg_tree-}" "${arg_id-}" "${arg_subpath-}" "${arg_source-}" "${arg_path-}" "${arg_host-}" "${arg_stream-}"
: "${signature-}" "${time-}" "${line-}" "${json-}" "${grant_dir-}" "${grant_command-}" "${grant_group-}" "${grant_run-}" "${grant_pubkey-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/grants.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/scopes.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/tar-stream.sh"

verb_main() {
  add_statement=$(grant_statement "$arg_run" "$arg_grant" "$arg_purpose" "$arg_pubkey")
  grant_verify "$arg_peer" "$arg_signature" "$add_statement" ||
    fail not-allowed "the key for grant $arg_grant is not signed by the identity of $arg_peer that this host knows; enrol both hosts again (resurgo enroll)"
  scope_check "$arg_purpose"
  [ "$arg_stream" = 0 ] || tar_may "$arg_scope"
  if grant_load "$arg_grant"; then
    [ "$grant_group/$grant_run/$grant_pubkey" = "$arg_group/$arg_run/$arg_pubkey" ] ||
      fail exists "grant $arg_grant is another run's or another key's; close it first"
  fi
  read_time
  add_until=$((time + arg_expires_s * 1000))
  # sshd's own check of the same moment; it reads UTC with the Z.
  add_expiry=$(date -u -d "@$((add_until / 1000))" +%Y%m%d%H%M%SZ)
  with_lock "grant-$arg_grant"
  own_dir "$RESURGO_VAR/grants" "$grant_dir"
  [ ! -e "$grant_dir/closed" ] || fail busy "grant $arg_grant is being closed; try again"
  add_facts | atomic_write "$grant_dir/facts"
  # Whoever has taken the lease since the fence was checked either sees these facts and closes the grant, or is seen here (S4).
  fence_still
  atomic_put "$grant_dir/line" "restrict,expiry-time=\"$add_expiry\",command=\"RESURGO_GRANT='$arg_purpose $arg_grant' exec sudo -n $grant_command\" $arg_pubkey resurgo-$arg_grant"
  unlock
  grants_publish
  log "grant $arg_grant for $arg_peer: $arg_purpose $arg_scope"
  add_keys=
  add_signed=
  for add_file in /etc/ssh/ssh_host_*_key.pub; do
    read_line "$add_file" || continue
    read -r add_type add_b64 _ <"$add_file"
    json_quote "$add_type $add_b64"
    add_keys="$add_keys${add_keys:+,}$json"
    [ "$add_type" = ssh-ed25519 ] || continue
    host_statement "$arg_run" "$arg_grant" "$add_type $add_b64" >"$grant_dir/host"
    grant_sign "$grant_dir/host"
    add_signed=",\"signature\":\"$signature\""
  done
  reply "\"hostKeys\":[$add_keys],\"untilMs\":$add_until$add_signed"
}

add_facts() {
  grant_fact group "$arg_group"
  grant_fact run "$arg_run"
  grant_fact purpose "$arg_purpose"
  grant_fact peer "$arg_peer"
  grant_fact until_ms "$add_until"
  grant_fact pubkey "$arg_pubkey"
  grant_fact scope "$arg_scope"
  grant_fact store "$arg_store"
  grant_fact tree "$arg_tree"
  grant_fact id "$arg_id"
  grant_fact subpath "$arg_subpath"
  grant_fact source "$arg_source"
  grant_fact path "$arg_path"
  grant_fact host "$arg_host"
  grant_fact stream "$arg_stream"
}
