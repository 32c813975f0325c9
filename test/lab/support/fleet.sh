#!/bin/bash
# A fleet of simulated Linux hosts on this machine: own network, mounts, processes and names each; real sshd, dockerd, disks.
set -u
SUPPORT=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib/common.sh
. "$SUPPORT/lib/common.sh"
# shellcheck source-path=SCRIPTDIR source=lib/cgroups.sh
. "$SUPPORT/lib/cgroups.sh"
# shellcheck source-path=SCRIPTDIR source=lib/tree.sh
. "$SUPPORT/lib/tree.sh"
# shellcheck source-path=SCRIPTDIR source=lib/network.sh
. "$SUPPORT/lib/network.sh"
# shellcheck source-path=SCRIPTDIR source=lib/hosts.sh
. "$SUPPORT/lib/hosts.sh"
# shellcheck source-path=SCRIPTDIR source=lib/sweep.sh
. "$SUPPORT/lib/sweep.sh"

usage() {
  cat >&2 << 'TEXT'
usage: fleet.sh VERB …
  up [--owner PID] FLEET HOST[:OPTION,…]…  raise a fleet; OPTION: disk=btrfs|ext4|xfs, docker, zfs, store=btrfs|ext4|xfs,
                                           size=8G, store-size=8G, systemd. With an owner it may be swept once that process is gone
  down FLEET                  remove it and all it left
  info FLEET | list           what stands, as JSON | by name
  exec FLEET HOST COMMAND…    run as the host's root, from outside
  ssh FLEET HOST COMMAND…     the same through its sshd
  kill FLEET HOST             pull the plug          boot FLEET HOST    power on again
  reboot FLEET HOST           both, then wait        hang FLEET HOST    stop all its processes      unhang FLEET HOST
  cut FLEET A B               drop all packets between two hosts, or a host and `director`
  heal FLEET [A B]            undo it (all cuts)
  rate FLEET HOST KBIT        limit its network; 0 lifts the limit
  clock FLEET HOST SECONDS    shift the wall clock of what it starts from now on; 0 undoes it
  tree                        build the hosts' file tree if need be, print its path
  sweep [all]                 remove the fleets whose owner is gone (all: also those without an owner)
TEXT
  exit 2
}

# Registers the fleet under the lock, so that a sweep sees it whole or not at all.
register() { # OWNER_PID FLEET
  local dir start
  dir=$(fleet_dir "$2")
  start=$(start_time "$1") || die "owner $1 is not running"
  lock_lab
  sweep_fleets
  [ ! -d "$dir" ] || die "fleet '$2' stands already: fleet.sh down $2"
  mkdir -p "$dir.part/hosts"
  choose_subnet > "$dir.part/subnet" || exit 1
  cat /proc/sys/kernel/random/boot_id > "$dir.part/boot"
  echo "$1 $start" > "$dir.part/owner"
  mv "$dir.part" "$dir"
  raise_lan "$2" || die "cannot make the network of fleet $2"
  unlock_lab
}

up() {
  local owner=- fleet tree dir spec index=0 host
  if [ "${1:-}" = --owner ]; then
    owner=$2
    shift 2
  fi
  [ $# -ge 2 ] || usage
  fleet=$1
  shift
  valid_name "$fleet" || die "bad fleet name '$fleet': lower-case letters, digits and '-', at most 31"
  [ "$(id -u)" = 0 ] || die 'a fleet needs root'
  tree=$(ensure_tree) || exit 1
  dir=$(fleet_dir "$fleet")
  if [ "$owner" = - ]; then register $$ "$fleet"; else register "$owner" "$fleet"; fi
  # A raise that fails leaves nothing behind.
  trap '[ $? = 0 ] || remove_fleet "$fleet"' EXIT
  echo "$tree" > "$dir/tree"
  ssh-keygen -q -t ed25519 -N '' -C "fleet-$fleet" -f "$dir/id"
  for spec in "$@"; do
    index=$((index + 1))
    write_facts "$fleet" "$index" "$spec"
  done
  write_names "$fleet"
  boot_all "$fleet" "$tree"
  [ "$owner" != - ] || echo '- -' > "$dir/owner"
}

write_names() {
  local dir host
  dir=$(fleet_dir "$1")
  {
    printf '127.0.0.1 localhost\n10.77.%s.1 director\n' "$(subnet "$1")"
    for host in $(list_hosts "$1"); do printf '%s %s\n' "$(fact "$1" "$host" address)" "$host"; done
  } > "$dir/hosts.list"
}

boot_all() { # all at once; the first failure is this command's failure
  local host pids=() pid failed=0
  for host in $(list_hosts "$1"); do
    (create_host "$1" "$host" && boot_host "$1" "$host" "$2" && wait_ready "$1" "$host") &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
  [ "$failed" = 0 ] || die "fleet $1 could not be raised"
  for host in $(list_hosts "$1"); do
    printf '%s %s\n' "$(fact "$1" "$host" address)" "$(cut -d ' ' -f 1,2 "$(host_dir "$1" "$host")/lab/host.pub")"
  done > "$(fleet_dir "$1")/known_hosts"
}

# What there is to know about a fleet, in one line of JSON (all values are checked words, so no escaping is needed).
info() {
  local dir host separator=''
  dir=$(fleet_dir "$1")
  printf '{"name":"%s","lan":"%s","directorAddress":"10.77.%s.1","lanAddress":"10.77.%s.2","adminKey":"%s","knownHosts":"%s","hosts":[' \
    "$1" "$(lan_ns "$1")" "$(subnet "$1")" "$(subnet "$1")" "$dir/id" "$dir/known_hosts"
  for host in $(list_hosts "$1"); do
    printf '%s{"name":"%s","address":"%s","disk":"%s","store":"%s","docker":%s,"zfs":%s,"systemd":%s,"records":"%s","data":"%s"}' \
      "$separator" "$host" "$(fact "$1" "$host" address)" "$(fact "$1" "$host" disk)" "$(fact "$1" "$host" store)" \
      "$(json_bool "$1" "$host" docker)" "$(json_bool "$1" "$host" zfs)" "$(json_bool "$1" "$host" systemd)" \
      "$(host_dir "$1" "$host")/lab" "$(host_data "$1" "$host")"
    separator=,
  done
  printf ']}\n'
}

json_bool() { if [ "$(fact "$1" "$2" "$3")" = 1 ]; then echo true; else echo false; fi; }

verb=${1:-}
[ $# -gt 0 ] && shift
case $verb in
  up) up "$@" ;;
  down)
    valid_name "${1:-}" || usage
    [ -d "$(fleet_dir "$1")" ] || exit 0
    lock_lab
    remove_fleet "$1"
    ;;
  list) list_fleets ;;
  tree) ensure_tree ;;
  sweep)
    lock_lab
    sweep_fleets "${1:-}"
    ;;
  info)
    require_fleet "${1:-}"
    info "$1"
    ;;
  exec | ssh)
    [ $# -ge 3 ] || usage
    require_host "$1" "$2"
    "${verb}_host" "$@"
    ;;
  kill | reboot)
    require_host "${1:-}" "${2:-}"
    "${verb}_host" "$1" "$2"
    ;;
  boot)
    require_host "${1:-}" "${2:-}"
    ! host_pid "$1" "$2" > /dev/null || die "host $2 of fleet $1 is running"
    boot_host "$1" "$2" "$(cat "$(fleet_dir "$1")/tree")"
    wait_ready "$1" "$2"
    ;;
  hang | unhang)
    require_host "${1:-}" "${2:-}"
    if [ "$verb" = hang ]; then set_frozen "$(host_cgroup "$1" "$2")" 1; else set_frozen "$(host_cgroup "$1" "$2")" 0; fi
    ;;
  cut)
    [ $# = 3 ] || usage
    require_fleet "$1"
    cut_link "$@"
    ;;
  heal)
    [ $# = 1 ] || [ $# = 3 ] || usage
    require_fleet "$1"
    heal_link "$@"
    ;;
  rate)
    [[ $# = 3 && $3 =~ ^[0-9]+$ ]] || usage
    require_host "$1" "$2"
    set_rate "$@"
    ;;
  clock)
    [[ $# = 3 && $3 =~ ^[+-]?[0-9]+$ ]] || usage
    require_host "$1" "$2"
    set_clock "$@"
    ;;
  *) usage ;;
esac
