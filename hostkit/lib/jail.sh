#!/bin/sh
# The rsync daemon's jail: one path, chrooted, written to and never read. It is the daemon's working folder, the one that scope_path
# walked to: a path would be looked up again at the chroot, and whoever may rename a folder on the way could have put a link there (S22).

: "${arg_grant-}" "${grant_dir-}" "${grant_purpose-}" "${grant_scope-}" "${grant_until_ms-}" "${time-}" "${scope_meta-}" "${starttime-}" \
  "${store_floor-}" "${store_free-}" "${store_kind-}" "${store_name-}" "${store_total-}"

# What a client may not ask for: devices as files, sources removed, our log and paths, other people's trees as a base.
jail_refused='write-devices copy-devices remove-source-files remove-sent-files log-file fake-super files-from
link-dest copy-dest compare-dest backup-dir temp-dir partial-dir keep-dirlinks'

# Attributes that are the file system's own affair, as lib/rsync-client.sh leaves them out too: a client tells its rules only where it deletes,
# and a receiver that does not know them removes what did not come. XFS keeps ACLs as trusted.SGI_ACL_*, so the ACL would go with it.
jail_filter='-x_btrfs.* -x_trusted.SGI_ACL_* -x_system.*'

# grant_enter PURPOSE: loads $arg_grant and refuses what is closed, expired or meant for the other direction.
grant_enter() {
  grant_load "$arg_grant" || fail not-allowed "there is no grant $arg_grant here; it was closed, or never made"
  [ ! -e "$grant_dir/closed" ] || fail not-allowed "grant $arg_grant is closed"
  [ "$grant_purpose" = "$1" ] || fail not-allowed "grant $arg_grant is not for this direction"
  read_time
  [ "$time" -lt "$grant_until_ms" ] || fail not-allowed "grant $arg_grant has expired"
}

# jail_write DIR: writes DIR/rsyncd.conf for a daemon that is started in the folder of scope_path, and for $scope_meta.
jail_write() {
  case $scope_meta in *[[:cntrl:]]*) fail not-allowed 'a path with control characters can not be jailed' ;; esac
  atomic_write "$1/rsyncd.conf" <<EOF
use chroot = yes
uid = 0
gid = 0
numeric ids = yes
read only = no
write only = yes
list = no
munge symlinks = no
reverse lookup = no
forward lookup = no
max connections = 32
lock file = $1/rsyncd.lock
log file = $1/rsyncd.log
max verbosity = 2
timeout = 600
filter = $jail_filter
refuse options = $(printf '%s' "$jail_refused" | tr '\n' ' ')

[data]
path = /proc/self/cwd

[meta]
path = $scope_meta
EOF
}

# The exit of a receiver that was ended, or not begun, because the store is down to its reserve.
JAIL_FULL=28

# jail_serve CONF: the daemon on this connection, in the folder that scope_path went into; ends this shell with it. A store without a quota
# is looked at meanwhile: the disk is other groups' too, and what comes is the sender's word alone (S29).
jail_serve() {
  case $grant_scope/${store_kind-} in
    store/btrfs | store/hardlink | rescue/btrfs | rescue/hardlink) ;;
    *) exec rsync --server --daemon --config="$1" . ;;
  esac
  stores_above_floor || jail_full
  # A command in the background gets another stdin, unless it is handed on. This shell keeps none of the connection that the daemon reads.
  exec 3<&0 </dev/null
  rsync --server --daemon --config="$1" . <&3 3<&- &
  jail_daemon=$!
  exec 3<&-
  read_starttime "$jail_daemon" || :
  jail_started=$starttime
  jail_guard >/dev/null 2>&1 &
  jail_guard=$!
  jail_code=0
  wait "$jail_daemon" || jail_code=$?
  kill "$jail_guard" 2>/dev/null || :
  # By a signal: the guard's own, or of somebody who ends this shell as well.
  case $jail_code in
    20 | 137 | 143)
      jail_guarded=0
      wait "$jail_guard" || jail_guarded=$?
      [ "$jail_guarded" != "$JAIL_FULL" ] || jail_full
      ;;
  esac
  exit "$jail_code"
}

# jail_guard: ends the daemon when the store is down to its reserve; ends with it. The more room there is the rarer it looks: a second for
# each GiB, between 1 and 30.
jail_guard() {
  jail_nap=''
  # The one who waits sends TERM: the nap must not outlive it.
  trap '[ -z "$jail_nap" ] || kill "$jail_nap" 2>/dev/null; exit 0' TERM
  while same_process "$jail_daemon" "$jail_started"; do
    # A df that said nothing (0 in all) is no full disk.
    if ! stores_above_floor && [ "$store_total" -gt 0 ]; then
      trap '' TERM
      kill "$jail_daemon"
      jail_tries=0
      while [ "$jail_tries" -lt 50 ] && same_process "$jail_daemon" "$jail_started"; do
        jail_tries=$((jail_tries + 1))
        sleep 0.1
      done
      ! same_process "$jail_daemon" "$jail_started" || kill -KILL "$jail_daemon"
      exit "$JAIL_FULL"
    fi
    jail_pause=$(((store_free - store_floor) / 1073741824))
    [ "$jail_pause" -ge 1 ] || jail_pause=1
    [ "$jail_pause" -le 30 ] || jail_pause=30
    sleep "$jail_pause" &
    jail_nap=$!
    wait "$jail_nap" || :
    jail_nap=''
  done
}

# jail_full: tells the sender's user, in the words of a disk that is full, by which the sender knows it (lib/rsync-client.sh).
jail_full() {
  printf "@ERROR: no-space: No space left on device above the reserve: store '%s' has %s bytes free and keeps %s; prune, or make it larger\n" \
    "$store_name" "$store_free" "$store_floor" >&2
  exit "$JAIL_FULL"
}
