# A snapshot of a source before a restore overwrites it, as freeze `freeze` of the run: another number for each source of this host.
# Idempotent. `taken` is false where the source's kind can't.
# keys: source:name freeze:int=0
# fenced: yes

# Set or read elsewhere:
: "${arg_group-}" "${arg_source-}" "${json-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/snapshots.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/safety.sh"

verb_main() {
  with_lock "snapshots.$arg_group"
  safety_take
  json_quote "$safety_name"
  reply "\"source\":\"$arg_source\",\"taken\":$([ -n "$safety_name" ] && echo true || echo false),\"name\":$json"
}
