# Makes a ZFS pool, imported below the new system's place with nothing of it mounted. `vdevs`: the words of `zpool create`, one a line; a device
# is `on DEVICE`. `features`: those that are on. `once`: what of its first dataset can be chosen now alone.
# keys: tree:tree disks:lines name:text features:lines? properties:lines? once:lines? vdevs:lines
# tools: blkid wipefs zpool

# Set or read elsewhere:
: "${arg_disks-}" "${arg_features-}" "${arg_name-}" "${arg_once-}" "${arg_properties-}" "${arg_run-}" "${arg_tree-}" "${arg_vdevs-}" "${device-}" \
  "${device_why-}" "${LF-}" "${NEW_ROOT-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/new.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/pools.sh"

job_main() {
  disks_check "$arg_disks"
  pool_check "$arg_name"
  case $arg_name in */*) job_fail bad-request "'$arg_name' is no pool" ;; esac
  pool_module
  if pool_is "$arg_name"; then
    job_result "\"pool\":\"$arg_name\",\"was\":true"
    return
  fi
  : >args
  : >nodes
  # Not mounted by anybody but the step that does so: zpool-finish sets what it was.
  printf '%s\n' -f -d -R "$NEW_ROOT/$arg_tree" -O canmount=off >>args
  if [ -n "$arg_features" ]; then
    while IFS= read -r zpool_feature; do
      property_check "$zpool_feature"
      printf '%s\n%s\n' -o "feature@$zpool_feature=enabled" >>args
    done <<FEATURES
$arg_features
FEATURES
  fi
  property_args -o "$arg_properties"
  property_args -O "$arg_once"
  printf '%s\n' "$arg_name" >>args
  while IFS= read -r zpool_word; do
    case $zpool_word in
      mirror | raidz1 | raidz2 | raidz3 | special | log | cache | spare) printf '%s\n' "$zpool_word" >>args ;;
      on\ *)
        device_find "${zpool_word#on }"
        readlink -f "$device" >>nodes
        zpool_path "${zpool_word#on }"
        printf '%s\n' "$zpool_path" >>args
        ;;
      *) job_fail bad-request "'$zpool_word' is no part of a pool" ;;
    esac
  done <<VDEVS
$arg_vdevs
VDEVS
  zpool_half
  while IFS= read -r device; do
    ! device_busy "$device" || job_fail busy "$device_why: nothing was made on it"
    wipefs --all --force --quiet "$device" || job_fail failed "old signatures on $device can not be wiped"
  done <nodes
  set --
  while IFS= read -r zpool_word; do set -- "$@" "$zpool_word"; done <args
  timeout 600 zpool create "$@" >make.out 2>&1 </dev/null || job_fail failed "zpool can not make pool $arg_name: $(tail -n 4 make.out | tr '\n' ' ')"
  zpool_guid=$(zpool list -H -o guid "$arg_name") || job_fail failed "pool $arg_name was made, and is not there"
  mkdir -p "$RESURGO_VAR/runs/$arg_run/made"
  atomic_put "$RESURGO_VAR/runs/$arg_run/made/pool.$arg_name" "$zpool_guid"
  pool_is "$arg_name" || job_fail failed "pool $arg_name was made, and is not imported below $NEW_ROOT/$arg_tree"
  job_result "\"pool\":\"$arg_name\""
}

# zpool_path DEVICE: sets $zpool_path to the name of $device that the pool remembers: one that means the same device after the next boot,
# whatever the kernel calls it then.
zpool_path() {
  zpool_path=$device
  case $1 in
    partition\ *)
      zpool_uuid=$(blkid -p -o value -s PART_ENTRY_UUID "$device" 2>/dev/null) || :
      [ -z "$zpool_uuid" ] || zpool_link by-partuuid "$zpool_uuid"
      ;;
    md\ *) zpool_link by-id "md-uuid-${1#md }" ;;
  esac
}

# zpool_link FOLDER NAME: as udev would make it.
zpool_link() {
  case $2 in */* | .*) return 0 ;; esac
  zpool_path=/dev/disk/$1/$2
  [ ! -e "$zpool_path" ] || [ "$(readlink -f "$zpool_path")" = "$device" ] ||
    job_fail identity-changed "$zpool_path is another device than $device: two say that they are the same. Take out the disk that is a copy, and repeat this step"
  mkdir -p "/dev/disk/$1"
  ln -sfn "../../${device##*/}" "$zpool_path"
}

# zpool_half: a pool of that name is there. One that lies on these very devices is what an attempt of this step has left that did not come to
# note it: nothing else has been on them since they were wiped.
zpool_half() {
  zpool list -H -o name "$arg_name" >/dev/null 2>&1 || return 0
  zpool status -P "$arg_name" >told || job_fail failed "zpool can not tell of the pool $arg_name that is imported here"
  awk '$1 ~ /^\// { print $1 }' told >members
  [ -s members ] || zpool_foreign
  while IFS= read -r zpool_member; do grep -qxF "$(readlink -f "$zpool_member")" nodes || zpool_foreign; done <members
  [ "$(zpool list -H -o altroot "$arg_name")" = "$NEW_ROOT/$arg_tree" ] || zpool_foreign
  zpool destroy -f "$arg_name" >make.out 2>&1 || job_fail busy "pool $arg_name that an attempt has left can not be taken away: $(tail -n 2 make.out | tr '\n' ' ')"
}

zpool_foreign() { job_fail exists "another pool is called $arg_name: export it (zpool export), or take its disks out, and repeat this step"; }
