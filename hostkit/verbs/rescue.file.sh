# One file of a host's rescue media: one line of JSON, then its bytes.
# keys: store:name group:group host:name id:id name:name

# Set or read elsewhere:
: "${arg_group-}" "${arg_host-}" "${arg_id-}" "${arg_name-}" "${arg_store-}" "${store_rescue-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/rescue-store.sh"

verb_main() {
  rescue_store_load "$arg_store" "$arg_group" "$arg_host"
  file_path=$store_rescue/$arg_host/$arg_id/$arg_name
  if [ ! -f "$file_path" ] || [ -h "$file_path" ] || [ -h "${file_path%/*}" ]; then
    fail not-found "store $arg_store holds no $arg_name of the rescue media $arg_id of $arg_host; see 'resurgo rescue list $arg_host'"
  fi
  # Opened before it is announced: a prune in between takes the name away, not the file.
  exec 3<"$file_path"
  reply "\"bytes\":$(stat -L -c %s /proc/self/fd/3)"
  cat <&3
}
