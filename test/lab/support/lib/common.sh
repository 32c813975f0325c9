# Shared by fleet.sh's parts: where a fleet's records lie, and the small helpers that all of them use.
# shellcheck shell=bash

LAB_RUN=${RESURGO_LAB_RUN:-/run/resurgo-lab}
LAB_DATA=${RESURGO_LAB_DATA:-/var/tmp/resurgo-lab}
LAB_CACHE=${RESURGO_LAB_CACHE:-/var/cache/resurgo-lab}
# How long a host may take from power-on to ssh (and docker) before the raise fails, in tenths of a second.
LAB_READY_TENTHS=${RESURGO_LAB_READY_TENTHS:-900}

die() {
  printf 'fleet: %s\n' "$*" >&2
  exit 1
}

# The time (in clock ticks since boot) at which a process started: with the pid it names one process for good.
start_time() {
  local stat fields
  { read -r stat < "/proc/$1/stat"; } 2> /dev/null || return 1
  # The command name may hold blanks and brackets: count fields from the last bracket on.
  read -ra fields <<< "${stat##*) }"
  printf '%s\n' "${fields[19]}"
}

is_alive() { # PID START
  [ "$(start_time "$1")" = "$2" ]
}

valid_name() {
  [[ $1 =~ ^[a-z][a-z0-9-]{0,30}$ ]]
}

fleet_dir() { printf '%s/%s\n' "$LAB_RUN" "$1"; }
host_dir() { printf '%s/%s/hosts/%s\n' "$LAB_RUN" "$1" "$2"; }
host_data() { printf '%s/%s/%s\n' "$LAB_DATA" "$1" "$2"; }

require_fleet() {
  if ! valid_name "$1" || [ ! -d "$(fleet_dir "$1")" ]; then die "no fleet '$1' here; standing fleets: $(list_fleets | tr '\n' ' ')"; fi
}

require_host() {
  require_fleet "$1"
  if ! valid_name "${2:-}" || [ ! -d "$(host_dir "$1" "$2")" ]; then die "fleet '$1' has no host '${2:-}'; it has: $(list_hosts "$1" | tr '\n' ' ')"; fi
}

list_fleets() {
  local dir
  for dir in "$LAB_RUN"/*/; do [ -f "$dir/owner" ] && basename "$dir"; done
  return 0
}

list_hosts() {
  local dir
  for dir in "$(fleet_dir "$1")"/hosts/*/; do [ -d "$dir" ] && basename "$dir"; done
  return 0
}

# One fact of a host, as written when the fleet was raised: `fact FLEET HOST KEY`.
fact() {
  local line
  while read -r line; do
    [ "${line%%=*}" = "$3" ] && printf '%s\n' "${line#*=}" && return 0
  done < "$(host_dir "$1" "$2")/facts"
  return 1
}

# The lock of all fleets on this machine: choosing a subnet and sweeping must not interleave.
# File descriptor 9 is closed for every process that outlives the command, or the lock would outlive it too.
lock_lab() {
  mkdir -p "$LAB_RUN" "$LAB_DATA"
  exec 9> "$LAB_RUN/.lock"
  flock -w 120 9 || die "another raise or sweep holds $LAB_RUN/.lock for over two minutes"
}

unlock_lab() { exec 9>&-; }

wait_until() { # TENTHS COMMAND… : true as soon as the command succeeds
  local tenths=$1
  shift
  while ! "$@"; do
    tenths=$((tenths - 1))
    [ "$tenths" -gt 0 ] || return 1
    sleep 0.1
  done
}
