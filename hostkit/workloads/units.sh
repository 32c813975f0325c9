# systemd units (interface: workloads/containers.sh). A line in REC/units: MODE UNIT INVOCATION, MODE stop or freeze.

# Set or read elsewhere:
: "${json-}"

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

# unit_state UNIT: sets unit_active unit_freezer unit_invocation.
unit_state() {
  unit_active='' unit_freezer='' unit_invocation=''
  _us_text=$(timeout -k 2 20 systemctl show -p ActiveState -p FreezerState -p InvocationID -- "$1" 2>/dev/null </dev/null)
  while IFS='=' read -r _us_key _us_value; do
    case $_us_key in
      ActiveState) unit_active=$_us_value ;;
      FreezerState) unit_freezer=$_us_value ;;
      InvocationID) unit_invocation=$_us_value ;;
    esac
  done <<EOF
$_us_text
EOF
}

unit_do() { timeout -k 2 "$1" systemctl "$2" -- "$3" </dev/null 2>&1; }

units_pause() {
  [ -s "$2/units" ] || return 0
  while read -r _up_mode _up_unit _ <&7; do
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
      stop/inactive/* | stop/failed/* | freeze/active/frozen) ;;
      *) problem="unit $_ut_unit is $unit_active ($unit_freezer) instead of stopped or frozen" ;;
    esac
    # Thawed and frozen again by hand keeps the invocation, a start in between does not.
    [ -z "$unit_invocation" ] || [ "$unit_invocation" = "$_ut_invocation" ] || problem="unit $_ut_unit was started anew meanwhile"
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
    [ -n "$_uu_unit" ] || continue
    case $_uu_mode in stop) _uu_verb=start ;; *) _uu_verb=thaw ;; esac
    unit_do 60 "$_uu_verb" "$_uu_unit" >/dev/null
    unit_state "$_uu_unit"
    json_quote "$_uu_unit"
    case $unit_active/$unit_freezer in
      active/frozen | active/freezing) _uu_bad=1 failed="$failed${failed:+,}$json" ;;
      active/* | activating/*) thawed="$thawed${thawed:+,}$json" ;;
      *) _uu_bad=1 failed="$failed${failed:+,}$json" ;;
    esac
  done 7<<EOF
$_uu_order
EOF
  return "$_uu_bad"
}

# A second call finds its units stopped by the first: what was noted then stays noted.
units_stop() {
  units_rec=$2
  [ -e "$units_rec/units" ] || : >"$units_rec/units"
  config_each unit "$1" units_stop_take
  sync "$units_rec/units"
  units_pause "$1" "$2"
}
units_stop_take() {
  units_here || fail not-allowed "unit $3 is configured, but systemd does not run on this host: take the unit out of the runbook"
  unit_state "$3"
  [ "$unit_active" = active ] || return 0
  # S21: masked at run time would be lost by a reboot, so the start block is a condition file of its own.
  unit_block "$3" || fail failed "can't write the start block of unit $3"
  {
    unit=$3 awk '$2 != ENVIRON["unit"]' "$units_rec/units"
    printf 'stop %s %s\n' "$3" "$unit_invocation"
  } | atomic_write "$units_rec/units"
}

# unit_block UNIT: a drop-in that refuses every start, a reboot's included, until unit_unblock.
unit_block() {
  mkdir -p "/etc/systemd/system/$1.d" &&
    printf '# A restore is under way; removed when it ends.\n[Unit]\nConditionPathExists=!%s\n' "$RESURGO_VAR/workloads/blocked" |
    atomic_write "/etc/systemd/system/$1.d/50-resurgo-restore.conf" &&
    : >>"$RESURGO_VAR/workloads/blocked" &&
    timeout 60 systemctl daemon-reload </dev/null
}

unit_unblock() {
  rm -f "/etc/systemd/system/$1.d/50-resurgo-restore.conf"
  rmdir "/etc/systemd/system/$1.d" 2>/dev/null
  timeout 60 systemctl daemon-reload </dev/null
}

units_start() {
  [ -s "$1/units" ] || return 0
  while read -r _ _ub_unit _ <&7; do unit_unblock "$_ub_unit"; done 7<"$1/units"
  units_unpause "$1"
}

units_stopped() { units_still "$1"; }
