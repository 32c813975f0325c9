# Mounts a dataset of the new system at its place below /mnt/new/TREE, whatever it says of where it is mounted: that is for its own boot.
# keys: tree:tree dataset:text path:path
# tools: zpool findmnt

# Set or read elsewhere:
: "${arg_dataset-}" "${arg_path-}" "${new_place-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/new.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/pools.sh"

job_main() {
  pool_check "$arg_dataset"
  pool_module
  pool_must "${arg_dataset%%/*}"
  new_place "$arg_path"
  if new_outside mountpoint -q "$new_place"; then
    [ "$(new_outside findmnt -nro SOURCE --mountpoint "$new_place" 2>/dev/null | tail -n 1)" = "$arg_dataset" ] ||
      job_fail busy "something else is mounted at $new_place: unmount it (job new-unmount), and go on"
    job_result "\"dataset\":\"$arg_dataset\",\"was\":true"
    return
  fi
  mkdir -p "$new_place"
  # Without ZFS' own helper, which asks what the dataset says.
  new_outside mount -i -t zfs "$arg_dataset" "$new_place" 2>mount.out || job_fail failed "$arg_dataset can not be mounted at $new_place: $(tail -n 3 mount.out | tr '\n' ' ')"
  job_result "\"dataset\":\"$arg_dataset\""
}
