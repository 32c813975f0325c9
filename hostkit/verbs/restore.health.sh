# fenced: yes
# Runs the configured health commands after a restore.

# Set or read elsewhere:
: "${arg_group-}" "${json-}"

verb_main() {
  set +e
  healthy=true checks=''
  config_each health "$arg_group" health_one
  reply "\"healthy\":$healthy,\"checks\":[$checks]"
}

health_one() {
  said=$(timeout -k 5 "$3" "$4" </dev/null 2>&1)
  health_status=$?
  # The end of what it says is enough.
  [ "${#said}" -le 2000 ] || said=$(printf '%s' "$said" | tail -c 2000)
  json_quote "$2"
  checks="$checks${checks:+,}{\"name\":$json"
  json_quote "$said"
  checks="$checks,\"exit\":$health_status,\"tail\":$json}"
  [ "$health_status" -eq 0 ] || healthy=false
}
