# Makes a dataset of a pool of the new system, not mounted, or sets one that is there already as it shall be. `once`: what can be chosen at the
# making alone.
# keys: tree:tree disks:lines dataset:text type:word(filesystem|volume) bytes:int once:lines? properties:lines?
# tools: zpool zfs zvol_id?

# Set or read elsewhere:
: "${arg_bytes-}" "${arg_dataset-}" "${arg_disks-}" "${arg_once-}" "${arg_properties-}" "${arg_type-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/new.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/pools.sh"

job_main() {
  disks_check "$arg_disks"
  pool_check "$arg_dataset"
  pool_module
  pool_must "${arg_dataset%%/*}"
  : >args
  zfs_was=''
  if zfs_has=$(zfs get -H -p -o value type "$arg_dataset" 2>/dev/null); then
    [ "$zfs_has" = "$arg_type" ] || job_fail exists "$arg_dataset is a $zfs_has, not a $arg_type"
    zfs_was=,\"was\":true
    zfs_set
  else
    if [ "$arg_type" = volume ]; then
      # Without a reservation of its own it had none.
      case $LF$arg_properties in *"${LF}refreservation="*) ;; *) printf '%s\n' -s >>args ;; esac
      printf '%s\n' -V "$arg_bytes" >>args
    else
      printf '%s\n' -o canmount=off >>args
    fi
    property_args -o "$arg_once"
    property_args -o "$arg_properties"
    set --
    while IFS= read -r zfs_word; do set -- "$@" "$zfs_word"; done <args
    timeout 600 zfs create "$@" "$arg_dataset" >make.out 2>&1 </dev/null || job_fail failed "zfs can not make $arg_dataset: $(tail -n 4 make.out | tr '\n' ' ')"
  fi
  [ "$arg_type" = filesystem ] || zfs_volume
  job_result "\"dataset\":\"$arg_dataset\"$zfs_was"
}

# zfs_set: the properties of one that is there: the first of a pool comes with it, and an attempt whose answer was lost has made the others.
zfs_set() {
  if [ "$arg_type" = volume ]; then
    [ "$(zfs get -H -p -o value volsize "$arg_dataset")" = "$arg_bytes" ] || job_fail exists "the volume $arg_dataset is there, and not of $arg_bytes bytes"
    return 0
  fi
  [ -n "$arg_properties" ] || return 0
  while IFS= read -r zfs_line; do
    property_check "${zfs_line%%=*}"
    zfs set "$zfs_line" "$arg_dataset" >make.out 2>&1 || job_fail failed "$zfs_line can not be set for $arg_dataset: $(tail -n 2 make.out | tr '\n' ' ')"
  done <<PROPERTIES
$arg_properties
PROPERTIES
}

# zfs_volume: the node of a volume comes a little later.
zfs_volume() {
  zfs_tries=0
  while [ "$zfs_tries" -lt 120 ]; do
    for zfs_node in /sys/block/zd*; do
      [ "$(zvol_id "/dev/${zfs_node##*/}" 2>/dev/null)" != "$arg_dataset" ] || return 0
    done
    zfs_tries=$((zfs_tries + 1))
    sleep 0.5
  done
  job_fail failed "the volume $arg_dataset was made, and the kernel shows no device of it"
}
