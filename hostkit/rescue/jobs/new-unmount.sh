# Ends the putting together: everything below the new system's place is unmounted, and what lies under it let go (swap, volumes, encrypted
# volumes, arrays, pools of ZFS), so that all is on the disks. Where something is in use it says who uses it, and nothing of it is forced. What
# the rescue system had before the first step is left alone.
# keys: tree:tree
# tools: blockdev zpool? vgchange? pvs? pvchange? dmsetup? cryptsetup? mdadm?

# Set or read elsewhere:
: "${arg_run-}" "${arg_tree-}" "${held_line-}" "${held_name-}" "${line-}" "${new_place-}" "${NEW_ROOT-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/new.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/held.sh"

job_main() {
  DM_DISABLE_UDEV=1 MDADM_NO_UDEV=1
  export DM_DISABLE_UDEV MDADM_NO_UDEV
  new_place /
  sync
  # This job's own copies first: they would hold the devices.
  new_mounts /proc/self/mountinfo | sed '1!G;h;$!d' >points
  while IFS= read -r unmount_point; do umount "$unmount_point" || job_fail busy "$unmount_point can not be unmounted in this job"; done <points
  new_mounts /proc/1/mountinfo | sed '1!G;h;$!d' >points
  unmount_count=0
  while IFS= read -r unmount_point; do
    new_outside umount "$unmount_point" 2>umount.out || job_fail busy "$unmount_point can not be unmounted$(unmount_users "$unmount_point"): end what uses it, and repeat this step"
    unmount_count=$((unmount_count + 1))
  done <points
  while read -r unmount_swap _ <&6; do
    case $unmount_swap in /*) ;; *) continue ;; esac
    ! held_has "swap $unmount_swap" || continue
    swapoff "$unmount_swap" 2>umount.out || job_fail busy "swap on $unmount_swap can not be switched off: $(tail -n 1 umount.out)"
  done 6</proc/swaps
  unmount_close
  # From the top down; what lies on what is not known here, so it is gone through until nothing more goes.
  unmount_left=$(unmount_devices)
  unmount_groups=$(held_groups)
  while :; do
    unmount_before=$unmount_left
    ! command -v lvm >/dev/null || vgchange --quiet --activate n ${unmount_groups:+--select "$unmount_groups"} >>devices.out 2>&1 || :
    for unmount_name in $(dmsetup ls --target crypt 2>/dev/null | awk '!/No devices/ { print $1 }'); do
      ! unmount_ours "$unmount_name" || cryptsetup close "$unmount_name" 2>>devices.out || :
    done
    for unmount_path in /sys/block/md*; do
      ! unmount_ours "${unmount_path##*/}" || mdadm --stop "/dev/${unmount_path##*/}" >>devices.out 2>&1 || :
    done
    unmount_pools | while IFS= read -r unmount_name; do zpool export "$unmount_name" >>devices.out 2>&1 || :; done
    unmount_left=$(unmount_devices)
    [ -n "$unmount_left" ] || break
    [ "$unmount_left" != "$unmount_before" ] || job_fail busy "still in use: $(printf '%s' "$unmount_left" | tr '\n' ' ')- $(tail -n 3 devices.out | tr '\n' ' ')"
  done
  sync
  for unmount_path in /sys/block/*; do [ ! -e "$unmount_path/device" ] || blockdev --flushbufs "/dev/${unmount_path##*/}" 2>/dev/null || :; done
  job_result "\"unmounted\":$unmount_count"
}

# unmount_close: physical volumes that nothing more shall be put on (lvm-vg).
unmount_close() {
  for _uc_file in "$RESURGO_VAR/runs/$arg_run/made"/closed.*; do
    read_line "$_uc_file" || continue
    for _uc_uuid in $line; do
      _uc_device=$(pvs --noheadings --options pv_name --select "pv_uuid=$_uc_uuid" 2>/dev/null | tr -d ' ')
      # Closed already by an attempt whose answer was lost, or its disk is not open any more.
      [ -n "$_uc_device" ] || continue
      [ "$(pvs --noheadings --options pv_allocatable "$_uc_device" 2>/dev/null | tr -d ' ')" = allocatable ] || continue
      pvchange --allocatable n "$_uc_device" >closed.out 2>&1 || job_fail failed "physical volume $_uc_device can not be closed to further volumes: $(tail -n 2 closed.out | tr '\n' ' ')"
    done
  done
}

# unmount_pools: prints the pools that are imported below the new system's place. Where no module is there is none, and it is not asked for.
unmount_pools() {
  [ -e /sys/module/zfs ] && command -v zpool >/dev/null || return 0
  zpool list -H -o name,altroot 2>/dev/null | while IFS="$(printf '\t')" read -r _up_name _up_root; do
    [ "$_up_root" != "$NEW_ROOT/$arg_tree" ] || printf '%s\n' "$_up_name"
  done
}

# unmount_devices: prints what device mapper, md and ZFS still hold and did not before.
unmount_devices() {
  unmount_pools
  for _ud_path in /sys/block/dm-* /sys/block/md*; do
    ! held_device "$_ud_path" || held_has "$held_line" || printf '%s\n' "$held_name"
  done
}

# unmount_ours NAME: is it one of $unmount_left?
unmount_ours() { printf '%s\n' "$unmount_left" | grep -qxF -e "$1"; }

# unmount_users POINT: prints who has something open there.
unmount_users() {
  # In one process: there are thousands of links, and a fork for each takes minutes.
  _uu_link=$(find /proc/[0-9]*/cwd /proc/[0-9]*/root /proc/[0-9]*/exe /proc/[0-9]*/fd \( -lname "$1" -o -lname "$1/*" \) -print -quit 2>/dev/null) || :
  [ -n "$_uu_link" ] || return 0
  _uu_pid=${_uu_link#/proc/}
  _uu_pid=${_uu_pid%%/*}
  ! read_line "/proc/$_uu_pid/comm" || printf ', process %s (%s) has something open there' "$_uu_pid" "$line"
}
