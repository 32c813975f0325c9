# btrfs: `current` is a subvolume, a sealed backup is a read-only snapshot of it at backups/ID, which appears whole or not at all.

# Set or read elsewhere:
: "${store_catalog-}" "${store_current-}" "${store_error-}" "${store_folder-}" "${store_root-}"

# shellcheck source=lib/store-folders.sh
. "$RESURGO_LIB/lib/store-folders.sh"

kind_prepare() {
  [ "$(stat -f -c %T "$store_folder")" = btrfs ] \
    || { store_error="$store_folder is not on btrfs; mount the store's disk there"; return 1; }
  [ -d "$store_root" ] || mkdir -m 0700 "$store_root" || { store_error="cannot make $store_root"; return 1; }
  chmod 0700 "$store_root" || { store_error="cannot make $store_root 0700"; return 1; }
  mkdir -p "$store_root/backups" "$store_catalog" || { store_error="cannot write in $store_root"; return 1; }
}

# kind_is_seal PATH: only a read-only subvolume is one: a folder of that name that somebody made by hand is none.
kind_is_seal() {
  [ "$(stat -c %i "$1" 2>/dev/null)" = 256 ] && [ "$(btrfs property get -ts "$1" ro 2>/dev/null)" = ro=true ]
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

kind_holds() {
  [ -d "$store_root/backups/$1/$2" ] && [ ! -h "$store_root/backups/$1/$2" ]
}

# Not always: a file without copy-on-write can't share its data with one that has it.
kind_take_up() {
  cp -aT --reflink=always -- "$store_root/backups/$1/$2" "$store_current/$2" 2>/dev/null && return 0
  rm -rf --one-file-system -- "${store_current:?}/$2"
  return 1
}

# A plain sync does not wake the cleaner, which else comes every 30 s.
kind_freed() {
  btrfs filesystem sync "$store_root" >/dev/null 2>&1 || :
}

kind_publish() {
  btrfs subvolume snapshot -r "$store_current" "$store_root/backups/$1" >/dev/null \
    || { store_error="btrfs cannot make the snapshot $store_root/backups/$1"; return 1; }
  sync -f "$store_root" || { store_error="cannot flush $store_root"; return 1; }
}

kind_swept() {
  return 0
}

kind_remove() {
  btrfs subvolume delete --commit-after "$store_root/backups/$1" >/dev/null \
    || { store_error="btrfs cannot delete $store_root/backups/$1"; return 1; }
}
