# Lets the director into the new system that this rescue system lets in, in the place of those that the backup had: it may be another by now, or
# have another key. And tells the new system's own ssh host keys: a director that never saw the machine knows it by what the backup holds.
# keys: tree:tree

# Set or read elsewhere:
: "${new-}" "${new_place-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/new.sh"

job_main() {
  new_enter
  director_was=''
  # Of a system that was never enrolled there is nothing to change.
  if new_find /etc/resurgo/director.keys && [ -f "$new_place" ]; then
    if cmp -s "$RESURGO_ETC/director.keys" "$new_place"; then director_was=,\"was\":true; else director_keys; fi
    # Also where the first is done: an attempt before may have come to its end between the two.
    director_lines
  fi
  for director_file in "$new/etc/ssh"/ssh_host_*_key.pub; do
    if ! new_find "${director_file#"$new"}" || [ ! -f "$new_place" ]; then continue; fi
    read -r director_type director_key _ <"$new_place" || continue
    case $director_key in *[!A-Za-z0-9+/=]* | '') continue ;; esac
    case $director_type in ssh-ed25519 | ssh-rsa | ecdsa-sha2-nistp*) printf '%s %s\n' "$director_type" "$director_key" ;; esac
  done >keys
  job_result "\"hostKeys\":[$(new_strings <keys)]$director_was"
}

director_keys() {
  rm -rf -- "$new_place.resurgo-new"
  cp "$RESURGO_ETC/director.keys" "$new_place.resurgo-new"
  chmod 0600 "$new_place.resurgo-new"
  sync "$new_place.resurgo-new"
  mv -f "$new_place.resurgo-new" "$new_place"
}

# director_lines: the sweep at the first boot makes of the keys what sshd reads; until then nobody shall be let in by what the backup had.
director_lines() {
  if ! new_find /var/lib/resurgo/home/.ssh/authorized_keys || [ ! -f "$new_place" ]; then return 0; fi
  rm -rf -- "$new_place.resurgo-new"
  while read -r director_type director_key _ <&6; do
    check_type pubkey "$director_type $director_key" || continue
    printf 'restrict,command="exec sudo -n /usr/local/lib/resurgo/hostkit" %s %s resurgo-director\n' "$director_type" "$director_key"
  done 6<"$RESURGO_ETC/director.keys" >"$new_place.resurgo-new"
  chmod 0644 "$new_place.resurgo-new"
  mv -f "$new_place.resurgo-new" "$new_place"
}
