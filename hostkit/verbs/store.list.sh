# Every backup of a group in a store, oldest first. A backup whose manifest is missing or damaged is listed as such, never dropped;
# so is one that the catalogue remembers and the store no longer has.
# keys: store:name group:group

# Set or read elsewhere:
: "${arg_group-}" "${arg_store-}" "${json-}" "${manifest_base-}" "${store_catalog-}" "${store_holds-}" \
  "${store_open_run-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/stores.sh"

verb_main() {
  stores_load "$arg_store" "$arg_group"
  list_body=
  list_ids=" $(kind_ids | tr '\n' ' ')"
  for list_id in $list_ids; do
    kind_manifest "$list_id"
    list_one "$list_id" "$manifest_base"
  done
  list_lost
  list_open=null
  if stores_marked; then json_quote "$store_open_run" && list_open=$json; fi
  reply "\"backups\":[$list_body],\"incomplete\":$list_open"
}

list_one() {
  list_state=sealed
  list_manifest=
  list_sig=
  if [ ! -s "$2.json" ]; then
    list_state=missing-manifest
  else
    list_manifest=$(base64 <"$2.json" | tr -d '\n')
    # Only whether it can be one at all: the director parses it and checks whose signature it bears.
    case $(head -c 1 "$2.json")$(tail -c 2 "$2.json" | tr -d '\n ') in '{'*'}') ;; *) list_state=corrupt-manifest ;; esac
    [ ! -s "$2.sig" ] || list_sig=$(base64 <"$2.sig" | tr -d '\n')
    [ -n "$list_sig" ] || [ "$list_state" != sealed ] || list_state=unsigned
  fi
  list_holds=
  if stores_held "$1"; then
    for list_hold in $store_holds; do json_quote "$list_hold" && list_holds=$list_holds${list_holds:+,}$json; done
  fi
  list_used=$(kind_used "$1")
  list_body="$list_body${list_body:+,}{\"id\":\"$1\",\"state\":\"$list_state\",\"manifest\":\"$list_manifest\",\"manifestSig\":\"$list_sig\",\"holds\":[$list_holds]${list_used:+,\"usedBytes\":$list_used}}"
}

list_lost() {
  for list_path in "$store_catalog"/manifests/*.json; do
    [ -f "$list_path" ] || continue
    list_id=${list_path##*/}
    list_id=${list_id%.json}
    check_type id "$list_id" || continue
    # Of the list that is there: to ask for each by itself is the square of their number.
    case $list_ids in *" $list_id "*) continue ;; esac
    list_body="$list_body${list_body:+,}{\"id\":\"$list_id\",\"state\":\"lost\"}"
  done
}
