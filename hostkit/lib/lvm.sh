# LVM for both of its kinds of snapshots (snapshots/lvm.sh, snapshots/lvm_thin.sh): what a source lies on, what is ours there, how full it is.
#
# A snapshot of ours is a logical volume in the origin's group, called resurgo_HASH, with the tag resurgo/GROUP/RUN/FREEZE/ORIGIN: by that
# `list` finds it without a record. Names hold 127 bytes at the most, tags 1024.

# Set or read elsewhere:
: "${line-}" "${lvm_for_freeze-}" "${lvm_for_group-}" "${lvm_for_run-}" "${mount_device-}" "${mount_root-}" "${mount_type-}" "${real_path-}" "${snap_identity-}" "${snap_name-}" "${snap_nested-}" \
  "${snap_parts-}" "${snap_place-}" "${snap_record-}" "${snap_uuid-}" "${src_group-}" "${src_name-}" "${tool_output-}" "${inner-}"

# lvm_report FIELDS WHAT…: one line for each volume in $tool_output, fields separated by `|`, sizes in bytes.
lvm_report() {
  _lr_fields=$1
  shift
  snapshot_tool 30 lvs --noheadings --nosuffix --units b --separator '|' --options "$_lr_fields" "$@"
}

# lvm_origin: sets lvm_group lvm_volume lvm_bytes lvm_pool lvm_attr and snap_uuid of the logical volume that the source's file system lies on.
lvm_origin() {
  case $mount_type in
    ext2 | ext3 | ext4 | xfs) ;;
    btrfs | zfs | fuse.zfs)
      snap_problem="$real_path lies on $mount_type, which takes better snapshots by itself: correct the kind of this source"
      return 1
      ;;
    *)
      snap_problem="$real_path lies on $mount_type, of which no LVM snapshot is taken: correct the kind of this source"
      return 1
      ;;
  esac
  command -v lvs >/dev/null || {
    snap_problem='lvm2 is not installed on this host: correct the kind of this source'
    return 1
  }
  lvm_report vg_name,lv_name,lv_size,pool_lv,lv_attr "$mount_device" || {
    snap_problem="$real_path lies on $mount_device, which is no logical volume: correct the kind of this source"
    return 1
  }
  lvm_split "$tool_output"
  snap_uuid=$(blkid -o value -s UUID "$mount_device" 2>/dev/null)
  [ -n "$snap_uuid" ] || {
    snap_problem="no file system UUID found for $mount_device"
    return 1
  }
  path_in_mount "$real_path"
  snap_identity=$lvm_group/$lvm_volume snap_place=$lvm_group
}

# lvm_split LINE: GROUP|VOLUME|BYTES|POOL|ATTR, with blanks before it.
lvm_split() {
  IFS='|' read -r lvm_group lvm_volume lvm_bytes lvm_pool lvm_attr <<EOF
$1
EOF
  lvm_group=${lvm_group##* }
  : "$lvm_bytes" "$lvm_pool" "$lvm_attr"
}

# lvm_tag GROUP RUN FREEZE ORIGIN: sets lvm_tag and lvm_name.
lvm_tag() {
  lvm_tag=resurgo/$1/$2/$3/$4
  lvm_name=$(printf '%s' "$lvm_tag" | sha256sum)
  lvm_name=resurgo_$(printf %.16s "$lvm_name")
}

# lvm_take COMMAND…: takes the snapshot by that command unless another source of this freeze has; writes the record. LVM holds the file
# system still by itself while it does (S6).
lvm_take() {
  lvm_tag "$lvm_for_group" "$lvm_for_run" "$lvm_for_freeze" "$lvm_volume"
  snap_name=$lvm_group/$lvm_name snap_parts=1
  case " $lvm_taken " in
    *" $snap_name "*) ;;
    *) snapshot_tool 60 "$@" --addtag resurgo --addtag "$lvm_tag" --name "$lvm_name" "$lvm_group/$lvm_volume" || return 1 ;;
  esac
  lvm_taken="$lvm_taken $snap_name"
  printf 'volume %s\ntype %s\nsub %s\n' "$snap_name" "$mount_type" "${inner#/}" >>"$snap_record"
}
lvm_taken=''

# lvm_view RECORD DIR: mounts it where only this process sees it, and shows the source's part. XFS refuses a second file system of the
# same UUID unless told that this is meant.
lvm_view() {
  _lv_volume='' _lv_type='' _lv_sub=''
  while read -r _lv_word _lv_value; do
    case $_lv_word in
      volume) _lv_volume=$_lv_value ;;
      type) _lv_type=$_lv_value ;;
      sub) _lv_sub=$_lv_value ;;
    esac
  done <"$1"
  lvm_whole "$_lv_volume" || return 1
  _lv_options=ro,nosuid,nodev
  [ "$_lv_type" != xfs ] || _lv_options=$_lv_options,nouuid
  _lv_at=$RESURGO_RUN/lvm/$_lv_volume
  own_dir "$RESURGO_RUN" "$RESURGO_RUN/lvm" "${_lv_at%/*}" "$_lv_at"
  mountpoint -q "$_lv_at" || snapshot_tool 60 mount -t "$_lv_type" -o "$_lv_options" "/dev/$_lv_volume" "$_lv_at" || return 1
  view_bind "$_lv_at${_lv_sub:+/}$_lv_sub" "$2"
}

# lvm_intact RECORD: does the snapshot of that record still hold all that it held?
lvm_intact() {
  while read -r _li_word _li_value; do
    [ "$_li_word" != volume ] || { lvm_whole "$_li_value" || return 1; }
  done <"$1"
}

# lvm_whole VOLUME: a classic snapshot that overflowed has lost what it held, and so has a thin one whose pool ran full. Reading one may even
# seem to work.
lvm_whole() {
  lvm_report lv_attr,lv_snapshot_invalid,lv_health_status "$1" || {
    read_line "$RESURGO_VAR/snapshots/.removed/${1##*/}" || line='nobody of ours removed it'
    snap_problem="the snapshot $1 is gone: $line"
    return 1
  }
  # The first field is LVM's row of letters: the fifth says of a classic snapshot that it is invalid, the ninth that its pool failed, is out of
  # data, or can't write its metadata.
  case ${tool_output#"${tool_output%%[! ]*}"} in
    ????[IS]* | ????????[FDM]* | *'|snapshot invalid|'* | *'|failed' | *'|out_of_data' | *'|metadata_read_only')
      snap_problem="the snapshot $1 has overflowed: more was written to its origin than it could keep. Give it more room (snapshot_room of the source, or space in the volume group) and back up again"
      return 1
      ;;
  esac
}

# lvm_list GROUP: RUN FREEZE NAME CREATED_MS USED_BYTES of each of ours in this volume group.
lvm_list() {
  lvm_report vg_name,lv_name,lv_size,data_percent,lv_time,lv_tags --config 'report/time_format="%s"' --select 'lv_tags=resurgo' "$snap_place" || return 0
  printf '%s\n' "$tool_output" | while IFS='|' read -r _ll_group _ll_name _ll_bytes _ll_percent _ll_time _ll_tags; do
    _ll_tag=${_ll_tags##*resurgo/}
    [ "$_ll_tag" != "$_ll_tags" ] || continue
    _ll_tag=${_ll_tag%%,*}
    [ "${_ll_tag%%/*}" = "$1" ] || continue
    _ll_tag=${_ll_tag#*/}
    _ll_run=${_ll_tag%%/*} _ll_tag=${_ll_tag#*/}
    _ll_percent=${_ll_percent%%.*}
    printf '%s %s %s %s000 %s\n' "$_ll_run" "${_ll_tag%%/*}" "${_ll_group##* }/$_ll_name" "${_ll_time%%[!0-9]*}" "$((_ll_bytes * ${_ll_percent:-0} / 100))"
  done
}

# lvm_drop NAME: whatever shows it still is unmounted first. Only one of ours is ever removed.
lvm_drop() {
  lvs --noheadings --options lv_name "$1" >/dev/null 2>&1 || return 0
  case ,$(lvs --noheadings --options lv_tags "$1" 2>/dev/null | tr -d ' '), in
    *,resurgo,*) ;;
    *)
      snap_problem="$1 is no snapshot of ours: look at it by hand"
      return 1
      ;;
  esac
  _ld_at=$RESURGO_RUN/lvm/$1
  ! mountpoint -q "$_ld_at" 2>/dev/null || umount "$_ld_at" 2>/dev/null || :
  for _ld_try in 1 2 3 4 5 6; do
    if snapshot_tool 60 lvremove --yes --quiet "$1"; then
      rmdir "$_ld_at" "${_ld_at%/*}" 2>/dev/null
      rm -f "$RESURGO_VAR/snapshots/.removed/${1##*/}"
      return 0
    fi
    case $snap_problem in *'in use'* | *busy*) sleep "0.$_ld_try" ;; *) return 1 ;; esac
  done
  return 1
}

# lvm_reopen PLACE
lvm_reopen() {
  snap_place=$1
  vgs --noheadings --options vg_name "$1" >/dev/null 2>&1
}

# lvm_guard: starts the one that watches this freeze's snapshots, beyond this request. Idempotent.
lvm_guard() {
  _lg_unit=resurgo-snapshots-$lvm_for_group.$lvm_for_run.$lvm_for_freeze.service
  if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null; then
    systemctl is-active --quiet "$_lg_unit" && return 0
    timeout 20 systemd-run --quiet --collect --unit="$_lg_unit" -p Restart=on-failure \
      /bin/sh "$RESURGO_LIB/snapshot-guard" "$lvm_for_group" "$lvm_for_run" "$lvm_for_freeze" </dev/null >/dev/null 2>&1 && return 0
  fi
  detach /bin/sh "$RESURGO_LIB/snapshot-guard" "$lvm_for_group" "$lvm_for_run" "$lvm_for_freeze"
}
