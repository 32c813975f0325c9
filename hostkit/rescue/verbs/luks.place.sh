# A place in memory for the headers of encrypted volumes that come from the backup, of so many bytes and no more. It ends with the rescue system.
# keys: tree:tree bytes:int
# fenced: yes

: "${arg_bytes-}" "${arg_tree-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/new.sh"

verb_main() {
  place_at=/mnt/headers/$arg_tree
  new_outside mkdir -p "$place_at"
  if new_outside mountpoint -q "$place_at"; then
    place_as=remount,size=$arg_bytes
  else
    place_as=mode=0700,nosuid,nodev,noexec,size=$arg_bytes
  fi
  new_outside mount -t tmpfs -o "$place_as" resurgo "$place_at" || fail failed "there is no room in the memory of this rescue system for $arg_bytes bytes of headers"
  reply
}
