# fenced: yes
# How what a restore has started does: its containers, looked at until they have settled, and the configured health commands.

# Set or read elsewhere:
: "${arg_group-}" "${arg_run-}" "${json-}" "${uptime-}"

# shellcheck source=lib/workloads.sh
. "$RESURGO_LIB/lib/workloads.sh"

# A container without a health check of its own must have run for so long (s): one that can't live dies at once.
HEALTH_SETTLE_S=2
# One with a health check may be `starting` for so long (s) before that is told; docker asks every 30 s where nothing else is said.
HEALTH_WAIT_S=45
HEALTH_FORMAT='{{.State.Running}} {{.State.Restarting}} {{.RestartCount}} {{.State.ExitCode}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.Name}}'

verb_main() {
  set +e
  healthy=true checks='' containers=''
  health_containers
  config_each health "$arg_group" health_one
  reply "\"healthy\":$healthy,\"checks\":[$checks],\"containers\":[$containers]"
}

# health_containers: looks until nothing is on its way any more.
health_containers() {
  [ -s "$RESURGO_VAR/started/$arg_group" ] || return 0
  health_ids='' health_of=''
  while read -r health_id health_word _; do
    case $health_id in run) health_of=$health_word ;; *) health_ids="$health_ids $health_id" ;; esac
  done <"$RESURGO_VAR/started/$arg_group"
  [ "$health_of" = "$arg_run" ] || return 0
  read_uptime
  health_from=$uptime
  while :; do
    health_look
    read_uptime
    health_took=$(((uptime - health_from) / 1000))
    case $health_waits in
      no) [ "$health_took" -lt "$HEALTH_SETTLE_S" ] || return 0 ;;
      *) [ "$health_took" -lt "$HEALTH_WAIT_S" ] || return 0 ;;
    esac
    sleep 1
  done
}

# health_look: sets containers (JSON members), healthy, and health_waits where a health check has not spoken yet.
health_look() {
  healthy=true containers='' health_waits=no health_exit=''
  health_text=$(docker_on 20 "$health_ids" inspect --type container --format "$HEALTH_FORMAT" 2>&1)
  health_code=$?
  [ "$health_code" -eq 0 ] || health_add docker unknown "docker inspect: ${health_text##*"$LF"}"
  while read -r health_runs health_again health_count health_exit health_state health_name; do
    health_name=${health_name#/}
    case $health_runs/$health_again/$health_count/$health_state in
      true/false/0/none | true/false/0/healthy) health_add "$health_name" well '' ;;
      true/false/0/starting) health_waits=yes && health_add "$health_name" starting 'its health check has not answered yet' ;;
      true/false/0/*) health_add "$health_name" unhealthy "its health check says $health_state" ;;
      */true/* | true/*) health_add "$health_name" restarting "it ended with exit $health_exit and was started again $health_count times" ;;
      false/*) health_add "$health_name" ended "it has ended with exit $health_exit" ;;
    esac
  done <<EOF
$health_text
EOF
}

# health_add NAME STATE WHY: one that is still starting is no fault yet, and one that ended well had nothing more to do.
health_add() {
  case $2/$health_exit in well/* | starting/* | ended/0) ;; *) healthy=false ;; esac
  json_quote "$1"
  containers="$containers${containers:+,}{\"name\":$json,\"state\":\"$2\""
  json_quote "$3"
  containers="$containers,\"why\":$json}"
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
