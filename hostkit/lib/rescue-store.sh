# Rescue media in a store: PLACE/GROUP/rescue/HOST/ID holds the media of one build, build.json (what they are: canonical JSON of the
# director) and build.sig (its signature, 64 raw bytes). Beside the backups, in none of them, and not `current`'s: so they have a lease and a
# lock of their own, and a backup that runs or is sealed waits for no image, nor an image for it.

# Set or read elsewhere:
: "${arg_group-}" "${store_error-}" "${store_root-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/stores.sh"

# rescue_store_load STORE SERIES HOST: as stores_load; sets $store_rescue, which may not be there yet. HOST '' is none in particular.
rescue_store_load() {
  [ -z "$3" ] || config_accepts_host "$1" "${2%.rescue}" "$3" '' ||
    fail not-allowed "store $1 of this host takes no tree of $3 in group ${2%.rescue}, so it keeps no rescue media of it; enrol it again with the runbook that names a source there"
  stores_load "$1" "${2%.rescue}"
  store_rescue=$store_root/rescue
  # What rescue media are called is the request's word: no link may lead elsewhere.
  for rescue_way in "$store_rescue" ${3:+"$store_rescue/$3"}; do
    [ ! -h "$rescue_way" ] || fail not-allowed "$rescue_way is a symbolic link; nothing is read or written through links"
  done
}

# rescue_store_lock: the lock of every change below $store_rescue.
rescue_store_lock() { with_lock "rescue.$store_name.$store_group"; }

# rescue_ids HOST: prints the ids of that host's media, oldest first; what is being received or removed is none.
rescue_ids() {
  for rescue_path in "$store_rescue/$1"/*; do
    if [ ! -d "$rescue_path" ] || [ -h "$rescue_path" ]; then continue; fi
    check_type id "${rescue_path##*/}" || continue
    printf '%s\n' "${rescue_path##*/}"
  done | sort
}

# rescue_swept HOST RUN_ID: removes what a crash left half received or half removed, but for the medium RUN_ID.part.
rescue_swept() {
  for rescue_path in "$store_rescue/$1"/*.part "$store_rescue/$1"/.removing-*; do
    if [ ! -d "$rescue_path" ] || [ "${rescue_path##*/}" = "$2.part" ]; then continue; fi
    rm -rf --one-file-system -- "$rescue_path"
  done
}
