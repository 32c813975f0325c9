# What a restore (or the operator's hand) stops and starts again. The record, $RESURGO_VAR/workloads/GROUP for a restore and GROUP.hand
# for a hand tool, is on disk before anything stops; while it stands, nothing of it starts, a reboot included (S21).

# Set or read elsewhere:
: "${failed-}" "${failed_why-}" "${json-}" "${line-}" "${RECORD_STOP_FULL-}" "${thawed-}"

# shellcheck source=lib/freeze.sh
. "$RESURGO_LIB/lib/freeze.sh"
# shellcheck source=workloads/keepers.sh
. "$RESURGO_LIB/workloads/keepers.sh"
# shellcheck source=workloads/containers-stop.sh
. "$RESURGO_LIB/workloads/containers-stop.sh"
# shellcheck source=workloads/engine.sh
. "$RESURGO_LIB/workloads/engine.sh"

# One request at a time stops or starts on this host: what several groups need stopped is looked up in the records of all. An engine with
# its containers may take minutes (s). What runs for it closes fd 9: a client that hangs, or busybox's timeout, which lingers for a second,
# would keep the lock.
WORKLOADS_WAIT_S=240

workloads_lock() {
  with_lock workloads "$WORKLOADS_WAIT_S"
  fence_still
}

# workload_families GROUP: sets families (words, in the order in which they stop).
workload_families() {
  families=''
  config_each workload "$1" workload_families_take
}
workload_families_take() {
  case $2 in
    containers | engine | units) families="$families $2" ;;
    *) fail internal "host.conf names the workload '$2': enrol the host again" ;;
  esac
}

# workloads_stop NAME GROUP RUN: stops and sees stopped; sets stopped_list (JSON members); fails the request with what still runs. What
# was stopped until then stays recorded: workloads_start undoes it. The record of a run that ended half-way is taken over, as the fence
# lets only its successor come here: what ran before both is what starts again.
workloads_stop() {
  workloads_lock
  rec=$RESURGO_VAR/workloads/$1
  # The rest of one that was being removed when the power went: all of it had been started.
  [ -e "$rec/run" ] || rm -rf -- "$rec"
  own_dir "$RESURGO_VAR/workloads" "$rec"
  rm -f -- "$rec/starting"
  { read_line "$rec/run" && [ "$line" = "$3" ]; } || atomic_put "$rec/run" "$3" || fail no-space "$RECORD_STOP_FULL"
  workload_families "$2"
  for _ws_family in $families; do
    "${_ws_family}_stop" "$2" "$rec" || fail failed "not stopped: $problem"
  done
  stopped_list=''
  [ -s "$rec/stopped" ] && while read -r _ _ _ _ _ws_name; do workload_mention containers "$_ws_name"; done <"$rec/stopped"
  [ -s "$rec/units" ] && while read -r _ws_mode _ws_name _; do
    [ "$_ws_mode" = held ] || workload_mention units "$_ws_name"
  done <"$rec/units"
  [ -s "$rec/engine.units" ] && while read -r _ws_name; do workload_mention engine "$_ws_name"; done <"$rec/engine.units"
  return 0
}

workload_mention() {
  json_quote "$2"
  stopped_list="$stopped_list${stopped_list:+,}{\"family\":\"$1\",\"name\":$json}"
}

# workloads_start NAME [NOTE]: reverses what the record says and sees it run; sets thawed, failed, gone and kept (JSON members), and
# failed_why. What another record needs stopped is handed over to it, not started (workloads/keepers.sh). NOTE REC is called before the
# record goes, which it does when all of it runs. Every family is asked, whatever the runbook names by now: it may have changed since the
# stop, and what the record holds is written down nowhere else. Containers need their engine first.
workloads_start() {
  thawed='' failed='' failed_why='' gone='' kept='' problem='' _wt_bad=0
  workloads_lock
  rec=$RESURGO_VAR/workloads/$1
  [ -e "$rec/run" ] || return 0
  # From here on it needs nothing stopped, also where a part of it does not start and the record stays. A full disk must keep nobody from starting.
  printf '' | atomic_write "$rec/starting" || :
  for _wt_family in engine containers units; do
    "${_wt_family}_start" "$rec" || _wt_bad=1
  done
  [ -s "$rec/gone" ] && while read -r _ _wt_name; do
    json_quote "$_wt_name"
    gone="$gone${gone:+,}$json"
  done <"$rec/gone"
  [ -z "${2-}" ] || "$2" "$rec" || fail no-space "can't write in $RESURGO_VAR: make room, then call this again"
  # Its head goes first: what is left of it after a power cut is no record.
  [ "$_wt_bad" -ne 0 ] || { rm -f -- "$rec/run" && rm -rf -- "$rec"; }
  return "$_wt_bad"
}

# workloads_not_started: fails the request with what does not start again.
workloads_not_started() {
  fail failed "not everything starts again: ${failed_why:-$problem}; it stays recorded: look at its log, then call this again" \
    "\"started\":[$thawed],\"failed\":[$failed],\"gone\":[$gone],\"kept\":[$kept]"
}
