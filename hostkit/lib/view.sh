# A snapshot's read-only tree, composed in the private mount namespace of the job that reads it (it ends with the job).

# Set or read elsewhere:
: "${pattern-}" "${src_group-}" "${src_name-}" "${src_path-}" "${unescaped-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/protect.sh"

# view_bind FROM DIR: binds one part there, read-only. `bind` leaves out what is mounted below FROM.
view_bind() {
  snapshot_tool 20 mount --bind "$1" "$2" || return 1
  snapshot_tool 20 mount -o remount,bind,ro,nosuid,nodev "$2"
}

# view_latest GROUP RUN SOURCE: sets snap_record to that run's record with the highest freeze number; 1 if there is none.
view_latest() {
  snap_record='' view_freeze=-1
  for _vl_dir in "$RESURGO_VAR/snapshots/$1/$2".*; do
    [ -f "$_vl_dir/$3" ] || continue
    [ "${_vl_dir##*.}" -gt "$view_freeze" ] || continue
    view_freeze=${_vl_dir##*.} snap_record=$_vl_dir/$3
  done
  [ -n "$snap_record" ]
}

# snapshot_view GROUP SOURCE RUN DIR: shows that run's snapshot of SOURCE at DIR; fails the request when it can't be shown whole. Sets
# $view_live to `yes` where (part of) it is data in use.
snapshot_view() {
  view_latest "$1" "$3" "$2" || fail not-found "no snapshot of source $2 was taken by run $3 on this host: take the freeze again"
  src_name=$2 src_group=$1 snap_problem=''
  read -r _vw_word src_kind <"$snap_record"
  case " $SNAPSHOT_KINDS " in
    *" $src_kind "*) ;;
    *) fail internal "the record $snap_record names the unknown kind $src_kind" ;;
  esac
  if [ "$src_kind" = btrfs ]; then
    config_source "$1" "$2" || fail not-found "source $2 is no longer in this host's configuration: enrol the host again"
    snapshot_resolve || fail not-mounted "source $2: $snap_problem"
  fi
  mkdir -p "$4" || fail failed "can't make the folder $4"
  "snapshot_${src_kind}_view" "$snap_record" "$4" || {
    view_why=$snap_problem
    view_intact "$2"
    fail failed "the snapshot of source $2 can't be shown: ${view_why:-a part of it is gone}: take the freeze again"
  }
  view_shown=$2
  view_live=no
  ! "snapshot_${src_kind}_live" "$snap_record" || view_live=yes
  : "$view_live"
}
view_shown=''

# view_intact SOURCE: ends the job when the snapshot that was shown has lost something meanwhile: what was read of it is not the instant.
# Trying again would read the same ruin, so it has a code of its own. Sets $view_told, a part of the job's result: what was read live and has
# changed since the instant.
view_intact() {
  view_changed=''
  "snapshot_${src_kind}_intact" "$snap_record" || fail snapshot-lost "source $1: $snap_problem"
  view_told=",\"changed\":[$view_changed]"
  : "$view_told"
}

# view_blame: what can't be read may be a snapshot that was lost while it was read: then that is what the job says. For who reads no
# snapshot, nothing.
view_blame() { [ -z "$view_shown" ] || view_intact "$view_shown"; }

# view_excludes SOURCE: prints paths (relative to the view's root) that are the hostkit's own and belong to no listing: the folder of
# snapshots, when the source (or a part of it) is a btrfs top level. Whatever has that name elsewhere is data.
view_excludes() {
  ! protect_holds_ours "$src_path" || printf '/.resurgo\n'
  [ -f "${snap_record-}" ] || return 0
  while read -r _ve_word _ _ve_kind _ve_point _; do
    case $_ve_word:$_ve_kind in mount:btrfs) ;; *) continue ;; esac
    unescape_mount "$_ve_point"
    if [ "$unescaped" = / ] || ! protect_holds_ours "$unescaped"; then continue; fi
    pattern_literal "$unescaped"
    printf '%s/.resurgo\n' "$pattern"
  done <"$snap_record"
}

# view_vanished CODE FILE: of data in use some is gone before it is read. 0 when rsync's exit CODE, and what it said (in FILE), mean no more than that.
view_vanished() {
  case $1 in 23 | 24) ;; *) return 1 ;; esac
  ! grep -v -e '^$' -e '^file has vanished: ' -e 'failed: No such file or directory (2)$' -e '^rsync warning: some files vanished' \
    -e '^rsync error: some files/attrs were not transferred' -e '^IO error encountered -- skipping file deletion' "$2" >/dev/null
}
