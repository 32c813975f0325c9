# Makes a swap file of the new system as it was known. Its content is no data: it is written anew, whole, without holes.
# keys: tree:tree path:path bytes:int mode:text uuid:text? label:text?
# tools: blkid mkswap chattr?

# Set or read elsewhere:
: "${arg_bytes-}" "${arg_label-}" "${arg_mode-}" "${arg_path-}" "${arg_uuid-}" "${new_place-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/new.sh"

job_main() {
  case $arg_mode in [0-7][0-7][0-7] | [0-7][0-7][0-7][0-7]) ;; *) job_fail bad-request 'a mode is three or four octal digits' ;; esac
  [ "$arg_bytes" -ge 40960 ] || job_fail bad-request "a swap file has ten pages at least, not $arg_bytes bytes"
  new_enter
  new_place "$arg_path"
  [ ! -e "$new_place" ] || [ -f "$new_place" ] || job_fail exists "$arg_path of the new system is no file: a restore has put something else there"
  if swap_is; then
    job_result "\"path\":\"$new_place\",\"was\":true"
    return
  fi
  rm -f "$new_place"
  mkdir -p "${new_place%/*}"
  : >"$new_place"
  # Swap on a btrfs needs a file that is not copied on writing, and that is set while it is empty.
  if [ "$(stat -f -c %T "$new_place")" = btrfs ]; then
    chattr +C "$new_place" || job_fail failed "$new_place can not be set to no copy-on-write, which swap on a btrfs needs"
  fi
  head -c "$arg_bytes" /dev/zero >"$new_place" || job_fail no-space "$new_place can not be made $arg_bytes bytes long: is its file system full?"
  chmod "$arg_mode" "$new_place"
  set --
  [ -z "$arg_uuid" ] || set -- "$@" -U "$arg_uuid"
  [ -z "$arg_label" ] || set -- "$@" -L "$arg_label"
  mkswap "$@" "$new_place" >swap.out 2>&1 || job_fail failed "mkswap can not make $new_place: $(tail -n 3 swap.out | tr '\n' ' ')"
  sync "$new_place" || job_fail failed "$new_place can not be flushed"
  swap_is || job_fail failed "$new_place does not show the swap that was made"
  job_result "\"path\":\"$new_place\""
}

# swap_is: the whole file, with that swap in it?
swap_is() {
  [ -f "$new_place" ] && [ "$(stat -c %s "$new_place")" = "$arg_bytes" ] || return 1
  [ "$(blkid -p -o value -s TYPE "$new_place" 2>/dev/null)" = swap ] || return 1
  [ -z "$arg_uuid" ] || [ "$(blkid -p -o value -s UUID "$new_place" 2>/dev/null)" = "$arg_uuid" ]
}
