#!/bin/sh
# Makes the run's key on the host that will dial, and signs it with this host's identity. Asked again, it gives the same key.
# keys: grant:grant purpose:word(receive|send)
# fenced: yes

: "${arg_group-}" "${arg_run-}" "${arg_grant-}" "${arg_purpose-}" "${signature-}" "${line-}" "${json-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/grants.sh"

verb_main() {
  key_dir=$RESURGO_VAR/runs/$arg_run/grants/$arg_grant
  with_lock "run-$arg_run"
  own_dir "$RESURGO_VAR/runs" "$RESURGO_VAR/runs/$arg_run" "$key_dir"
  key_group=$RESURGO_VAR/runs/$arg_run/group
  if [ ! -e "$key_group" ]; then atomic_put "$key_group" "$arg_group"; fi
  read_line "$key_group" || :
  [ "$line" = "$arg_group" ] || fail exists "run $arg_run belongs to group $line on this host; a run id is used once"
  if [ ! -s "$key_dir/pubkey" ]; then
    rm -f "$key_dir/key" "$key_dir/key.pub"
    ssh-keygen -q -t ed25519 -N '' -C "resurgo-$arg_grant" -f "$key_dir/key" </dev/null >/dev/null ||
      fail failed "ssh-keygen can't make a key in $key_dir; look at the disk's free space"
    read -r key_type key_b64 _ <"$key_dir/key.pub"
    atomic_put "$key_dir/pubkey" "$key_type $key_b64"
  fi
  read_line "$key_dir/pubkey"
  key_public=$line
  grant_statement "$arg_run" "$arg_grant" "$arg_purpose" "$key_public" >"$key_dir/statement"
  grant_sign "$key_dir/statement"
  unlock
  json_quote "$key_public"
  key_body="\"pubkey\":$json,\"signature\":\"$signature\""
  if read_line "$RESURGO_ETC/host.key.pub" || read_line "$RESURGO_ETC/host.pub"; then
    json_quote "$line"
    key_body="$key_body,\"hostKey\":$json"
  fi
  reply "$key_body"
}
