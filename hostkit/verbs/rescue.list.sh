# The rescue media that a store keeps of a group, or of one host, with what was said and signed of each when it was built.
# keys: store:name group:group host:name?

# Set or read elsewhere:
: "${arg_group-}" "${arg_host-}" "${arg_store-}" "${store_rescue-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/rescue-store.sh"

verb_main() {
  rescue_store_load "$arg_store" "$arg_group" "$arg_host"
  # Not in the middle of a change: build.json and its signature are two files.
  rescue_store_lock
  list_body=''
  for list_path in "$store_rescue"/*; do
    if [ ! -d "$list_path" ] || [ -h "$list_path" ]; then continue; fi
    list_host=${list_path##*/}
    check_type name "$list_host" || continue
    [ -z "$arg_host" ] || [ "$arg_host" = "$list_host" ] || continue
    for list_id in $(rescue_ids "$list_host"); do list_one "$list_path/$list_id"; done
  done
  reply "\"builds\":[$list_body]"
}

list_one() {
  list_build='' list_sig=''
  [ ! -f "$1/build.json" ] || list_build=$(base64 -w 0 <"$1/build.json")
  [ ! -f "$1/build.sig" ] || list_sig=$(base64 -w 0 <"$1/build.sig")
  list_kib=$(du -sk -- "$1" | awk '{ print $1 }')
  list_body="$list_body${list_body:+,}{\"host\":\"$list_host\",\"id\":\"$list_id\",\"build\":\"$list_build\",\"sig\":\"$list_sig\",\"usedBytes\":$((list_kib * 1024))}"
}
