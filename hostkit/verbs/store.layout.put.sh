# Takes the layout of a host into the run that the store is open for: the seal puts it into the backup. Again replaces it: a later look counts.
# keys: store:name host:name layout:b64
# fenced: yes

# Set or read elsewhere:
: "${arg_group-}" "${arg_host-}" "${arg_layout-}" "${arg_run-}" "${arg_store-}" "${store_open_run-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/stores.sh"

# No layout is larger, unpacked; the schema's own bounds are below that.
LAYOUT_MOST=33554432

verb_main() {
  stores_load "$arg_store" "$arg_group"
  if ! stores_marked || [ "$store_open_run" != "$arg_run" ]; then
    fail fenced "store '$arg_store' is not open for run $arg_run: another run took it over; begin again"
  fi
  layout_dir=$RESURGO_VAR/runs/$arg_run/layouts
  own_dir "$layout_dir"
  layout_sent=$layout_dir/.sent.$$
  trap 'rm -f -- "$layout_sent" "$layout_sent.json"; hostkit_at_exit' EXIT
  if ! printf '%s' "$arg_layout" | base64 -d >"$layout_sent" 2>/dev/null || ! gzip -t <"$layout_sent" 2>/dev/null; then
    fail bad-request "the layout of $arg_host is no gzip in base64"
  fi
  gzip -dc <"$layout_sent" 2>/dev/null | head -c $((LAYOUT_MOST + 1)) >"$layout_sent.json" || fail no-space "cannot write in $layout_dir"
  layout_bytes=$(wc -c <"$layout_sent.json")
  [ "$layout_bytes" -le "$LAYOUT_MOST" ] || fail bad-request "the layout of $arg_host is over $LAYOUT_MOST bytes"
  atomic_write "$layout_dir/$arg_host.json" <"$layout_sent.json" || fail no-space "cannot write in $layout_dir"
  layout_sum=$(sha256sum <"$layout_sent.json")
  reply "\"bytes\":$((layout_bytes)),\"sha256\":\"${layout_sum%% *}\""
}
