# Gives the new system an identity of its own, where it is a copy of a machine that may run on elsewhere: machine id, ssh host keys, and the key
# that other hosts of the fleet know it by. Each is replaced where there is one, and keeps owner, mode, label and attributes. Its name and its
# addresses stay; so does what is told as `left`: what lies behind a link or is made by nobody here, and two machines must not share.
# keys: tree:tree
# tools: ssh-keygen

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
  identity_others
  job_result "\"changed\":[$(new_strings <changed)],\"left\":[$(new_strings <left)],\"whole\":$identity_whole"
}

# identity_there PATH: is it there, to be replaced? What stands there and can't be is told.
identity_there() {
  if new_find "$1" && [ -f "$new_place" ]; then return 0; fi
  if [ -e "$new$1" ] || [ -h "$new$1" ]; then identity_left "$1"; fi
  return 1
}

identity_left() { printf '%s\n' "$1" >>left; }

# identity_put PATH FILE: puts the file in its place.
identity_put() {
  new_place "$1"
  rm -rf -- "$new_place.resurgo-new"
  if [ -e "$new_place" ]; then
    new_run cp -a "$1" "$1.resurgo-new" 2>cp.out || job_fail failed "$new_place can not be copied: $(tail -n 1 cp.out)"
  fi
  # Of what was not there before: the public half of a key.
  (umask 022 && cat "$2" >"$new_place.resurgo-new") || job_fail no-space "$new_place.resurgo-new can not be written: is its file system full?"
  if ! sync "$new_place.resurgo-new" || ! mv -f "$new_place.resurgo-new" "$new_place"; then job_fail failed "$new_place can not be written"; fi
  printf '%s\n' "$1" >>changed
}

# An id of our own making: an empty file would have some systemd take the boot for the first one of all, and set units to their presets.
identity_machine() {
  read_line /proc/sys/kernel/random/uuid
  printf '%s\n' "$line" | tr -d - >made
  ! identity_there /etc/machine-id || identity_put /etc/machine-id made
  # Most often a link to it.
  if [ ! -h "$new/var/lib/dbus/machine-id" ] && identity_there /var/lib/dbus/machine-id; then identity_put /var/lib/dbus/machine-id made; fi
  for identity_name in /var/lib/systemd/random-seed /var/lib/urandom/random-seed; do
    if new_find "$identity_name" && [ -f "$new_place" ]; then rm -f "$new_place"; fi
  done
}

# The keys that lie where sshd looks unless it is told otherwise. $identity_whole: no key of the old machine is left that it may show.
identity_ssh() {
  for identity_file in "$new/etc/ssh"/ssh_host_*_key; do
    identity_name=${identity_file#"$new"}
    identity_there "$identity_name" || continue
    identity_type=${identity_name#/etc/ssh/ssh_host_}
    identity_type=${identity_type%_key}
    case $identity_type in rsa | ecdsa | ed25519) identity_pair "$identity_name" "$identity_type" ;; *) identity_left "$identity_name" ;; esac
    # What vouched for the old key says nothing of this one.
    [ ! -e "$new$identity_name-cert.pub" ] || identity_left "$identity_name-cert.pub"
  done
  cat "$new/etc/ssh/sshd_config" "$new/etc/ssh/sshd_config.d"/*.conf 2>/dev/null |
    awk 'tolower($1) == "hostkey" { gsub(/"/, "", $2); if ($2 !~ /^\/etc\/ssh\/ssh_host_[a-z0-9]+_key$/) print $2 }' >>left
  identity_whole=true
  [ ! -s left ] || ! grep -qvE '^/etc/machine-id$|^/var/lib/dbus/machine-id$|-cert\.pub$' left || identity_whole=false
}

# The key of the rescue media is its media's: the next build makes another.
identity_fleet() {
  ! identity_there /etc/resurgo/host.key || identity_pair /etc/resurgo/host.key ed25519
  for identity_name in /etc/resurgo/rescue.key /etc/resurgo/rescue.key.pub; do
    if new_find "$identity_name" && [ -f "$new_place" ]; then rm -f "$new_place"; fi
  done
}

# Two that log in to one target by the same name write over each other there; the others are shown to whoever types a passphrase at boot.
identity_others() {
  for identity_file in "$new/etc/iscsi/initiatorname.iscsi" "$new/etc/nvme/hostnqn" "$new/etc/nvme/hostid" "$new/etc/dropbear"/*_host_key \
    "$new/etc/dropbear/initramfs"/*_host_key "$new/etc/dropbear-initramfs"/*_host_key "$new/etc/tinyssh/sshkeydir"; do
    [ ! -e "$identity_file" ] || identity_left "${identity_file#"$new"}"
  done
}

# identity_pair PATH TYPE: a fresh private key at that path, and its public half beside it. As long as the old one, and in a form that old
# versions of sshd read.
identity_pair() {
  set -- "$1" -t "$2"
  if [ "$3" != ed25519 ]; then
    set -- "$@" -m PEM
    identity_bits=$(ssh-keygen -l -f "$new$1" 2>/dev/null) || identity_bits=
    identity_bits=${identity_bits%% *}
    case $identity_bits in '' | *[!0-9]*) ;; *) set -- "$@" -b "$identity_bits" ;; esac
  fi
  identity_name=$1
  shift
  rm -f key key.pub
  ssh-keygen -q "$@" -N '' -C "root@${arg_tree%%@*}" -f key </dev/null || job_fail failed "no $2 key can be made"
  # The public half first: with the two apart the next try makes both anew.
  identity_put "$identity_name.pub" key.pub
  identity_put "$identity_name" key
  rm -f key
}
