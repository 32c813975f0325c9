# The rescue system's keys: its ssh host key, pinned at the build or made now, and its identity, which is always made now: no image holds
# a key to any backup (S30).

: "${rescue_director-}" "${rescue_host-}" "${rescue_new_keys-}" "${rescue_password-}" "${rescue_pinned-}"

rescue_keys() {
  # For random numbers this early an image on old hardware may wait some seconds; the kernel says when it is ready.
  if [ "$rescue_new_keys" = yes ] || [ ! -s /etc/ssh/ssh_host_ed25519_key ]; then
    rm -f /etc/ssh/ssh_host_ed25519_key /etc/ssh/ssh_host_ed25519_key.pub
    ssh-keygen -q -t ed25519 -N '' -C "rescue-$rescue_host" -f /etc/ssh/ssh_host_ed25519_key
    rescue_pinned=no
  else
    rescue_pinned=yes
  fi
  mkdir -p /run/resurgo
  printf '%s\n' "$rescue_pinned" >/run/resurgo/pinned
  rm -f /etc/resurgo/host.key /etc/resurgo/host.key.pub
  ssh-keygen -q -t ed25519 -N '' -C "rescue-$rescue_host" -f /etc/resurgo/host.key
  chmod 600 /etc/resurgo/host.key
  if [ -n "$rescue_password" ]; then
    sed -i "s|^root:[^:]*:|root:$rescue_password:|" /etc/shadow
    sed -i 's/^PasswordAuthentication no/PasswordAuthentication yes/; s/^PermitRootLogin .*/PermitRootLogin yes/' /etc/resurgo/sshd_config
  fi
  # authorized_keys of the director and of grants, as on every host.
  if [ -n "$rescue_director" ] && sh /usr/local/lib/resurgo/rescue/director "$rescue_director"; then return 0; fi
  [ -z "$rescue_director" ] || rescue_say 'resurgo.director= is no key: nobody but the director of this image is let in'
  . /usr/local/lib/resurgo/rescue/publish.sh
}

# rescue_look: sets $rescue_addresses to where it is reached.
rescue_look() { rescue_addresses=$(ip -o addr show scope global | awk '{ sub(/\/.*/, "", $4); printf "%s%s", sep, $4; sep = ", " }'); }

# rescue_banner_again: once it was said, and where the addresses are others since.
rescue_banner_again() {
  [ -e /run/resurgo/said ] || return 0
  rescue_look
  read -r rescue_said </run/resurgo/said
  [ "$rescue_addresses" = "$rescue_said" ] || rescue_banner
}

# rescue_banner: what a person at the console needs: where it is reached, what it is known by, what to type next.
rescue_banner() {
  # In this order: an address that comes meanwhile is said by whoever brings it.
  : >>/run/resurgo/said
  rescue_look
  printf '%s\n' "$rescue_addresses" >/run/resurgo/said
  read -r rescue_pinned </run/resurgo/pinned
  rescue_fingerprint=$(ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub | awk '{ print $2 }')
  rescue_say ''
  rescue_say "  Resurgo rescue system of $rescue_host"
  rescue_say "  address      ${rescue_addresses:-none: give one with resurgo.ip= on the kernel command line}"
  rescue_say "  host key     $rescue_fingerprint"
  if [ "$rescue_pinned" = yes ]; then
    rescue_say '               (pinned when this image was built)'
    rescue_say "  next         resurgo recover $rescue_host${rescue_addresses:+ --at ${rescue_addresses%%,*}}"
  else
    rescue_code=$(printf '%s' "$rescue_fingerprint" | sha256sum | sed 's/^\(....\)\(....\)\(....\).*/\1-\2-\3/')
    rescue_say "  code         $rescue_code"
    rescue_say "  next         resurgo recover $rescue_host${rescue_addresses:+ --at ${rescue_addresses%%,*}} --code $rescue_code"
  fi
  rescue_say ''
  read -r rescue_up _ </proc/uptime
  rescue_say "RESURGO-RESCUE-READY $rescue_up"
}
