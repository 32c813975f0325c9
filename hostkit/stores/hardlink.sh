# hardlink: any file system. `current` is a tree of its own that never shares an inode with a sealed backup (S12). At the seal a new tree
# is built beside the others: what did not change since the last seal is linked to the last *sealed* tree, all else is
# copied; then it gets its name in one rename. What changed is told by inode and ctime, which nobody can set.
#
#   PLACE/GROUP/index/ID     INODE CTIME PATH of everything in `current` that is, entry by entry, what backup ID holds

# Set or read elsewhere:
: "${LISTING_DROP-}" "${arg_run-}" "${listing_differences-}" "${listing_error-}" "${listing_find-}" \
  "${listing_missing-}" "${listing_sed-}" "${store_catalog-}" "${store_current-}" "${store_error-}" "${store_last-}" "${store_root-}"

# shellcheck source=lib/store-folders.sh
. "$RESURGO_LIB/lib/store-folders.sh"

kind_prepare() {
  if [ ! -d "$store_root" ]; then mkdir -m 0700 "$store_root" || { store_error="cannot make $store_root"; return 1; }; fi
  chmod 0700 "$store_root" || return 1
  mkdir -p "$store_root/backups" "$store_root/index" "$store_catalog" || { store_error="cannot write in $store_root"; return 1; }
}

# kind_is_seal PATH: its name comes by a rename of the finished tree.
kind_is_seal() {
  [ -d "$1" ] && [ ! -h "$1" ]
}

# kind_index DIR FILE: what lies in DIR now, sorted.
kind_index() {
  listing_tools || { store_error="install $listing_missing on this host"; return 1; }
  (cd "$1" && LC_ALL=C "$listing_find" . -printf '%i %C@ %y %P\0') | LC_ALL=C "$listing_sed" -z 's/%/%25/g; s/\n/%0A/g' | tr '\0' '\n' \
    | LC_ALL=C sort >"$2"
}

# kind_changes LAST: compares `current` with the index of LAST: ./now, ./changed (in `current`, not as sealed) and ./gone (sealed, no longer so).
kind_changes() {
  kind_index "$store_current" now || return 1
  kind_known=$store_root/index/$1
  [ -f "$kind_known" ] || kind_known=/dev/null
  LC_ALL=C comm -13 "$kind_known" now >changed
  LC_ALL=C comm -23 "$kind_known" now >gone
  # No index is no proof: then everything that the sealed tree holds is in doubt.
  [ "$kind_known" != /dev/null ] || cp now gone
}

# kind_paths FILE TYPES OUT: the paths of an index, ended by NUL, of entries whose type is one of TYPES.
kind_paths() {
  LC_ALL=C awk -v types="$2" '
    index(types, $3) { path = $0; sub(/^[^ ]* [^ ]* [^ ]* /, "", path); if (path != "") print "./" path }' "$1" \
    | LC_ALL=C "$listing_sed" 's/%0A/\x01/g; s/%25/%/g' | tr '\n\001' '\0\n' >"$3"
}

kind_rollback() {
  if [ -z "$1" ]; then
    rm -rf --one-file-system -- "$store_current" "$store_root/index"
    mkdir "$store_root/index" || { store_error="cannot write in $store_root"; return 1; }
    mkdir -m 0700 "$store_current" || { store_error="cannot write in $store_root"; return 1; }
    return 0
  fi
  [ -d "$store_current" ] || mkdir -m 0700 "$store_current" || { store_error="cannot write in $store_root"; return 1; }
  kind_changes "$1" || return 1
  [ -s changed ] || [ -s gone ] || return 0
  # Whatever was touched goes and is taken from the sealed tree again; the rest is what that tree holds, by its index.
  kind_paths changed flpscb touched
  (cd "$store_current" && xargs -0 -r rm -f --) <touched || { store_error="cannot remove what was changed in $store_current"; return 1; }
  rsync -aHAXS --numeric-ids --modify-window=-1 --delete "$store_root/backups/$1/" "$store_current/" >rsync.out 2>&1 \
    || { store_error="cannot take $store_current back to $1: $(tail -c 300 rsync.out)"; return 1; }
  kind_index "$store_current" now || return 1
  atomic_write "$store_root/index/$1" <now
}

kind_freed() {
  return 0
}

kind_publish() {
  stores_last
  kind_new=$store_root/backups/.sealing-$arg_run
  rm -rf --one-file-system -- "$kind_new"
  kind_changes "$store_last" || return 1
  if [ -z "$store_last" ]; then
    cp -a --reflink=auto --sparse=auto -- "$store_current" "$kind_new" 2>copy.err || { store_error="cannot copy: $(tail -c 300 copy.err)"; return 1; }
  else
    kind_build || return 1
  fi
  # What is published is looked at once more: linked files were not compared in this run.
  kind_verify || return 1
  sync -f "$store_root" || { store_error="cannot flush $store_root"; return 1; }
  atomic_write "$store_root/index/$1" <now
  mv -T -- "$kind_new" "$store_root/backups/$1" || { store_error="cannot publish $1"; return 1; }
  sync -f "$store_root" || :
  [ -z "$store_last" ] || rm -f "$store_root/index/$store_last"
}

# kind_build: the new tree: links to the last sealed one, less what changed or went, and copies of what changed.
kind_build() {
  cp -al -- "$store_root/backups/$store_last" "$kind_new" 2>copy.err || { store_error="cannot link: $(tail -c 300 copy.err)"; return 1; }
  kind_paths gone flpscb unlinked
  (cd "$kind_new" && xargs -0 -r rm -f --) <unlinked || { store_error="cannot write in $kind_new"; return 1; }
  # A name may have been sealed under another inode than the index knew; nothing that changed may stay linked.
  kind_paths changed flpscb renewed
  (cd "$kind_new" && xargs -0 -r rm -f --) <renewed 2>/dev/null || :
  # --ignore-existing: what is there is linked to history, and not even its mode may be touched through this name.
  rsync -aHAXS --numeric-ids --modify-window=-1 --delete --ignore-existing "$store_current/" "$kind_new/" >rsync.out 2>&1 \
    || { store_error="cannot copy what changed: $(tail -c 300 rsync.out)"; return 1; }
}

kind_verify() {
  for kind_listing in "$kind_new"/resurgo/listings/*.gz; do
    [ -f "$kind_listing" ] || continue
    kind_tree=${kind_listing##*/}
    kind_tree=${kind_tree%.gz}
    gzip -dc "$kind_listing" >wanted || return 1
    LISTING_DROP=
    listing_has wanted security.selinux || LISTING_DROP=security.selinux
    listing_make "$kind_new/$kind_tree" "$PWD/verify" "$PWD/built" || { store_error=$listing_error; return 1; }
    listing_compare wanted built unlike \
      || { store_error="the tree that was built for $kind_tree is not what was received ($listing_differences differences): $(head -n 3 unlike | cut -c 1-200)"; return 1; }
  done
  rm -rf verify wanted built
}

kind_swept() {
  for kind_path in "$store_root"/backups/.sealing-* "$store_root"/backups/.removing-*; do
    [ ! -d "$kind_path" ] || rm -rf --one-file-system -- "$kind_path"
  done
  # Only the newest backup's index is of use: others are of seals that were cut off before or after their publishing.
  stores_last
  for kind_path in "$store_root"/index/*; do
    [ "${kind_path##*/}" = "$store_last" ] || rm -f -- "$kind_path"
  done
}

# The name goes first, so that no crash leaves half a backup under it.
kind_remove() {
  mv -T -- "$store_root/backups/$1" "$store_root/backups/.removing-$1" || { store_error="cannot remove $1"; return 1; }
  sync -f "$store_root" || :
  rm -rf --one-file-system -- "$store_root/backups/.removing-$1" || { store_error="cannot remove all of $1"; return 1; }
}
