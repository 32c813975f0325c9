# Stores: where backups lie, behind one interface. A store is a place on a file system; each group has a folder there
# (a dataset, on zfs) that no other group can reach (S15, S16):
#
#   PLACE/.resurgo-store                  which store this is: a missing disk is told by it
#   PLACE/GROUP/current/TREE/…            what is being received; between runs, a copy of the last sealed backup
#   PLACE/GROUP/current/resurgo/…         manifest.json manifest.sig runbook.yaml listings/TREE.gz layouts/HOST.json
#   PLACE/GROUP/INCOMPLETE                there while `current` is being written; names the run
#   PLACE/GROUP/rescue/HOST/ID/…          rescue media of a host, with build.json (lib/rescue-store.sh); part of no backup, and left alone by prune
#   PLACE/GROUP/catalog/SEALING           stands for it while zfs publishes: what is published with `current` can't hold the mark
#   PLACE/GROUP/catalog/manifests/ID.json a cache; `store.list` checks it against what is there
#   PLACE/GROUP/catalog/holds/ID/NAME     a held backup is never removed
#
# A kind is one file stores/KIND.sh that defines these functions. Each works on $store_root (PLACE/GROUP),
# $store_current ($store_root/current) and returns 1 with $store_error set.
#
#   kind_reach            sets kind_namespace, put before the paths of the store where another mount namespace holds them (zfs-fuse), and
#                         store_coarse, yes where the file system keeps times in whole seconds only
#   kind_prepare          the group's place exists, 0700, and is what it should be; sets nothing else
#   kind_rescue           $store_root/rescue is there, 0700, and stays as it is when `current` is rolled back or published
#   kind_ids              prints the ids of all sealed backups, oldest first; a half-made one is never among them
#   kind_has ID           0 when ID is sealed; asked of that one alone
#   kind_rollback LAST    makes `current` the writable content of sealed backup LAST (empty: an empty folder)
#   kind_holds ID TREE    0 when sealed backup ID has TREE and its data can be shared with `current`
#   kind_take_up ID TREE  puts it into `current`, sharing its data; 1, and nothing of it there, where that fails
#   kind_freed            has the file system give back the space of what kind_rollback removed; it may take its time
#   kind_publish ID       makes `current` the sealed backup ID in one atomic step; nothing of ID is visible before
#   kind_swept            removes what a crashed publish or view of any run left; safe at any time under the store's lock
#   kind_view ID DIR      sets store_view, where ID's content can be read (at DIR where that can be); ends with kind_unview
#   kind_unview ID DIR    ends the view; bounded retries where the file system says busy
#   kind_manifest ID      sets manifest_base, so that $manifest_base.json and .sig are ID's manifest, if it has one
#   kind_busy ID          0 when something uses ID now (a clone)
#   kind_remove ID        removes ID in one atomic step
#   kind_space            sets store_total store_free where `df` is not to be asked; 1 where it is
#   kind_used ID          prints the bytes that ID alone holds, or nothing where the file system can't tell

# Set or read elsewhere:
: "${json-}" "${kind_pid-}" "${line-}" "${store_current-}" "${store_kind-}" "${store_last-}" "${store_open_run-}" "${store_place-}"

# The size from which a file is received in place. `store_cut_links` and the sender must agree on it (S11).
STORES_INPLACE_BYTES=16777216

# stores_load STORE GROUP: sets store_name store_group store_root store_current store_catalog and the kind's functions.
stores_load() {
  store_name=$1
  store_group=$2
  store_error=
  config_store "$1" || fail not-found "this host has no store '$1'; it is configured at enrolment"
  case $store_kind in
    btrfs | zfs | hardlink) ;;
    *) fail internal "store '$1' has the unknown kind '$store_kind'; enrol this host again" ;;
  esac
  # shellcheck source=/dev/null
  . "$RESURGO_LIB/stores/$store_kind.sh"
  stores_place
  kind_reach || fail not-mounted "$store_error"
  store_folder=$kind_namespace$store_folder
  store_root=$store_folder/$store_group
  store_current=$store_root/current
  store_catalog=$store_root/catalog
  stores_is_known
}

# stores_is_known: fails where the place does not hold the store that was opened there before. A disk that is not mounted leaves a folder
# in which a new store would else begin: backups without a history, on the wrong disk.
stores_is_known() {
  stores_pin=$RESURGO_VAR/stores/$store_name
  read_line "$stores_pin" && [ "${line#* }" = "$store_place" ] || return 0
  stores_mine=${line%% *}
  if read_line "$store_folder/.resurgo-store" && [ "$line" = "$stores_mine" ]; then return 0; fi
  fail not-mounted "$store_folder does not hold the store that this host knows as '$store_name' (its file .resurgo-store is missing or another); mount its disk. If the store is meant to begin anew there: rm $stores_pin"
}

# stores_know: what `stores_is_known` goes by: a mark at the top of the store, and the same here. Groups share the mark and not the lock: of two
# that come first, one makes it (a link takes no name that is there), and both take what it says.
stores_know() {
  stores_mark_file=$store_folder/.resurgo-store
  if ! read_line "$stores_mark_file"; then
    read_line /proc/sys/kernel/random/uuid
    if atomic_put "$stores_mark_file.$$" "$line"; then ln "$stores_mark_file.$$" "$stores_mark_file" 2>/dev/null || :; fi
    rm -f "$stores_mark_file.$$"
    read_line "$stores_mark_file" || { store_error="cannot write in $store_folder"; return 1; }
  fi
  own_dir "$RESURGO_VAR/stores"
  atomic_put "$stores_pin" "$line $store_place" || { store_error="cannot write in $RESURGO_VAR"; return 1; }
}

# stores_place: sets store_folder, the folder of the store. A zfs store may be given by its dataset's name.
stores_place() {
  store_folder=$store_place
  case $store_place in
    /*) ;;
    *)
      store_folder=$(zfs get -H -o value mountpoint "$store_place" 2>/dev/null) || store_folder=
      case $store_folder in
        /*) ;;
        *) fail not-mounted "dataset $store_place of store '$store_name' has no mount point here; import its pool and mount it" ;;
      esac
      ;;
  esac
  [ -d "$store_folder" ] || [ "$store_kind" = zfs ] || fail not-mounted "the place of store '$store_name', $store_folder, is not there; mount it"
}

# stores_lock_name: the lock that every change of this group's folder holds.
stores_lock_name() {
  printf 'store.%s.%s\n' "$store_name" "$store_group"
}

# stores_last: sets store_last to the newest sealed id, or to nothing.
stores_last() {
  store_last=$(kind_ids | tail -n 1)
}

# stores_has ID: 0 when ID is sealed.
stores_has() {
  kind_has "$1"
}

# stores_number ID: an id as a number, so that ids can be compared.
stores_number() {
  printf '%s%s\n' "${1%_*}" "${1#*_}"
}

# stores_space: sets store_total store_free store_floor, in bytes.
stores_space() {
  if ! kind_space; then
    stores_space_of "$store_folder"
    if [ -d "$store_root" ]; then stores_space_of "$store_root"; fi
  fi
  store_floor=$((store_total * ${store_reserve:-0} / 100))
}

stores_space_of() {
  stores_df=$(LC_ALL=C df -P -k -- "$1" 2>/dev/null | tail -n 1 | awk '{ print $2, $4 }')
  read -r stores_total_kib stores_free_kib <<SPACE
${stores_df:-0 0}
SPACE
  store_total=$((${stores_total_kib:-0} * 1024))
  store_free=$((${stores_free_kib:-0} * 1024))
}

# stores_above_floor: 0 while the store has more free space than it keeps in reserve.
stores_above_floor() {
  stores_space
  [ "$store_free" -gt "$store_floor" ]
}

# stores_need_space: fails with no-space below the floor: a full store must not break what is sealed.
stores_need_space() {
  stores_above_floor && return 0
  fail no-space "store '$store_name' has $store_free bytes free and keeps $store_floor in reserve; prune, or make it larger"
}

# stores_warnings: a JSON array of what is unsafe about how the store is mounted (S29).
stores_warnings() {
  stores_shown=${store_folder#"$kind_namespace"}
  if [ -n "$kind_namespace" ]; then
    stores_options=$(findmnt -N "$kind_pid" -n -o OPTIONS -T "$stores_shown" 2>/dev/null) || stores_options=
  else
    stores_options=$(findmnt -n -o OPTIONS -T "$stores_shown" 2>/dev/null) || stores_options=
  fi
  stores_list=
  for stores_option in nosuid nodev; do
    case ,$stores_options, in
      *,$stores_option,*) ;;
      *)
        json_quote "$stores_shown is not mounted $stores_option: mount the store so, since it holds other hosts' files"
        stores_list=$stores_list${stores_list:+,}$json
        ;;
    esac
  done
  printf '[%s]' "$stores_list"
}

# stores_mark RUN: the visible sign that `current` is being written; its content names the run.
stores_mark() {
  printf 'run %s\nThis folder is being written; only what lies under a backup id is whole.\n' "$1" \
    | atomic_write "$store_root/INCOMPLETE" && rm -f "$store_catalog/SEALING"
}

# stores_unmark: nobody writes `current` any more.
stores_unmark() {
  rm -f "$store_root/INCOMPLETE" "$store_catalog/SEALING"
}

# stores_marked: sets store_open_run to the run that has `current` open, or to nothing.
stores_marked() {
  store_open_run=
  for stores_sign in "$store_root/INCOMPLETE" "$store_catalog/SEALING"; do
    [ -f "$stores_sign" ] || continue
    read -r stores_word store_open_run <"$stores_sign"
    [ "$stores_word" = run ]
    return
  done
  return 1
}

# store_cut_links DIR OUT: gives every file from STORES_INPLACE_BYTES up an inode of its own. Such files are written in place, and a
# write through one name would else change the other, whose link was cut at the source (S11). Linked ones are linked
# again by the final pass, without their data being sent. The copy is made in the top of `current`, where only we write: beside
# the file a source may have put anything under its name, a link that leads out of the store too. OUT gets the trees that are therefore not
# quite as sealed any more, one a line. Returns 1 when a file can't be copied.
store_cut_links() {
  : >"$2" || return 1
  [ -d "$1" ] || return 0
  listing_find=$(listing_bin find) || return 1
  store_cut=$1/.resurgo-cut
  rm -rf --one-file-system -- "$store_cut"
  # find takes no notice of what `-exec …;` returns: the one that failed ends the search and is a path that begins with a slash.
  "$listing_find" "$1" -xdev -type f -links +1 -size "+$((STORES_INPLACE_BYTES / 1024 - 1))k" \
    \( -exec cp -aT --reflink=auto --sparse=auto -- '{}' "$store_cut" \; -exec mv -fT -- "$store_cut" '{}' \; -printf '%P\0' -o -printf '/\0' -quit \) \
    >"$2.paths" || return 1
  tr '\n\0' '?\n' <"$2.paths" | cut -d / -f 1 | sort -u >"$2"
  rm -f "$2.paths"
  ! grep -qx '' "$2"
}

# stores_need_id ID: fails unless ID is sealed here.
stores_need_id() {
  stores_has "$1" || fail not-found "store '$store_name' holds no backup $1 of group '$store_group'; see 'resurgo list'"
}

# stores_view ID: sets store_view, where that backup's content can be read until this request ends.
stores_view() {
  stores_view_id=$1
  stores_view_dir=$(mktemp -d)
  cd "$stores_view_dir" || fail internal "cannot enter $stores_view_dir"
  trap 'stores_status=$?; stores_unview || :; hostkit_at_exit "$stores_status"' EXIT
  kind_view "$1" "$stores_view_dir/view" || fail failed "$store_error"
}

# stores_unview: what was answered is whole, whatever becomes of the view: one that is still in use goes at the store's next change.
stores_unview() {
  kind_unview "$stores_view_id" "$stores_view_dir/view" || log "$store_error"
  rm -f "$stores_view_dir/zfs.err"
  rmdir "$stores_view_dir"
}

# stores_held ID: sets store_holds to the names of ID's holds.
stores_held() {
  store_holds=
  for stores_hold in "$store_catalog/holds/$1"/*; do
    [ -f "$stores_hold" ] || continue
    store_holds=$store_holds${store_holds:+ }${stores_hold##*/}
  done
  [ -n "$store_holds" ]
}

# stores_catalogue_files MANIFEST SIG ID: caches the manifest of ID; `store.list` reads it where looking inside is dear.
stores_catalogue_files() {
  [ -d "$store_catalog/manifests" ] || mkdir -p "$store_catalog/manifests" || return 1
  atomic_write "$store_catalog/manifests/$3.sig" <"$2" && atomic_write "$store_catalog/manifests/$3.json" <"$1"
}

# stores_uncatalogue ID: forgets it.
stores_uncatalogue() {
  rm -rf -- "$store_catalog/manifests/$1.json" "$store_catalog/manifests/$1.sig" "$store_catalog/holds/$1"
}
