# systemd units (interface: workloads/containers.sh). A line in REC/units: MODE UNIT INVOCATION, MODE stop, freeze or held.
# held: it did not run when a restore stopped the others; it is kept from starting, and not started with them.

# Set or read elsewhere:
: "${ENGINE_UNITS-}" "${json-}" "${thawed-}"

RECORD_STOP_FULL="what is stopped can't be written down in $RESURGO_VAR: make room there"

units_here() { [ -d /run/systemd/system ] && command -v systemctl >/dev/null; }

# units_list: only units that are active now are ours to stop.
units_list() {
  units_rec=$2
  : >"$units_rec/units"
  config_each unit "$1" units_list_take
  sync "$units_rec/units"
}
units_list_take() {
  units_here || fail not-allowed "unit $3 is configured, but systemd does not run on this host: take the unit out of the runbook"
  case $2 in stop | freeze) ;; *) fail internal "host.conf names the mode '$2' for unit $3: enrol the host again" ;; esac
  unit_state "$3"
  [ "$unit_active" = active ] || return 0
  [ "$2" = stop ] || [ "$unit_freezer" = running ] ||
    fail not-allowed "unit $3 can't be frozen here (FreezerState '$unit_freezer'): cgroup v2 is needed; use stop instead"
  printf '%s %s %s\n' "$2" "$3" "$unit_invocation" >>"$units_rec/units" ||
    fail no-space "unit $3 can't be written down in $RESURGO_VAR: make room there"
}

# unit_state UNIT: sets unit_active unit_freezer unit_invocation unit_type unit_result, and unit_condition: did its conditions let it start?
# `unasked` is also said of a unit that has ended well and was unloaded since.
unit_state() {
  unit_active='' unit_freezer='' unit_invocation='' unit_type='' unit_result='' unit_condition=''
  _us_text=$(timeout -k 2 20 systemctl show -p ActiveState -p FreezerState -p InvocationID -p Type -p Result \
    -p ConditionResult -p ConditionTimestampMonotonic -- "$1" 2>/dev/null </dev/null 9>&-)
  while IFS='=' read -r _us_key _us_value; do
    case $_us_key in
      ActiveState) unit_active=$_us_value ;;
      FreezerState) unit_freezer=$_us_value ;;
      InvocationID) unit_invocation=$_us_value ;;
      Result) unit_result=$_us_value ;;
      Type) unit_type=$_us_value ;;
      ConditionResult) unit_condition=${unit_condition:-$_us_value} ;;
      ConditionTimestampMonotonic) [ "$_us_value" != 0 ] || unit_condition=unasked ;;
    esac
  done <<EOF
$_us_text
EOF
}

# unit_settle UNIT: its state once it is not on its way down any more, 30 s at most: only what follows tells.
unit_settle() {
  _ue_tries=0
  while unit_state "$1" && [ "$unit_active" = deactivating ] && [ "$_ue_tries" -lt 30 ]; do
    _ue_tries=$((_ue_tries + 1))
    sleep 1
  done
}

# unit_up: does it run, or is it about to? One between two restarts is `activating`.
unit_up() { case $unit_active in active | activating | reloading | refreshing) ;; *) return 1 ;; esac }

unit_do() { timeout -k 2 "$1" systemctl "$2" -- "$3" </dev/null 2>&1 9>&-; }

units_pause() {
  [ -s "$2/units" ] || return 0
  while read -r _up_mode _up_unit _ <&7; do
    [ "$_up_mode" = freeze ] || _up_mode=stop
    _up_said=$(unit_do 60 "$_up_mode" "$_up_unit")
  done 7<"$2/units"
  units_still "$2" || problem="$problem: ${_up_said%%"$LF"*}"
  [ -z "$problem" ]
}

# units_still REC: is every unit still as we put it? Sets problem.
units_still() {
  [ -s "$1/units" ] || return 0
  problem=''
  while read -r _ut_mode _ut_unit _ut_invocation <&7; do
    unit_state "$_ut_unit"
    case $_ut_mode/$unit_active/$unit_freezer in
      stop/inactive/* | stop/failed/* | held/inactive/* | held/failed/* | freeze/active/frozen) ;;
      *) problem="unit $_ut_unit is $unit_active ($unit_freezer) instead of stopped or frozen" ;;
    esac
    # Thawed and frozen again by hand keeps the invocation, a start in between does not. What a restore stops (-) can't start.
    [ "$_ut_invocation" = - ] || [ -z "$unit_invocation" ] || [ "$unit_invocation" = "$_ut_invocation" ] || problem="unit $_ut_unit was started anew meanwhile"
  done 7<"$1/units"
  [ -z "$problem" ]
}

# In reverse order.
units_unpause() {
  [ -s "$1/units" ] || return 0
  _uu_order=''
  while read -r _uu_mode _uu_unit _; do _uu_order="$_uu_mode $_uu_unit$LF$_uu_order"; done <"$1/units"
  _uu_bad=0
  while read -r _uu_mode _uu_unit <&7; do
    case $_uu_mode in '' | held) continue ;; esac
    case $_uu_mode in stop) _uu_verb=start ;; *) _uu_verb=thaw ;; esac
    unit_do 60 "$_uu_verb" "$_uu_unit" >/dev/null
    _uu_exit=$?
    unit_settle "$_uu_unit"
    json_quote "$_uu_unit"
    [ ! -e "/etc/systemd/system/$_uu_unit.d/50-resurgo-restore.conf" ] || _uu_exit=blocked
    case $unit_active/$unit_freezer/$_uu_verb:$_uu_exit:$unit_result:$unit_type:$unit_condition in
      active/frozen/* | active/freezing/*) _uu_bad=1 && workload_failed "$_uu_unit" 'it is still frozen' ;;
      # A oneshot unit has come to its good end, and had nothing more to do. A start that a condition refused exits 0 as well.
      active/* | activating/* | inactive/*/start:0:success:oneshot:yes | inactive/*/start:0:success:oneshot:unasked)
        thawed="$thawed${thawed:+,}$json"
        ;;
      *) _uu_bad=1 && workload_failed "$_uu_unit" "it is ${unit_active:-unknown}" ;;
    esac
  done 7<<EOF
$_uu_order
EOF
  return "$_uu_bad"
}

# Every unit that is configured is written down, then kept from starting, then stopped: also one that does not run now would be started by
# a reboot in the middle (S21). A second call finds its units stopped by the first: what was noted then stays noted.
units_stop() {
  units_rec=$2
  config_each unit "$1" units_stop_take
  units_pause "$1" "$2"
}
units_stop_take() {
  units_here || fail not-allowed "unit $3 is configured, but systemd does not run on this host: take the unit out of the runbook"
  # One that is on its way down may come up again by its own Restart=.
  unit_settle "$3"
  [ -n "$unit_active" ] || fail failed "systemd tells nothing of unit $3: look at it on the host"
  _uk_mode=held
  ! unit_up || _uk_mode=stop
  unit_note "$_uk_mode" "$3" || fail no-space "$RECORD_STOP_FULL"
  # Masked at run time would be lost by a reboot, so the start block is a condition file of its own.
  unit_block "$3" || fail failed "can't write the start block of unit $3"
}

# unit_note MODE UNIT: one that was noted as running keeps its line.
unit_note() {
  _un_text=''
  [ -s "$units_rec/units" ] && while read -r _un_mode _un_unit _un_rest; do
    if [ "$_un_unit" = "$2" ]; then
      [ "$1" = stop ] || return 0
    else
      _un_text="$_un_text$_un_mode $_un_unit $_un_rest$LF"
    fi
  done <"$units_rec/units"
  atomic_put "$units_rec/units" "$_un_text$1 $2 -"
}

# unit_block UNIT: a drop-in that refuses every start, a reboot's included, until unit_unblock. What its condition asks for comes first.
unit_block() {
  printf '' >>"$RESURGO_VAR/workloads/blocked" &&
    mkdir -p "/etc/systemd/system/$1.d" &&
    atomic_put "/etc/systemd/system/$1.d/50-resurgo-restore.conf" "# A restore is under way; removed when it ends.
[Unit]
ConditionPathExists=!$RESURGO_VAR/workloads/blocked" &&
    timeout 60 systemctl daemon-reload </dev/null 9>&-
}

# unit_unblock UNIT
unit_unblock() {
  rm -f "/etc/systemd/system/$1.d/50-resurgo-restore.conf" || return 1
  rmdir "/etc/systemd/system/$1.d" 2>/dev/null
  timeout 60 systemctl daemon-reload </dev/null 9>&-
}

# units_start: what another record names stays blocked for it: what was to be started is handed over, what was only held is forgotten.
units_start() {
  [ -s "$1/units" ] || return 0
  _ub_bad=0 _ub_mine='' _ub_less=no
  while read -r _ub_mode _ub_unit _ub_rest <&7; do
    if ! keeper_of "$1" names_unit "$_ub_unit"; then
      unit_unblock "$_ub_unit" || {
        _ub_bad=$((_ub_bad | 1))
        workload_failed "$_ub_unit" 'its start block stays'
      }
    elif [ "$_ub_mode" = held ] || unit_hand_over "$_ub_unit"; then
      _ub_less=yes
      continue
    else
      _ub_bad=2
    fi
    _ub_mine="$_ub_mine$_ub_mode $_ub_unit $_ub_rest$LF"
  done 7<"$1/units"
  if [ "$_ub_less" = yes ] && ! printf '%s' "$_ub_mine" | atomic_write "$1/units"; then
    _ub_bad=2
    workload_failed units "$RECORD_STOP_FULL"
  fi
  # The file still names what another needs stopped.
  [ "$_ub_bad" -lt 2 ] || return 1
  units_unpause "$1" || _ub_bad=1
  return "$_ub_bad"
}

# unit_hand_over UNIT: to $keeper.
unit_hand_over() {
  units_rec=$keeper
  unit_note stop "$1" && kept_add "$keeper" "$1" && return 0
  workload_failed "$1" "$RECORD_STOP_FULL"
  return 1
}
