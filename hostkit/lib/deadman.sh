# The dead-man: a detached process per record (deadman/NAME) that reverses everything in it when its limit passes, whatever became of
# the session, the network or the director (S2). It counts by /proc/uptime, which no clock step moves.
#
# A record's folder, $RESURGO_VAR/deadman/NAME (NAME: GROUP for a freeze, GROUP.hooks, GROUP.hand for the operator's own pause):
#   meta      `key value` lines: kind group run freeze boot armed_up limit_ms token
#   timer     PID STARTTIME of the dead-man, written by itself: seen there, it is armed
#   fired     exists once it acts
#   containers, left, engine, units, hooks: what was (about to be) touched; see workloads/

# Set or read elsewhere:
: "${boot-}" "${limit_ms-}" "${uptime-}"

# record_new NAME KIND GROUP RUN FREEZE LIMIT_MS: makes the record; sets rec.
record_new() {
  rec=$RESURGO_VAR/deadman/$1
  own_dir "$RESURGO_VAR/log" "$RESURGO_VAR/deadman" "$rec"
  read_boot
  read_uptime
  record_token=$4.$5.$uptime.$$
  printf 'kind %s\ngroup %s\nrun %s\nfreeze %s\nboot %s\narmed_up %s\nlimit_ms %s\ntoken %s\n' \
    "$2" "$3" "$4" "$5" "$boot" "$uptime" "$6" "$record_token" | atomic_write "$rec/meta"
}

# record_read REC: sets rec_kind rec_group rec_run rec_freeze rec_boot rec_armed rec_limit rec_token; 1 if it is no record.
record_read() {
  rec_kind='' rec_group='' rec_run='' rec_freeze='' rec_boot='' rec_armed=0 rec_limit=0 rec_token=''
  [ -r "$1/meta" ] || return 1
  while read -r _rr_key _rr_value; do
    case $_rr_key in
      kind) rec_kind=$_rr_value ;;
      group) rec_group=$_rr_value ;;
      run) rec_run=$_rr_value ;;
      freeze) rec_freeze=$_rr_value ;;
      boot) rec_boot=$_rr_value ;;
      armed_up) rec_armed=$_rr_value ;;
      limit_ms) rec_limit=$_rr_value ;;
      token) rec_token=$_rr_value ;;
    esac
  done <"$1/meta"
  [ -n "$rec_token" ]
}

record_remove() { rm -rf -- "$1"; }

# deadman_limit GROUP ASKED_S: sets limit_ms: what is asked, but never more than the host's own configuration allows.
deadman_limit() {
  limit_s=60
  config_each max-pause "$1" deadman_limit_take
  [ "$2" -le 0 ] || [ "$2" -ge "$limit_s" ] || limit_s=$2
  limit_ms=$((limit_s * 1000))
}
deadman_limit_take() { limit_s=$2; }

# deadman_arm REC: starts the timer and waits (5 s at most) until it says itself that it watches.
deadman_arm() {
  rm -f "$1/timer" "$1/fired"
  record_read "$1" || return 1
  if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null; then
    # Not a child of the ssh session: logind may end those with it. Restarted should anything kill it.
    timeout 20 systemd-run --quiet --collect --unit="resurgo-deadman-${1##*/}-$rec_armed" -p Restart=on-failure -p OOMScoreAdjust=-900 \
      /bin/sh "$RESURGO_LIB/deadman" "${1##*/}" "$rec_token" </dev/null >/dev/null 2>&1 ||
      detach /bin/sh "$RESURGO_LIB/deadman" "${1##*/}" "$rec_token"
  else
    detach /bin/sh "$RESURGO_LIB/deadman" "${1##*/}" "$rec_token"
  fi
  _da_tries=0
  until [ -s "$1/timer" ]; do
    _da_tries=$((_da_tries + 1))
    [ "$_da_tries" -le 100 ] || return 1
    sleep 0.05
  done
}

# deadman_alive REC: does its timer run?
deadman_alive() {
  [ -s "$1/timer" ] && read -r _al_pid _al_start <"$1/timer" && same_process "$_al_pid" "$_al_start"
}

# deadman_disarm REC: ends the timer (with its sleep: it leads a process group). The record must be reversed already.
deadman_disarm() {
  if deadman_alive "$1"; then kill -9 -- "-$_al_pid" 2>/dev/null || kill -9 "$_al_pid" 2>/dev/null; fi
  return 0
}

# records_each CALLBACK: calls it with each record's folder.
records_each() {
  for _re_dir in "$RESURGO_VAR/deadman"/*; do
    [ -f "$_re_dir/meta" ] && "$1" "$_re_dir"
  done
  return 0
}

# deadmen_list: sets $deadmen, JSON of the records that stand now (for probe and status).
deadmen_list() {
  deadmen=''
  records_each deadmen_take
}
deadmen_take() {
  record_read "$1" || return 0
  read_boot
  read_uptime
  _dl_left=$((rec_armed + rec_limit - uptime)) _dl_alive=false _dl_fired=false
  [ "$boot" = "$rec_boot" ] || _dl_left=0
  deadman_alive "$1" && _dl_alive=true
  [ -e "$1/fired" ] && _dl_fired=true
  deadmen="$deadmen${deadmen:+,}{\"record\":\"${1##*/}\",\"kind\":\"$rec_kind\",\"group\":\"$rec_group\",\"run\":\"$rec_run\",\"freeze\":$rec_freeze,\"leftMs\":$_dl_left,\"alive\":$_dl_alive,\"fired\":$_dl_fired}"
}
