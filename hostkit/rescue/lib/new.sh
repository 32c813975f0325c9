# The new system, put together below /mnt/new/TREE: its place, and what is mounted there. A job runs in a mount namespace of its own, which
# ends with it: what the new system shall keep is mounted in the first process's, what a job alone needs in its own.

# Set or read elsewhere:
: "${LF-}" "${arg_tree-}" "${line-}" "${unescaped-}"

NEW_ROOT=/mnt/new

# new_place PATH: sets $new_place to where that path of the new system lies. Nothing is written through a link that came with the data (S22).
new_place() {
  new_place=$NEW_ROOT/$arg_tree new_rest=${1#/}
  while [ -n "$new_rest" ]; do
    new_place=$new_place/${new_rest%%/*}
    case $new_rest in */*) new_rest=${new_rest#*/} ;; *) new_rest= ;; esac
    [ ! -h "$new_place" ] || fail not-allowed "$new_place is a symbolic link; nothing is written through links"
  done
}

# new_enter: ends the job unless a root is mounted there; sets $new to it.
new_enter() {
  new=$NEW_ROOT/$arg_tree
  mountpoint -q "$new" || fail not-mounted "no file system of the new system is mounted at $new: do the plan's steps that make and mount it first"
}

# new_mounts: prints what is mounted at and below the new system's place, the outer ones first, in the order of mounting.
new_mounts() {
  while read -r _ _ _ _ _nm_point _; do
    unescape_mount "$_nm_point"
    case $unescaped/ in "$NEW_ROOT/$arg_tree"/*) printf '%s\n' "$unescaped" ;; esac
  done </proc/1/mountinfo
}

# new_outside COMMAND…: in the first process's namespace, where mounts stay.
new_outside() { nsenter --mount=/proc/1/ns/mnt "$@"; }
