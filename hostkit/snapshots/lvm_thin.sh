# lvm_thin (lvm-thin in the runbook): a thin snapshot, which shares its pool with the origin. A pool that runs full stops *production*, not
# only the snapshot: a reserve is asked for first, and snapshot-guard removes the snapshot before the pool is full.

# Set or read elsewhere:
: "${lvm_group-}" "${lvm_pool-}" "${snap_problem-}" "${mount_device-}" "${snap_nested-}" "${tool_output-}"

# Share of a pool, in percent, above which no snapshot is begun; snapshot-guard has those at which one goes.
THIN_FULL_BEFORE=85

snapshot_lvm_thin_filesystem() { snapshot_lvm_thin_identity; }
snapshot_lvm_thin_identity() {
  lvm_origin || return 1
  [ -n "$lvm_pool" ] || {
    snap_problem="$mount_device is no thin volume: its kind is lvm; correct the runbook"
    return 1
  }
}

snapshot_lvm_thin_prepare() {
  lvm_report data_percent,metadata_percent "$lvm_group/$lvm_pool" || return 1
  _tp_data=${tool_output%%|*} _tp_meta=${tool_output##*|}
  _tp_data=${_tp_data##* }
  for _tp_each in "data ${_tp_data%%.*}" "metadata ${_tp_meta%%.*}"; do
    [ "${_tp_each#* }" -lt "$THIN_FULL_BEFORE" ] 2>/dev/null || {
      snap_problem="the ${_tp_each% *} of thin pool $lvm_group/$lvm_pool is ${_tp_each#* } % full, and a full pool stops production: make it larger (lvextend) before a snapshot is taken"
      return 1
    }
  done
}

snapshot_lvm_thin_nested() { snap_nested=''; }
snapshot_lvm_thin_covers() { return 1; }

snapshot_lvm_thin_take() {
  lvm_for_group=$1 lvm_for_run=$2 lvm_for_freeze=$3
  : "$lvm_for_group" "$lvm_for_run" "$lvm_for_freeze"
  lvm_take lvcreate --yes --quiet --snapshot --setactivationskip n --activate y
}
snapshot_lvm_thin_ready() { lvm_guard; }
snapshot_lvm_thin_view() { lvm_view "$@"; }
snapshot_lvm_thin_intact() { lvm_intact "$@"; }
snapshot_lvm_thin_list() { lvm_list "$@"; }
snapshot_lvm_thin_drop() { lvm_drop "$@"; }
snapshot_lvm_thin_live() { return 1; }
snapshot_lvm_thin_places() { snapshots_place "$@"; }
snapshot_lvm_thin_reopen() { lvm_reopen "$@"; }
snapshot_lvm_thin_close() { :; }
