# A whole tree as one tar through a line of data, for a destination that was just made and is empty: rsync asks about each file, and takes some
# twenty system calls for it. What has come is compared by its listing as ever, and what is missing or differs comes by rsync: a socket, which tar
# leaves out, or all that a broken connection kept back.
#
# Sender to receiver: `listing BYTES` and so many bytes of listing.gz; the tar; `end`. Receiver to sender, at the end: `done`, or `failed WORDS`.
# Neither side can close one way of the line alone, so the end is told. Tar ends where its own end is, and is made and read in whole records: it
# reads no byte of what follows.

: "${RESURGO_VAR-}" "${line-}" "${scope_meta-}"

TAR_BLOCK=65536
# Of 512 bytes each.
TAR_RECORD=512
# In which at least 16 MiB have to go, or the receiver to come to its end; and between two looks.
TAR_IDLE_S=900
TAR_LOOK_S=15

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

# tar_may_read FOLDER: 1 where tar would take a file for one hole that is none: it asks the file system how many blocks a file has, and believes it.
# Of these it is known to tell the truth but for short files that lie in their inodes.
tar_may_read() {
  case $(stat -f -c %T -- "$1") in ext2/ext3 | xfs | btrfs | zfs) ;; *) return 1 ;; esac
  tar_find=/usr/bin/find
  [ -x "$tar_find" ] || tar_find=/bin/find
  ! "$tar_find" "$1" -type f -size +1 -size -9 -printf '%b\n' | grep -qx 0
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
  rm -f tar.to tar.back
  : >"$tar_name.out"
  mkfifo tar.to tar.back
  # A group of its own: where the receiver dials, the line is several processes, and each of them holds an end.
  setsid ./ssh <tar.to >tar.back 2>"$tar_name.err" &
  tar_line=$!
  tar_guard >/dev/null 2>&1 9>&- &
  tar_guard=$!
  exec 7>tar.to 8<tar.back
  tar_code=0
  # Whoever writes to a line that broke is told, and not ended.
  (trap '' PIPE && tar_told "$@" 8<&-) || tar_code=$?
  # Where the end was not told the receiver waits for more: that nothing comes is told by the line's own end.
  [ "$tar_code" = 0 ] || exec 7>&-
  tar_said=''
  read -r tar_said <&8 || :
  exec 7>&- 8<&-
  wait "$tar_line" || :
  kill "$tar_guard" 2>/dev/null || :
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

# tar_guard: ends a line on which nothing has moved for $TAR_IDLE_S: ssh sees whether the other side is there, and not whether its disk still
# writes.
tar_guard() {
  tar_idle=0 tar_was=''
  while [ "$tar_idle" -lt "$TAR_IDLE_S" ]; do
    sleep "$TAR_LOOK_S"
    tar_now=$(wc -c <"$tar_name.out")
    if [ "$tar_now" = "$tar_was" ]; then tar_idle=$((tar_idle + TAR_LOOK_S)); else tar_idle=0 tar_was=$tar_now; fi
  done
  kill -TERM "-$tar_line"
}

# tar_told [TAR-OPTION…]: all that is said to the receiver, to fd 7. 12 where nobody takes it, 23 where the tree can not be read.
tar_told() {
  tar_size=$(stat -c %s "$tar_listing")
  printf 'listing %s\n' "$tar_size" >&7 || return 12
  cat "$tar_listing" >&7 || return 12
  if tar_create "$@" >&7 2>tar.err; then
    sed -n 's/^Total bytes written: \([0-9]*\) .*/\1 0%/p' tar.err >>"$tar_name.out"
    printf 'end\n' >&7 || return 12
  elif tar_read_all; then
    return 12
  else
    return 23
  fi
}

# tar_read_all: is all that tar has to say of its end that the line broke? Of a file that can not be read it makes zeros, with its size and time.
tar_read_all() {
  ! grep -qv -e ': socket ignored$' -e '^Total bytes written' -e ': Cannot write: Broken pipe$' -e ': Wrote only [0-9]* of' -e ': Error is not recoverable' \
    -e ': Child ' -e ': Exiting with failure status' tar.err
}

# tar_create [OPTION…]: ACLs go as the attributes that they are: tar's own way writes them by the names of this host's users. How far it is, is
# told each 16 MiB.
tar_create() {
  # shellcheck disable=SC2016 # For the shell that tar starts.
  TAR_OUT=$tar_name.out "$tar_program" --create --file=- --directory="$tar_from" --format=posix --pax-option=delete=atime,delete=ctime \
    --numeric-owner --sparse --blocking-factor="$TAR_RECORD" --totals --checkpoint=64 \
    --checkpoint-action='exec=echo $((TAR_CHECKPOINT * TAR_BLOCKING_FACTOR * 512)) 0% >>"$TAR_OUT"' \
    --xattrs --xattrs-include='*' --xattrs-exclude='btrfs.*' --xattrs-exclude='trusted.SGI_ACL_*' --xattrs-exclude=security.selinux \
    --anchored "$@" .
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
  rm -f "$scope_meta/listing.gz"
  tar_bytes "$tar_size" >"$scope_meta/listing.gz" || return 1
  [ "$(stat -c %s "$scope_meta/listing.gz")" = "$tar_size" ] || return 1
  tar_code=0
  tar_extract 2>"$scope_meta/tar.err" || tar_code=$?
  tar_word=''
  [ "$tar_code" != 0 ] || read -r tar_word || :
  if [ "$tar_word" = end ]; then
    printf 'done\n'
  else
    printf 'failed the receiver put not all in place: %s\n' "$(tail -n 3 "$scope_meta/tar.err" | tr '\n' ' ')"
    return 1
  fi
}

# tar_extract: tar in a view of this system in which the destination alone can be written to (S22), and which goes with it.
tar_extract() {
  tar_jail=$RESURGO_VAR/jail
  own_dir "$tar_jail"
  # shellcheck disable=SC2016 # The inner shell's own.
  unshare -m --propagation private sh -c '
    mount --bind / "$1" && mount -o remount,bind,ro "$1" && mount --rbind . "$1/mnt" &&
      exec chroot "$1" "$2" --extract --file=- --directory=/mnt --numeric-owner --same-owner --preserve-permissions --blocking-factor="$3" \
        --read-full-records --xattrs --xattrs-include="*" --warning=no-timestamp
  ' tar-jail "$tar_jail" "$tar_program" "$TAR_RECORD"
}
