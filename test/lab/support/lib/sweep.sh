# The end of fleets: in order, or of what a killed test left behind.
# shellcheck shell=bash

# Removes everything of a fleet, whatever state it is in. Safe to repeat.
remove_fleet() { # FLEET
  local host image device
  for host in $(list_hosts "$1"); do
    kill_cgroup "$1" "$host"
  done
  for host in $(list_hosts "$1"); do
    wait_until 50 loops_gone "$1" "$host"
    for image in "$(host_data "$1" "$host")"/*.img; do
      [ -e "$image" ] || continue
      for device in $(losetup --associated "$image" --noheadings --output NAME); do losetup --detach "$device"; done
    done
  done
  remove_network "$1"
  remove_cgroups "$1"
  # What systemd-nspawn keeps of a machine that was killed.
  rm -rf --one-file-system /run/systemd/nspawn/*/"${1:?}".*
  rm -rf --one-file-system "${LAB_DATA:?}/$1" "${LAB_RUN:?}/$1"
  [ ! -d "$LAB_RUN/$1" ] || die "could not remove $LAB_RUN/$1"
}

# A fleet is dead when the process that owns it is gone, or when the machine has been restarted since.
is_dead() { # FLEET
  local dir pid start
  dir=$(fleet_dir "$1")
  [ "$(cat "$dir/boot" 2> /dev/null)" = "$(cat /proc/sys/kernel/random/boot_id)" ] || return 0
  read -r pid start < "$dir/owner" || return 0
  [ "$pid" = - ] && return 1
  ! is_alive "$pid" "$start"
}

# Removes all dead fleets; with `all` also those that stand without an owner (`--keep`). Never one whose owner lives.
sweep_fleets() {
  local fleet pid
  for fleet in $(list_fleets); do
    read -r pid _ < "$(fleet_dir "$fleet")/owner"
    if is_dead "$fleet" || { [ "${1:-}" = all ] && [ "$pid" = - ]; }; then
      echo "fleet: removing what is left of fleet $fleet" >&2
      remove_fleet "$fleet"
    fi
  done
}
