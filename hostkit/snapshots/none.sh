# none: no snapshot at all: the live folder, read-only in the view. A backup of it is labelled live (S7).

# Set or read elsewhere:
: "${mount_device-}" "${mount_root-}" "${real_path-}" "${snap_identity-}" "${snap_name-}" "${snap_nested-}" \
  "${snap_parts-}" "${snap_place-}" "${snap_record-}"

snapshot_none_filesystem() { snapshot_none_identity; }
snapshot_none_identity() {
  snap_identity=$mount_root snap_place=''
  snap_uuid=$(blkid -o value -s UUID "$mount_device" 2>/dev/null)
  # A file system without a UUID (overlay, tmpfs, nfs) is told apart by its device's name.
  snap_uuid=${snap_uuid:-$mount_type:$mount_device}
}
snapshot_none_prepare() { :; }
snapshot_none_nested() { snap_nested=''; }
snapshot_none_covers() { return 1; }
snapshot_none_take() {
  snap_name=$real_path snap_parts=1
  printf 'path %s\n' "$real_path" >>"$snap_record"
}
snapshot_none_ready() { :; }
snapshot_none_view() {
  while read -r _nv_word _nv_value; do
    [ "$_nv_word" = path ] || continue
    view_bind "$_nv_value" "$2"
    return
  done <"$1"
  return 1
}
snapshot_none_intact() { :; }
snapshot_none_live() { :; }
snapshot_none_places() { snapshots_place "$@"; }
snapshot_none_reopen() { return 1; }
snapshot_none_list() { :; }
snapshot_none_drop() { :; }
snapshot_none_close() { :; }
