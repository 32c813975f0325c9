# lvm: a classic snapshot of the logical volume that the source's file system lies on. It holds what is overwritten at the origin while it
# stands, in room of its own from the volume group; when that is full the snapshot is lost (the origin is not). So the room is checked
# first, watched by snapshot-guard, and made larger before it is full.

# Set or read elsewhere:
: "${lvm_bytes-}" "${lvm_group-}" "${lvm_pool-}" "${lvm_volume-}" "${snap_problem-}" "${mount_device-}" "${snap_nested-}" "${src_room-}" "${tool_output-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/lvm.sh"

snapshot_lvm_filesystem() { snapshot_lvm_identity; }
snapshot_lvm_identity() {
  lvm_origin || return 1
  [ -z "$lvm_pool" ] || {
    snap_problem="$mount_device is a thin volume: its kind is lvm-thin; correct the runbook"
    return 1
  }
}

# The room that the runbook gives it, as a share of the origin, must be free in the group.
snapshot_lvm_prepare() {
  snapshot_tool 20 vgs --noheadings --nosuffix --units b --options vg_free "$lvm_group" || return 1
  lvm_free=${tool_output##* }
  lvm_room=$((lvm_bytes * ${src_room:-10} / 100))
  # One extent is the least. LVM rounds up to extents, and refuses what is not whole sectors.
  [ "$lvm_room" -ge 4194304 ] || lvm_room=4194304
  lvm_room=$((lvm_room / 512 * 512))
  [ "$lvm_free" -ge "$lvm_room" ] || {
    snap_problem="volume group $lvm_group has $lvm_free bytes free and the snapshot of $lvm_volume wants $lvm_room (${src_room:-10} % of it): free some there, or lower snapshot_room of this source"
    return 1
  }
}

snapshot_lvm_nested() { snap_nested=''; }
snapshot_lvm_covers() { return 1; }

snapshot_lvm_take() {
  lvm_for_group=$1 lvm_for_run=$2 lvm_for_freeze=$3
  : "$lvm_for_group" "$lvm_for_run" "$lvm_for_freeze"
  snapshot_lvm_prepare || return 1
  lvm_take lvcreate --yes --quiet --snapshot --size "${lvm_room}b"
}
snapshot_lvm_ready() { lvm_guard; }
snapshot_lvm_view() { lvm_view "$@"; }
snapshot_lvm_intact() { lvm_intact "$@"; }
snapshot_lvm_list() { lvm_list "$@"; }
snapshot_lvm_drop() { lvm_drop "$@"; }
snapshot_lvm_live() { return 1; }
snapshot_lvm_places() { snapshots_place "$@"; }
snapshot_lvm_reopen() { lvm_reopen "$@"; }
snapshot_lvm_close() { :; }
