# zfs: a group is a dataset PLACE/GROUP that holds `current`; a sealed backup is its snapshot @ID. The catalogue is a dataset of its own,
# so that rolling the group back doesn't roll it back. A backup is read by mounting the snapshot, or from a clone where
# the implementation can't (zfs-fuse); the clone is this run's and goes before anything else is said.

# Set or read elsewhere:
: "${store_catalog-}" "${store_coarse-}" "${store_compression-}" "${store_current-}" "${store_error-}" "${store_floor-}" \
  "${store_folder-}" "${store_free-}" "${store_group-}" "${store_name-}" "${store_place-}" "${store_root-}" \
  "${store_total-}"

# zfs-fuse mounts in the namespace of its daemon, which a job's private one doesn't see: there the way leads through the daemon's /proc
# entry, and the tool runs beside the daemon.
kind_reach() {
  kind_namespace=
  kind_fuse=no
  store_coarse=no
  grep -q '[[:space:]]zfs$' /proc/filesystems && return 0
  for kind_pid in $(pidof zfs-fuse); do
    if grep -q -F " $store_folder " "/proc/$kind_pid/mountinfo" 2>/dev/null; then
      kind_fuse=yes
      # It keeps whole seconds only, so a comparison can't ask for more; attributes it may not keep at all, and that is a difference.
      store_coarse=yes
      # In the daemon's own namespace the plain paths are right.
      [ "$(readlink /proc/self/ns/mnt)" = "$(readlink "/proc/$kind_pid/ns/mnt")" ] || kind_namespace=/proc/$kind_pid/root
      return 0
    fi
  done
  store_error="no running zfs has $store_folder mounted; start it and mount the pool"
  return 1
}

kind_zfs() {
  if [ -n "$kind_namespace" ]; then nsenter -m -t "$kind_pid" zfs "$@"; else zfs "$@"; fi
}

kind_prepare() {
  kind_dataset=$store_place/$store_group
  case $store_compression in '' | none) kind_compression=off ;; *) kind_compression=$store_compression ;; esac
  if ! kind_exists "$kind_dataset"; then
    kind_zfs create -o "compression=$kind_compression" -o atime=off "$kind_dataset" 2>zfs.err \
      || { store_error="zfs cannot make $kind_dataset: $(head -c 300 zfs.err)"; return 1; }
  fi
  kind_exists "$kind_dataset/catalog" || kind_zfs create "$kind_dataset/catalog" || { store_error="zfs cannot make $kind_dataset/catalog"; return 1; }
  # What is received must land in the group's dataset and not in the folder that its mount hides.
  for kind_mount in "$store_root" "$store_catalog"; do
    if [ ! -d "$kind_mount" ] || [ "$(stat -c %d "$kind_mount")" = "$(stat -c %d "$kind_mount/..")" ]; then
      store_error="the dataset of $kind_mount is not mounted; run: zfs mount -a"
      return 1
    fi
  done
  chmod 0700 "$store_root" "$store_catalog" || { store_error="cannot write in $store_root"; return 1; }
  mkdir -p "$store_current" || { store_error="cannot write in $store_root"; return 1; }
  stores_space
  # The reserve as a quota: a receiver is stopped by zfs itself before it eats into it (S29).
  kind_quota=$(kind_zfs get -H -p -o value used "$kind_dataset" 2>/dev/null) || kind_quota=
  case $kind_quota in
    '' | *[!0-9]*) ;;
    *) [ "$store_floor" -le 0 ] || kind_zfs set "quota=$((kind_quota + store_free - store_floor))" "$kind_dataset" >/dev/null 2>&1 || : ;;
  esac
}

# A dataset of its own, as the catalogue: what lies in the group's would be in each backup, and go when it is rolled back.
kind_rescue() {
  kind_dataset=$store_place/$store_group
  kind_exists "$kind_dataset/rescue" || kind_zfs create "$kind_dataset/rescue" 2>zfs.err \
    || { store_error="zfs cannot make $kind_dataset/rescue: $(head -c 300 zfs.err)"; return 1; }
  if [ ! -d "$store_root/rescue" ] || [ "$(stat -c %d "$store_root/rescue")" = "$(stat -c %d "$store_root")" ]; then
    store_error="the dataset of $store_root/rescue is not mounted; run: zfs mount -a"
    return 1
  fi
  chmod 0700 "$store_root/rescue" || { store_error="cannot write in $store_root"; return 1; }
}

# Of the store's own dataset: below the group's, `df` would show the quota that is set here, and each opening would tighten it further.
kind_space() {
  store_total=0
  for kind_value in used available; do
    kind_bytes=$(kind_zfs get -H -p -o value "$kind_value" "$store_place" 2>/dev/null) || return 1
    case $kind_bytes in '' | *[!0-9]*) return 1 ;; esac
    store_total=$((store_total + kind_bytes))
  done
  store_free=$kind_bytes
}

kind_exists() {
  kind_zfs list -H -o name "$1" >/dev/null 2>&1
}

kind_ids() {
  kind_dataset=$store_place/$store_group
  kind_zfs list -H -o name -t snapshot -r "$kind_dataset" 2>/dev/null | LC_ALL=C awk -v head="$kind_dataset@" '
    index($0, head) == 1 { id = substr($0, length(head) + 1); if (length(id) == 15 && id ~ /^[0-9]+_[0-9]+$/ && substr(id, 9, 1) == "_") print id }' | sort
}

kind_has() {
  kind_exists "$store_place/$store_group@$1"
}

kind_rollback() {
  if [ -n "$1" ]; then
    # Without -r: a newer snapshot that somebody else took is not ours to destroy.
    kind_zfs rollback "$kind_dataset@$1" 2>zfs.err \
      || { store_error="zfs cannot go back to $kind_dataset@$1: $(head -c 300 zfs.err)"; return 1; }
  else
    rm -rf -- "$store_current"
    mkdir -m 0700 "$store_current" || { store_error="cannot write in $store_root"; return 1; }
  fi
  [ -d "$store_current" ] || { store_error="$kind_dataset@$1 holds no current; it is not one of ours"; return 1; }
}

kind_freed() {
  return 0
}

kind_publish() {
  kind_zfs snapshot "$kind_dataset@$1" 2>zfs.err || { store_error="zfs cannot make the snapshot $kind_dataset@$1: $(head -c 300 zfs.err)"; return 1; }
}

kind_swept() {
  kind_clones_of '' || return 1
}

# kind_clones_of RUN: destroys the views of that run; with '' those whose job is gone.
kind_clones_of() {
  kind_dataset=$store_place/$store_group
  kind_left=0
  for kind_clone in $(kind_zfs list -H -o name -t filesystem -r "$kind_dataset" 2>/dev/null | grep -F "$kind_dataset/view." || :); do
    kind_owner=${kind_clone##*.}
    [ -n "$1" ] || ! kill -0 "$kind_owner" 2>/dev/null || continue
    kind_destroy "$kind_clone" || kind_left=1
  done
  [ "$kind_left" = 0 ] || { store_error="a view of an earlier run is still in use: $kind_clone"; return 1; }
}

# kind_destroy NAME: zfs says busy for a moment after use, so it is asked again for at most 15 s.
kind_destroy() {
  kind_tries=0
  until kind_zfs destroy "$1" 2>zfs.err; do
    kind_exists "$1" || return 0
    kind_tries=$((kind_tries + 1))
    [ "$kind_tries" -lt 30 ] || return 1
    sleep 0.5
  done
}

kind_view() {
  kind_dataset=$store_place/$store_group
  mkdir -p "$2" || return 1
  if [ "$kind_fuse" = no ]; then
    mount -t zfs -o ro,nosuid,nodev "$kind_dataset@$1" "$2" || { store_error="zfs cannot show $kind_dataset@$1"; return 1; }
    store_view=$2/current
    return 0
  fi
  kind_clone=$kind_dataset/view.$1.$$
  kind_point=$RESURGO_RUN/view/$store_name.$store_group.$1.$$
  mkdir -p "$RESURGO_RUN/view" "$kind_namespace$RESURGO_RUN/view" || return 1
  kind_zfs clone -o readonly=on -o "mountpoint=$kind_point" "$kind_dataset@$1" "$kind_clone" 2>zfs.err \
    || { store_error="zfs cannot clone $kind_dataset@$1: $(head -c 300 zfs.err)"; return 1; }
  store_view=$kind_namespace$kind_point/current
}

kind_unview() {
  if [ "$kind_fuse" = no ]; then
    umount "$2" 2>/dev/null || umount -l "$2" 2>/dev/null || :
    rmdir "$2" 2>/dev/null || :
    return 0
  fi
  rmdir "$2" 2>/dev/null || :
  kind_clone=$store_place/$store_group/view.$1.$$
  kind_exists "$kind_clone" || return 0
  kind_destroy "$kind_clone" || { store_error="zfs cannot destroy the view $kind_clone: $(head -c 300 zfs.err)"; return 1; }
  rmdir "$kind_namespace$RESURGO_RUN/view/$store_name.$store_group.$1.$$" 2>/dev/null || :
}

# Looking inside needs a clone on some systems: the catalogue is read, and filled from the backup itself where it lacks one.
kind_manifest() {
  manifest_base=$store_catalog/manifests/$1
  [ ! -s "$manifest_base.json" ] || return 0
  kind_scratch=$(mktemp -d) || return 0
  if (cd "$kind_scratch" && kind_view "$1" "$kind_scratch/view" && [ -s "$store_view/resurgo/manifest.json" ] \
    && stores_catalogue_files "$store_view/resurgo/manifest.json" "$store_view/resurgo/manifest.sig" "$1"); then :; fi
  (cd "$kind_scratch" && kind_unview "$1" "$kind_scratch/view") || :
  rm -rf --one-file-system "$kind_scratch"
}

# The files of a snapshot would be copied whole.
kind_holds() {
  return 1
}

kind_busy() {
  kind_dataset=$store_place/$store_group
  kind_zfs list -H -o origin -t filesystem -r "${store_place%%/*}" 2>/dev/null | grep -qx -F "$kind_dataset@$1"
}

kind_remove() {
  kind_zfs destroy "$store_place/$store_group@$1" 2>zfs.err \
    || { store_error="zfs cannot destroy $store_place/$store_group@$1: $(head -c 300 zfs.err)"; return 1; }
}

kind_used() {
  kind_zfs get -H -p -o value used "$store_place/$store_group@$1" 2>/dev/null | grep -x '[0-9]*' || :
}
