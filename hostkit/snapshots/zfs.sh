# zfs: one recursive snapshot of the dataset that holds the source: DATASET@resurgo_GROUP_RUN_FREEZE. `_` occurs in none of the three.
# How it is read depends on the implementation: mounted directly, through .zfs/snapshot, or (zfs-fuse has neither) from a clone that is
# made after the thaw in the host's own namespace, because there the file system's daemon does the mounting.

# Set or read elsewhere:
: "${inner-}" "${mount_device-}" "${mount_type-}" "${real_path-}" "${snap_identity-}" "${snap_record-}" \
  "${snap_uuid-}" "${src_name-}" "${tool_output-}"

snapshot_zfs_filesystem() { snapshot_zfs_identity; }
snapshot_zfs_identity() {
  case $mount_type in
    zfs | fuse.zfs) ;;
    *)
      snap_problem="$real_path lies on $mount_type, not on zfs: is its disk mounted? If it is, correct the kind of this source"
      return 1
      ;;
  esac
  zfs_dataset=$mount_device
  path_in_mount "$real_path"
  zfs_rest=${inner#/}
  snapshot_tool 20 zfs get -H -p -o value guid "$zfs_dataset" || return 1
  snap_uuid=$tool_output snap_identity=$zfs_dataset snap_place=$zfs_dataset
}

snapshot_zfs_prepare() { :; }

# Child datasets that are mounted below the source, by their path relative to it; zfs_children keeps `DATASET REL` lines.
snapshot_zfs_nested() {
  snap_nested='' zfs_children=''
  snapshot_tool 20 zfs list -H -r -t filesystem -o name,mountpoint,mounted "$zfs_dataset" || return 1
  while IFS="$TAB" read -r _zn_name _zn_point _zn_mounted; do
    [ "$_zn_name" != "$zfs_dataset" ] || continue
    [ "$_zn_mounted" = yes ] || continue
    case ${_zn_name##*/} in resurgo_*) continue ;; esac
    case $_zn_point in "${real_path%/}"/*) ;; *) continue ;; esac
    _zn_rel=${_zn_point#"${real_path%/}"/}
    source_excludes "$_zn_rel" && continue
    snap_nested=$snap_nested$_zn_rel$LF
    zfs_children="$zfs_children$_zn_name $_zn_rel$LF"
  done <<EOF
$tool_output
EOF
  snap_nested=${snap_nested%"$LF"}
}

# snapshot_zfs_covers REL ROOT: the child dataset itself, from its root.
snapshot_zfs_covers() { [ "$2" = / ]; }

snapshot_zfs_take() {
  snapshot_zfs_nested || return 1
  _zt_tag=resurgo_$1_$2_$3
  snap_name=$zfs_dataset@$_zt_tag snap_parts=1
  if ! snapshot_tool 60 zfs snapshot -r "$snap_name"; then
    # Two sources of one freeze may share a dataset or lie one above the other; anything else of this name is a leftover.
    case " $zfs_taken " in
      *" $_zt_tag "*) zfs_take_rest "$_zt_tag" || return 1 ;;
      *) return 1 ;;
    esac
  fi
  zfs_taken="$zfs_taken $_zt_tag"
  {
    printf 'tag %s\nsub %s\npart %s .\n' "$_zt_tag" "$zfs_rest" "$zfs_dataset"
    while read -r _zt_name _zt_rel; do
      [ -n "$_zt_name" ] || continue
      printf 'part %s %s\n' "$_zt_name" "$_zt_rel"
      snap_parts=$((snap_parts + 1))
    done <<EOF
$zfs_children
EOF
  } >>"$snap_record"
}
zfs_taken=''

# zfs_take_rest TAG: where a dataset below was taken before, with -r alone none of all is: those that lack theirs, together where this ZFS takes
# several at a time (zfs-fuse does not).
zfs_take_rest() {
  snapshot_tool 20 zfs list -H -r -t filesystem,volume -o name "$zfs_dataset" || return 1
  set -- "$1"
  while IFS= read -r _zx_name; do
    zfs list -H -t snapshot -o name "$_zx_name@$1" >/dev/null 2>&1 || set -- "$@" "$_zx_name@$1"
  done <<EOF
$tool_output
EOF
  shift
  [ $# -gt 0 ] || return 0
  snapshot_tool 60 zfs snapshot "$@" && return 0
  for _zx_name; do snapshot_tool 60 zfs snapshot "$_zx_name" || return 1; done
}

# zfs_mounts_snapshots: can this system mount a snapshot by itself?
zfs_mounts_snapshots() { grep -q '[[:space:]]zfs$' /proc/filesystems; }

# zfs_clone_name DATASET TAG N: sets zfs_clone and zfs_clone_point.
zfs_clone_name() {
  zfs_clone=${1%%/*}/$2_$src_name:$3
  zfs_clone_point=$RESURGO_RUN/zfs/$2/$src_name+$3
}

snapshot_zfs_ready() {
  zfs_mounts_snapshots && return 0
  _zr_tag='' _zr_n=0
  while read -r _zr_word _zr_value; do
    case $_zr_word in
      tag) _zr_tag=$_zr_value ;;
      part)
        zfs_clone_name "${_zr_value%% *}" "$_zr_tag" "$_zr_n"
        _zr_n=$((_zr_n + 1))
        own_dir "$RESURGO_RUN/zfs" "$RESURGO_RUN/zfs/$_zr_tag" "$zfs_clone_point"
        zfs list -H -o name "$zfs_clone" >/dev/null 2>&1 && continue
        snapshot_tool 60 zfs clone -o readonly=on -o "mountpoint=$zfs_clone_point" "${_zr_value%% *}@$_zr_tag" "$zfs_clone" || return 1
        ;;
    esac
  done <"$snap_record"
}

snapshot_zfs_view() {
  _zv_tag='' _zv_sub='' _zv_n=0
  while read -r _zv_word _zv_value; do
    case $_zv_word in
      tag) _zv_tag=$_zv_value ;;
      sub) _zv_sub=$_zv_value ;;
      part)
        _zv_dataset=${_zv_value%% *} _zv_rel=${_zv_value#* }
        zfs_place "$_zv_dataset" "$_zv_tag" "$_zv_n" || return 1
        _zv_n=$((_zv_n + 1))
        if [ "$_zv_rel" = . ]; then
          view_bind "$zfs_place${_zv_sub:+/}$_zv_sub" "$2" || return 1
        else
          view_bind "$zfs_place" "$2/$_zv_rel" || return 1
        fi
        ;;
    esac
  done <"$1"
}

# zfs_place DATASET TAG N: sets zfs_place, a folder that shows the snapshot to this process.
zfs_place() {
  zfs_clone_name "$1" "$2" "$3"
  zfs_place=$zfs_clone_point
  mountpoint -q "$zfs_place" 2>/dev/null && return 0
  if zfs_mounts_snapshots; then
    own_dir "$RESURGO_RUN/zfs" "$RESURGO_RUN/zfs/$2" "$zfs_place"
    snapshot_tool 30 mount -t zfs -o ro "$1@$2" "$zfs_place" && return 0
    zfs_place=$(zfs get -H -o value mountpoint "$1")/.zfs/snapshot/$2
    [ -d "$zfs_place/." ] && return 0
  elif zfs list -H -o name "$zfs_clone" >/dev/null 2>&1; then
    # After a reboot the clone is there, its folder in /run is not.
    own_dir "$RESURGO_RUN/zfs" "$RESURGO_RUN/zfs/$2" "$zfs_place"
    snapshot_tool 30 zfs mount "$zfs_clone"
    mountpoint -q "$zfs_place" && return 0
  fi
  snap_problem="$1@$2 can't be made visible here: $snap_problem"
  return 1
}

snapshot_zfs_intact() { :; }
snapshot_zfs_live() { return 1; }
snapshot_zfs_places() { snapshots_place "$@"; }
snapshot_zfs_reopen() {
  zfs_dataset=$1
  zfs list -H -o name "$zfs_dataset" >/dev/null 2>&1
}

snapshot_zfs_list() {
  zfs list -H -r -t snapshot -o name "$zfs_dataset" 2>/dev/null | while read -r _zl_name; do
    case $_zl_name in "$zfs_dataset@resurgo_$1_"*) ;; *) continue ;; esac
    _zl_rest=${_zl_name##*@resurgo_"$1"_}
    printf '%s %s %s %s000 %s\n' "${_zl_rest%_*}" "${_zl_rest##*_}" "$_zl_name" \
      "$(zfs get -H -p -o value creation "$_zl_name")" "$(zfs get -H -p -o value used "$_zl_name")"
  done
}

# snapshot_zfs_drop NAME: clones first. "busy" right after use is common and passes: bounded tries.
snapshot_zfs_drop() {
  _zd_tag=${1#*@}
  for _zd_clone in $(zfs list -H -o name -t filesystem 2>/dev/null | grep -F "/${_zd_tag}_"); do
    zfs_retry zfs destroy "$_zd_clone" || return 1
  done
  rm -rf -- "$RESURGO_RUN/zfs/$_zd_tag" 2>/dev/null
  zfs list -H -t snapshot -o name "$1" >/dev/null 2>&1 || return 0
  zfs_retry zfs destroy -r "$1"
}

zfs_retry() {
  for _zx_try in 1 2 3 4 5 6; do
    snapshot_tool 60 "$@" && return 0
    case $snap_problem in *busy* | *'dependent clones'*) sleep "0.$_zx_try" ;; *) return 1 ;; esac
  done
  return 1
}

snapshot_zfs_close() { :; }
