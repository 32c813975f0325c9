# btrfs: read-only snapshots in the file system's own top level, under .resurgo/GROUP/RUN.FREEZE/, one for the source's subvolume and
# one for each subvolume nested below the source (S13): SOURCE, SOURCE+1, SOURCE+2… A `+` can't occur in a source's name.
# The top level (subvolid 5) is mounted in a private folder, so it works wherever the source itself is mounted.

# Set or read elsewhere:
: "${inner-}" "${mount_device-}" "${mount_type-}" "${real_path-}" "${snap_identity-}" "${snap_problem-}" \
  "${snap_record-}" "${src_name-}" "${tool_output-}" "${unescaped-}"

# btrfs_uuid_of DEVICE: sets snap_uuid, from sysfs (no fork), else from blkid.
btrfs_uuid_of() {
  snap_uuid=''
  _bu_name=$(readlink -f -- "$1")
  _bu_name=${_bu_name##*/}
  for _bu_dir in /sys/fs/btrfs/*/devices/"$_bu_name"; do
    [ -e "$_bu_dir" ] || continue
    _bu_dir=${_bu_dir%/devices/*}
    snap_uuid=${_bu_dir##*/}
    return 0
  done
  snap_uuid=$(blkid -o value -s UUID "$1" 2>/dev/null)
  [ -n "$snap_uuid" ]
}

# btrfs_open: mounts the top level; sets btrfs_top. From now on until this process ends nobody unmounts any (snapshot_btrfs_close).
btrfs_open() {
  btrfs_top=$RESURGO_RUN/btrfs/$snap_uuid
  own_dir "$RESURGO_RUN" "$RESURGO_RUN/btrfs"
  btrfs_hold || return 1
  mountpoint -q "$btrfs_top" 2>/dev/null && return 0
  own_dir "$btrfs_top"
  # Two requests may come here at once: then the other has mounted it.
  snapshot_tool 20 mount -t btrfs -o subvolid=5,noatime,nosuid,nodev "$mount_device" "$btrfs_top" || mountpoint -q "$btrfs_top" 2>/dev/null
}

# btrfs_hold: a shared lock (fd 4) against an unmount by another request, whose group has its last snapshot removed just now.
btrfs_hold() {
  [ "${btrfs_held:-no}" = no ] || return 0
  exec 4>>"$RESURGO_RUN/btrfs.lock"
  btrfs_tries=0
  until flock -n -s 4; do
    btrfs_tries=$((btrfs_tries + 1))
    [ "$btrfs_tries" -lt 200 ] || {
      snap_problem="a file system below $RESURGO_RUN/btrfs is being unmounted for 20 s already: look at the host's disks"
      return 1
    }
    sleep 0.1
  done
  btrfs_held=yes
}

# btrfs_subvolume: sets btrfs_sub, the subvolume (as a path below the top level, '' for the top level) that holds $inner, and
# btrfs_rest, the path of the source inside it.
btrfs_subvolume() {
  btrfs_sub=${inner#/} btrfs_rest=''
  while [ -n "$btrfs_sub" ]; do
    [ "$(stat -c %i -- "$btrfs_top/$btrfs_sub" 2>/dev/null)" = 256 ] && break
    btrfs_rest=${btrfs_sub##*/}${btrfs_rest:+/}$btrfs_rest
    case $btrfs_sub in
      */*) btrfs_sub=${btrfs_sub%/*} ;;
      *) btrfs_sub='' ;;
    esac
  done
}

# btrfs_own GROUP [RUN.FREEZE]: 0 when our folders down to that one are folders, no links, and root's alone. The top level may be a source,
# and who writes there could have laid anything under our name.
btrfs_own() {
  set -- "$btrfs_top/.resurgo" "$btrfs_top/.resurgo/$1" ${2:+"$btrfs_top/.resurgo/$1/$2"}
  _bo_facts=$(stat -c %F/%u/%a -- "$@" 2>/dev/null) || return 1
  for _bo_fact in $_bo_facts; do
    case $_bo_fact in directory/0/700 | directory/0/2700) ;; *) return 1 ;; esac
  done
}

# btrfs_named RUN.FREEZE PART: 0 when these are names that we give: SOURCE, or SOURCE:N for a part of one, and +N for a nested subvolume.
btrfs_named() {
  check_type run "${1%.*}" && check_type int "${1##*.}" || return 1
  _bm_source=${2%%+*}
  case $_bm_source in *:*) check_type int "${_bm_source#*:}" || return 1 ;; esac
  check_type name "${_bm_source%%:*}" || return 1
  case $2 in *+*) check_type int "${2#*+}" ;; esac
}

# btrfs_snapshot NAME: 0 when .resurgo/GROUP/RUN.FREEZE/PART is one of ours.
btrfs_snapshot() {
  case $1 in .resurgo/*/*.*/*) ;; *) return 1 ;; esac
  _bp_rest=${1#.resurgo/}
  _bp_group=${_bp_rest%%/*} _bp_rest=${_bp_rest#*/}
  _bp_freeze=${_bp_rest%%/*} _bp_part=${_bp_rest#*/}
  check_type group "$_bp_group" && btrfs_named "$_bp_freeze" "$_bp_part" && btrfs_own "$_bp_group" "$_bp_freeze" || return 1
  [ "$(stat -c %i -- "$btrfs_top/$1" 2>/dev/null)" = 256 ]
}

snapshot_btrfs_filesystem() {
  if [ "$mount_type" != btrfs ]; then
    snap_problem="$real_path lies on $mount_type, not on btrfs: is its disk mounted? If it is, correct the kind of this source"
    return 1
  fi
  btrfs_uuid_of "$mount_device" || {
    snap_problem="no file system UUID found for $mount_device"
    return 1
  }
}

snapshot_btrfs_identity() {
  snapshot_btrfs_filesystem && btrfs_open || return 1
  path_in_mount "$real_path"
  btrfs_subvolume
  snap_identity=/$btrfs_sub snap_place=$snap_uuid
}

snapshot_btrfs_prepare() { :; }
snapshot_btrfs_ready() { :; }

# btrfs_subvolumes: sets btrfs_list to every subvolume's path below the top level, one a line.
btrfs_subvolumes() {
  snapshot_tool 20 btrfs subvolume list "$btrfs_top" || return 1
  btrfs_list=''
  _bs_rest=$tool_output$LF
  while [ -n "$_bs_rest" ]; do
    _bs_line=${_bs_rest%%"$LF"*}
    _bs_rest=${_bs_rest#*"$LF"}
    case $_bs_line in *' path '*) btrfs_list=$btrfs_list${_bs_line#* path }$LF ;; esac
  done
}

# Deeper ones come after those that hold them: the list is by id, so sort by path.
snapshot_btrfs_nested() {
  btrfs_subvolumes || return 1
  snap_nested=''
  _bn_base=${inner#/}
  _bn_rest=$btrfs_list
  while [ -n "$_bn_rest" ]; do
    _bn_line=${_bn_rest%%"$LF"*}
    _bn_rest=${_bn_rest#*"$LF"}
    case $_bn_line in .resurgo/* | "$_bn_base") continue ;; esac
    case /$_bn_line in
      "${inner%/}"/*) ;;
      *) continue ;;
    esac
    _bn_line=${_bn_line#"$_bn_base"}
    _bn_line=${_bn_line#/}
    source_excludes "$_bn_line" && continue
    snap_nested=$snap_nested$_bn_line$LF
  done
  case $snap_nested in *"$LF"*"$LF"*) snap_nested=$(printf '%s' "$snap_nested" | sort)$LF ;; esac
  snap_nested=${snap_nested%"$LF"}
}

# snapshot_btrfs_covers REL ROOT REST: is the mount at REL the nested subvolume itself?
snapshot_btrfs_covers() {
  unescape_mount "$2"
  [ "$unescaped" = "${inner%/}/$1" ]
}

snapshot_btrfs_take() {
  snapshot_btrfs_nested || return 1
  _bt_dir=.resurgo/$1/$2.$3
  for _bt_each in "$btrfs_top/.resurgo" "$btrfs_top/.resurgo/$1" "$btrfs_top/$_bt_dir"; do
    # No stat for each: this is done while the workloads are paused.
    [ ! -h "$_bt_each" ] || break
    [ -d "$_bt_each" ] || mkdir -m 0700 -- "$_bt_each" 2>/dev/null || break
  done
  btrfs_own "$1" "$2.$3" || {
    snap_problem="$_bt_dir in the top level of $snap_uuid can't be made, or is not a folder of root's alone (0700): look at it by hand"
    return 1
  }
  snap_name=$_bt_dir/$src_name snap_parts=1
  _bt_lines="uuid $snap_uuid${LF}sub $btrfs_rest${LF}part $src_name .$LF"
  snapshot_tool 60 btrfs subvolume snapshot -r "$btrfs_top/$btrfs_sub" "$btrfs_top/$snap_name" || return 1
  _bt_rest=$snap_nested${snap_nested:+$LF}
  while [ -n "$_bt_rest" ]; do
    _bt_rel=${_bt_rest%%"$LF"*}
    _bt_rest=${_bt_rest#*"$LF"}
    snapshot_tool 60 btrfs subvolume snapshot -r "$btrfs_top${inner%/}/$_bt_rel" "$btrfs_top/$snap_name+$snap_parts" || return 1
    _bt_lines="${_bt_lines}part $src_name+$snap_parts $_bt_rel$LF"
    snap_parts=$((snap_parts + 1))
  done
  printf '%s' "dir $_bt_dir$LF$_bt_lines" >>"$snap_record"
}

snapshot_btrfs_view() {
  _bv_dir='' _bv_sub='' snap_uuid=''
  while read -r _bv_word _bv_value; do
    case $_bv_word in
      uuid) snap_uuid=$_bv_value && btrfs_open || return 1 ;;
      dir) _bv_dir=$_bv_value ;;
      sub) _bv_sub=$_bv_value ;;
      part)
        _bv_from=$btrfs_top/$_bv_dir/${_bv_value%% *} _bv_rel=${_bv_value#* }
        btrfs_snapshot "$_bv_dir/${_bv_value%% *}" || {
          snap_problem="$_bv_dir/${_bv_value%% *} is no snapshot of ours any more"
          return 1
        }
        if [ "$_bv_rel" = . ]; then
          view_bind "$_bv_from${_bv_sub:+/}$_bv_sub" "$2" || return 1
        else
          view_bind "$_bv_from" "$2/$_bv_rel" || return 1
        fi
        ;;
    esac
  done <"$1"
}

snapshot_btrfs_intact() { :; }
snapshot_btrfs_live() { return 1; }
snapshot_btrfs_places() { snapshots_place "$@"; }
snapshot_btrfs_reopen() {
  snap_uuid=$1 mount_device=''
  for _br_device in /sys/fs/btrfs/"$snap_uuid"/devices/*; do [ ! -e "$_br_device" ] || mount_device=/dev/${_br_device##*/}; done
  [ -n "$mount_device" ] || mount_device=$(blkid -U "$snap_uuid" 2>/dev/null) || return 1
  btrfs_open
}

snapshot_btrfs_list() {
  btrfs_own "$1" || return 0
  for _bl_dir in "$btrfs_top/.resurgo/$1"/*.*/*; do
    [ -d "$_bl_dir" ] || continue
    _bl_name=${_bl_dir#"$btrfs_top/"}
    btrfs_snapshot "$_bl_name" || continue
    _bl_freeze=${_bl_dir%/*}
    _bl_freeze=${_bl_freeze##*/}
    _bl_time=$(stat -c %Y -- "${_bl_dir%/*}")
    printf '%s %s %s %s000 -1\n' "${_bl_freeze%.*}" "${_bl_freeze##*.}" "$_bl_name" "$_bl_time"
  done
}

# snapshot_btrfs_drop NAME: one snapshot; the folders above it go with the last.
snapshot_btrfs_drop() {
  _bd_path=$btrfs_top/$1
  if [ -d "$_bd_path" ]; then
    btrfs_snapshot "$1" || {
      snap_problem="$1 is not a snapshot of ours: look at it by hand"
      return 1
    }
    snapshot_tool 60 btrfs subvolume delete "$_bd_path" || return 1
  fi
  rmdir -- "${_bd_path%/*}" 2>/dev/null && rmdir -- "$btrfs_top/.resurgo"/* "$btrfs_top/.resurgo" 2>/dev/null
  return 0
}

# snapshot_btrfs_close: the top level is kept mounted only while it holds something of ours, or others are at work in some.
snapshot_btrfs_close() {
  [ ! -d "$btrfs_top/.resurgo" ] || return 0
  # Others may have come between the look and the lock.
  if flock -n -x 4; then [ -d "$btrfs_top/.resurgo" ] || umount "$btrfs_top" 2>/dev/null || :; fi
  exec 4>&-
  btrfs_held=no
}
