# A whole tree as one tar through a line of data, for a destination that was just made and is empty: rsync asks about each file, and takes some
# twenty system calls for it. What has come is compared by its listing as ever, and what is missing or differs comes by rsync: a socket, which tar
# leaves out, or all that a broken connection kept back.
#
# Sender to receiver: `listing BYTES` and so many bytes of listing.gz; then, again and again, `more` and $TAR_BLOCKS blocks; then `end`. The tar is
# filled up with zeros to whole chunks: neither side can close one way of the line alone, so the end must be told. Receiver to sender, at the
# end: `done`, or `failed WORDS`.

: "${RESURGO_VAR-}" "${line-}" "${scope_meta-}"

TAR_BLOCK=65536
TAR_BLOCKS=256

# tar_here: sets $tar_program to GNU tar's path, 1 where there is none: it alone carries attributes and files with holes. A busybox shell would
# take its own tar for a bare name.
tar_here() {
  for tar_program in /usr/bin/tar /bin/tar /usr/local/bin/tar; do
    [ -x "$tar_program" ] || continue
    ! "$tar_program" --version 2>/dev/null | grep -q 'GNU tar' || return 0
  done
  return 1
}

# tar_may SCOPE: ends the request where no stream is taken: it is for what a rescue system has just made, and mounted.
tar_may() {
  if [ ! -f "$RESURGO_LIB/lib/new.sh" ] || [ "$1" != folder ]; then fail not-allowed 'one tar is taken by a rescue system alone, and into a folder'; fi
  tar_here || fail missing-tool 'tar is missing here, or is not GNU tar'
}

# tar_bytes N: exactly so many bytes of stdin to stdout, and not one more read: the rest is somebody else's.
tar_bytes() {
  [ "$1" -lt "$TAR_BLOCK" ] || dd bs="$TAR_BLOCK" count="$(($1 / TAR_BLOCK))" iflag=fullblock 2>/dev/null || return 1
  [ "$(($1 % TAR_BLOCK))" = 0 ] || dd bs="$(($1 % TAR_BLOCK))" count=1 iflag=fullblock 2>/dev/null
}

# tar_send NAME FOLDER LISTING [TAR-OPTION…]: FOLDER and the packed listing through ./ssh. Leaves NAME.rc with rsync's codes for the same (12 the
# connection, 23 not all), NAME.err, and in NAME.out how far it is, as client_watch reads it.
tar_send() {
  tar_name=$1 tar_from=$2 tar_listing=$3
  tar_here || return 1
  shift 3
  rm -f tar.to tar.back tar.rc
  : >"$tar_name.out"
  mkfifo tar.to tar.back
  ./ssh <tar.to >tar.back 2>"$tar_name.err" &
  exec 7>tar.to 8<tar.back
  tar_code=0
  # Whoever writes to a line that broke is told, and not ended.
  (trap '' PIPE && tar_frames "$@" 8<&-) || tar_code=$?
  # Where the end was not told the receiver waits for more: that nothing comes is told by the line's own end.
  [ "$tar_code" = 0 ] || exec 7>&-
  tar_said=''
  read -r tar_said <&8 || :
  exec 7>&- 8<&-
  wait "$!" || :
  if [ "$tar_said" = 'done' ] && [ "$tar_code" = 0 ]; then
    echo 0 >"$tar_name.rc"
  elif [ -n "$tar_said" ] || [ "$tar_code" = 23 ]; then
    printf '%s\n' "$tar_said" >>"$tar_name.err"
    [ ! -s tar.err ] || cat tar.err >>"$tar_name.err"
    echo 23 >"$tar_name.rc"
  else
    echo 12 >"$tar_name.rc"
  fi
}

# tar_frames [TAR-OPTION…]: all that is said to the receiver, to fd 7. 12 where nobody takes it, 23 where the tree can not be read.
tar_frames() {
  tar_size=$(stat -c %s "$tar_listing")
  printf 'listing %s\n' "$tar_size" >&7 || return 12
  cat "$tar_listing" >&7 || return 12
  { tar_create "$@" || echo "$?" >tar.rc; } | tar_chunks || return 12
  # The last chunk has gone, and with it what tar had to say.
  [ ! -e tar.rc ] || return 23
  printf 'end\n' >&7 || return 12
}

# tar_create [OPTION…]: ACLs go as the attributes that they are: tar's own way writes them by the names of this host's users.
tar_create() {
  "$tar_program" --create --file=- --directory="$tar_from" --format=posix --pax-option=delete=atime,delete=ctime --numeric-owner --sparse \
    --blocking-factor=512 --xattrs --xattrs-include='*' --xattrs-exclude='btrfs.*' --xattrs-exclude='trusted.SGI_ACL_*' \
    --xattrs-exclude=security.selinux --anchored "$@" . 2>tar.err 7>&-
}

tar_chunks() {
  tar_sent=0
  while :; do
    printf 'more\n' >&7 || return 12
    dd bs="$TAR_BLOCK" count="$TAR_BLOCKS" iflag=fullblock >&7 2>tar.dd || return 12
    # `N+0 records in`: a tar is made of whole records of 512 times 512 bytes, and so of whole blocks of ours.
    tar_got=$(sed -n 's/^\([0-9]\{1,\}\)+0 records in$/\1/p' tar.dd)
    [ -n "$tar_got" ] || return 12
    tar_sent=$((tar_sent + tar_got * TAR_BLOCK))
    printf '%s 0%%\n' "$tar_sent" >>"$tar_name.out"
    [ "$tar_got" = "$TAR_BLOCKS" ] || break
  done
  tar_bytes $(((TAR_BLOCKS - tar_got) * TAR_BLOCK)) </dev/zero >&7
}

# tar_receive: what tar_send sends, from stdin into the folder that scope_path went into, and $scope_meta.
tar_receive() {
  tar_word='' tar_size=''
  tar_here || return 1
  read -r tar_word tar_size || return 1
  case $tar_word/$tar_size in
    listing/*[!0-9]* | listing/ | listing/??????????????*) return 1 ;;
    listing/*) ;;
    *) return 1 ;;
  esac
  rm -f "$scope_meta/tar.end" "$scope_meta/listing.gz"
  tar_bytes "$tar_size" >"$scope_meta/listing.gz" || return 1
  [ "$(stat -c %s "$scope_meta/listing.gz")" = "$tar_size" ] || return 1
  tar_code=0
  # Tar reads no further than its own end: the zeros after it have to go somewhere.
  tar_unframed | { tar_extract 2>"$scope_meta/tar.err" && cat >/dev/null; } || tar_code=$?
  tar_end=''
  ! read_line "$scope_meta/tar.end" || tar_end=$line
  if [ "$tar_end" = broken ]; then
    return 1
  elif [ "$tar_end" = told ] && [ "$tar_code" = 0 ]; then
    printf 'done\n'
  else
    printf 'failed the receiver put not all in place: %s\n' "$(tail -n 3 "$scope_meta/tar.err" | tr '\n' ' ')"
    return 1
  fi
}

# tar_unframed: the tar alone, to stdout. Whether its end was told is noted: of a part tar may think that it is all.
tar_unframed() {
  while :; do
    tar_word=''
    read -r tar_word || tar_word=''
    case $tar_word in
      more) dd bs="$TAR_BLOCK" count="$TAR_BLOCKS" iflag=fullblock 2>/dev/null || return 1 ;;
      end)
        echo told >"$scope_meta/tar.end"
        return
        ;;
      *)
        echo broken >"$scope_meta/tar.end"
        return 1
        ;;
    esac
  done
}

# tar_extract: tar in a view of this system in which the destination alone can be written to (S22), and which goes with it.
tar_extract() {
  tar_jail=$RESURGO_VAR/jail
  own_dir "$tar_jail"
  # shellcheck disable=SC2016 # The inner shell's own.
  unshare -m --propagation private sh -c '
    mount --bind / "$1" && mount -o remount,bind,ro "$1" && mount --rbind . "$1/mnt" &&
      exec chroot "$1" "$2" --extract --file=- --directory=/mnt --numeric-owner --same-owner --preserve-permissions --blocking-factor=512 \
        --xattrs --xattrs-include="*" --warning=no-timestamp
  ' tar-jail "$tar_jail" "$tar_program"
}
