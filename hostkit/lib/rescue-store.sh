# Rescue media in a store: PLACE/GROUP/rescue/HOST/ID holds the media of one build, build.json (what they are: canonical JSON of the
# director), build.sig (its signature, 64 raw bytes) and received (when they came, by this host's clock). Beside the backups, in none of them, and not `current`'s: so they have a lease and a
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

# What stays of a host's media whatever the director asks for (S27): the newest of them, and the first that came on each of the newest days
# on which any came. By what was received here, as ids are the director's word: whoever has its keys can have a host build again at once, and
# so push out what was built before him by nothing less than a week of days.
RESCUE_FLOOR_LAST=3
RESCUE_FLOOR_DAYS=7

# rescue_floor HOST: prints the ids that stay, and the newest that is known to boot among them.
rescue_floor() {
  for rescue_id in $(rescue_ids "$1" | sort -r); do
    rescue_at=$store_rescue/$1/$rescue_id
    rescue_came=
    [ ! -f "$rescue_at/received" ] || read -r rescue_came <"$rescue_at/received" || :
    # Media of an earlier hostkit have their id alone.
    check_type id "$rescue_came" || rescue_came=$rescue_id
    rescue_boots=no
    if grep -qF '"verdict":"booted"' "$rescue_at/build.json" 2>/dev/null; then rescue_boots=yes; fi
    printf '%s %s %s\n' "${rescue_came%_*}" "$rescue_id" "$rescue_boots"
  done | awk -v last="$RESCUE_FLOOR_LAST" -v days="$RESCUE_FLOOR_DAYS" '
    NR <= last { stays[$2] }
    $3 == "yes" && !booted++ { stays[$2] }
    # The newest come first, so the last of a day to be seen is the first that came on it.
    { id[NR] = $2; if (!($1 in first)) day[++count] = $1; first[$1] = $2 }
    END {
      for (n = 1; n <= count && n <= days; n++) stays[first[day[n]]]
      for (n = 1; n <= NR; n++) if (id[n] in stays) print id[n]
    }'
}

# rescue_swept HOST RUN_ID: removes what a crash left half received or half removed, but for the medium RUN_ID.part.
rescue_swept() {
  for rescue_path in "$store_rescue/$1"/*.part "$store_rescue/$1"/.removing-*; do
    if [ ! -d "$rescue_path" ] || [ "${rescue_path##*/}" = "$2.part" ]; then continue; fi
    rm -rf --one-file-system -- "$rescue_path"
  done
}
