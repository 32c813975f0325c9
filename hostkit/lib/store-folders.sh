# What stores have in common whose sealed backups are folders PLACE/GROUP/backups/ID: the parts of the interface at the head of
# lib/stores.sh that need nothing of the kind but kind_is_seal PATH (0 when what lies there, under a good id, is a seal).

# Set or read elsewhere:
: "${kind_namespace-}" "${manifest_base-}" "${store_coarse-}" "${store_error-}" "${store_root-}" "${store_view-}"

kind_ids() {
  for kind_path in "$store_root"/backups/*; do
    kind_id=${kind_path##*/}
    case $kind_id in
      [0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]_[0-9][0-9][0-9][0-9][0-9][0-9]) ;;
      *) continue ;;
    esac
    kind_is_seal "$kind_path" || continue
    printf '%s\n' "$kind_id"
  done | sort
}

kind_has() {
  kind_is_seal "$store_root/backups/$1"
}

kind_rescue() {
  [ -d "$store_root/rescue" ] || mkdir -m 0700 "$store_root/rescue" || { store_error="cannot write in $store_root"; return 1; }
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

kind_manifest() {
  manifest_base=$store_root/backups/$1/resurgo/manifest
}

kind_holds() {
  return 1
}

kind_busy() {
  return 1
}

kind_used() {
  return 0
}

kind_space() {
  return 1
}

kind_reach() {
  kind_namespace=
  store_coarse=no
}
