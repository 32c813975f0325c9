# The runbook that lies with the newest backup of a group, gzip'd: for a director that has lost its own. No signature is on it.
# keys: store:name group:group

# Set or read elsewhere:
: "${arg_group-}" "${arg_store-}" "${store_last-}" "${store_view-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/stores.sh"

verb_main() {
  stores_load "$arg_store" "$arg_group"
  stores_last
  [ -n "$store_last" ] || fail not-found "store '$arg_store' holds no backup of group '$arg_group'"
  stores_view "$store_last"
  runbook_file=$store_view/resurgo/runbook.yaml
  if [ ! -f "$runbook_file" ] || [ -h "$runbook_file" ]; then
    fail not-found "backup $store_last of group '$arg_group' holds no runbook"
  fi
  runbook_text=$(gzip -nc -9 <"$runbook_file" | base64 | tr -d '\n')
  reply "\"id\":\"$store_last\",\"runbook\":\"$runbook_text\""
}
