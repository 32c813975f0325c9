#!/bin/sh
# The rsync daemon's jail: one path, chrooted, written to and never read. It is the daemon's working folder, the one that scope_path
# walked to: a path would be looked up again at the chroot, and whoever may rename a folder on the way could have put a link there (S22).

: "${arg_grant-}" "${grant_dir-}" "${grant_purpose-}" "${grant_until_ms-}" "${time-}" "${scope_meta-}"

# What a client may not ask for: devices as files, sources removed, our log and paths, other people's trees as a base.
jail_refused='write-devices copy-devices remove-source-files remove-sent-files log-file fake-super files-from
link-dest copy-dest compare-dest backup-dir temp-dir partial-dir keep-dirlinks'

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
refuse options = $(printf '%s' "$jail_refused" | tr '\n' ' ')

[data]
path = /proc/self/cwd

[meta]
path = $scope_meta
EOF
}
