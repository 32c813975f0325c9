# Gives the new system an identity of its own, where it is a copy of a machine that may run on elsewhere: machine id, ssh host keys, and the key
# that other hosts of the fleet know it by. Each is replaced where there is one, and keeps owner, mode, label and attributes. Its name, its
# addresses and what is told as `left` stay.
# keys: tree:tree

# Set or read elsewhere:
: "${line-}" "${new-}" "${new_place-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/new.sh"

job_main() {
  new_enter
  : >changed
  : >left
  identity_machine
  identity_ssh
  identity_fleet
  # Two that log in to one target by the same name write over each other there.
  for identity_name in /etc/iscsi/initiatorname.iscsi /etc/nvme/hostnqn /etc/nvme/hostid; do
    if new_find "$identity_name" && [ -s "$new_place" ]; then printf '%s\n' "$identity_name" >>left; fi
  done
  job_result "\"changed\":[$(new_strings <changed)],\"left\":[$(new_strings <left)]"
}

# identity_put PATH FILE: puts the file in its place.
identity_put() {
  new_find "$1" || { printf '%s\n' "$1" >>left && return; }
  new_run cp -a "$1" "$1.resurgo-new" 2>cp.out || job_fail failed "$new_place can not be copied: $(tail -n 1 cp.out)"
  cat "$2" >"$new_place.resurgo-new" || job_fail no-space "$new_place.resurgo-new can not be written: is its file system full?"
  if ! sync "$new_place.resurgo-new" || ! mv -f "$new_place.resurgo-new" "$new_place"; then job_fail failed "$new_place can not be written"; fi
  printf '%s\n' "$1" >>changed
}

# An id of our own making: an empty file would have some systemd take the boot for the first one of all, and set units to their presets.
identity_machine() {
  read_line /proc/sys/kernel/random/uuid
  printf '%s\n' "$line" | tr -d - >made
  for identity_name in /etc/machine-id /var/lib/dbus/machine-id; do
    if new_find "$identity_name" && [ -f "$new_place" ]; then identity_put "$identity_name" made; fi
  done
  if new_find /var/lib/systemd/random-seed && [ -f "$new_place" ]; then rm -f "$new_place"; fi
}

identity_ssh() {
  for identity_file in "$new/etc/ssh"/ssh_host_*_key; do
    identity_name=${identity_file#"$new"}
    if ! new_find "$identity_name" || [ ! -f "$new_place" ]; then continue; fi
    identity_type=${identity_name#/etc/ssh/ssh_host_}
    identity_type=${identity_type%_key}
    case $identity_type in rsa | ecdsa | ed25519) identity_pair "$identity_name" "$identity_type" ;; *) printf '%s\n' "$identity_name" >>left ;; esac
    # What vouched for the old key says nothing of this one.
    if new_find "$identity_name-cert.pub" && [ -f "$new_place" ]; then printf '%s\n' "$identity_name-cert.pub" >>left; fi
  done
}

# The key of the rescue media is its media's: the next build makes another.
identity_fleet() {
  if new_find /etc/resurgo/host.key && [ -f "$new_place" ]; then identity_pair /etc/resurgo/host.key ed25519; fi
  for identity_name in /etc/resurgo/rescue.key /etc/resurgo/rescue.key.pub; do
    if new_find "$identity_name" && [ -f "$new_place" ]; then rm -f "$new_place"; fi
  done
}

# identity_pair PATH TYPE: a fresh private key at that path, and its public half beside it where there is one.
identity_pair() {
  rm -f key key.pub
  ssh-keygen -q -t "$2" -N '' -C "root@${arg_tree%%@*}" -f key </dev/null || job_fail failed "no $2 key can be made"
  # The public half first: with the two apart the next try makes both anew.
  if new_find "$1.pub" && [ -f "$new_place" ]; then identity_put "$1.pub" key.pub; fi
  identity_put "$1" key
  rm -f key
}
