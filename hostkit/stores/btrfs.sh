# btrfs: `current` is a subvolume, a sealed backup is a read-only snapshot of it at backups/ID, which appears whole or not at all.

# Set or read elsewhere:
: "${kind_namespace-}" "${manifest_base-}" "${store_catalog-}" "${store_coarse-}" "${store_current-}" "${store_error-}" \
  "${store_folder-}" "${store_root-}" "${store_view-}"

kind_prepare() {
  [ "$(stat -f -c %T "$store_folder")" = btrfs ] \
    || { store_error="$store_folder is not on btrfs; mount the store's disk there"; return 1; }
  [ -d "$store_root" ] || mkdir -m 0700 "$store_root" || { store_error="cannot make $store_root"; return 1; }
  chmod 0700 "$store_root" || { store_error="cannot make $store_root 0700"; return 1; }
  mkdir -p "$store_root/backups" "$store_catalog" || { store_error="cannot write in $store_root"; return 1; }
}

kind_ids() {
  [ -d "$store_root/backups" ] || return 0
  # Only a read-only subvolume is a seal: a folder of that name that somebody made by hand is none.
  for kind_path in "$store_root"/backups/*; do
    kind_id=${kind_path##*/}
    case $kind_id in
      [0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]_[0-9][0-9][0-9][0-9][0-9][0-9]) ;;
      *) continue ;;
    esac
    [ "$(stat -c %i "$kind_path" 2>/dev/null)" = 256 ] || continue
    [ "$(btrfs property get -ts "$kind_path" ro 2>/dev/null)" = ro=true ] || continue
    printf '%s\n' "$kind_id"
  done | sort
}

kind_rollback() {
  if [ -e "$store_current" ]; then
    btrfs subvolume delete "$store_current" >/dev/null || { store_error="cannot remove the old $store_current"; return 1; }
  fi
  if [ -n "$1" ]; then
    btrfs subvolume snapshot "$store_root/backups/$1" "$store_current" >/dev/null
  else
    btrfs subvolume create "$store_current" >/dev/null
  fi || { store_error="btrfs cannot make $store_current"; return 1; }
  [ -n "$1" ] || chmod 0700 "$store_current"
}

kind_publish() {
  btrfs subvolume snapshot -r "$store_current" "$store_root/backups/$1" >/dev/null \
    || { store_error="btrfs cannot make the snapshot $store_root/backups/$1"; return 1; }
  sync -f "$store_root" || { store_error="cannot flush $store_root"; return 1; }
}

kind_swept() {
  return 0
}

kind_view() {
  mkdir -p "$2" || return 1
  mount --bind "$store_root/backups/$1" "$2" || { store_error="cannot show $store_root/backups/$1"; return 1; }
  mount -o remount,bind,ro,nosuid,nodev "$2" || { store_error="cannot show $store_root/backups/$1 read-only"; return 1; }
  store_view=$2
}

kind_unview() {
  umount "$2" 2>/dev/null || umount -l "$2" 2>/dev/null || :
  rmdir "$2" 2>/dev/null || :
}

kind_busy() {
  return 1
}

kind_remove() {
  btrfs subvolume delete --commit-after "$store_root/backups/$1" >/dev/null \
    || { store_error="btrfs cannot delete $store_root/backups/$1"; return 1; }
}

kind_used() {
  return 0
}

kind_manifest() {
  manifest_base=$store_root/backups/$1/resurgo/manifest
}

kind_reach() {
  kind_namespace=
  store_coarse=no
}
