# A host's processes live in control groups of their own, so that they can be found, frozen and killed for certain.
# shellcheck shell=bash

# Where the freezer of this machine is: cgroup v1 has a hierarchy for it, v2 has one for everything.
freezer_root() {
  if [ -d /sys/fs/cgroup/freezer ]; then echo /sys/fs/cgroup/freezer; else echo /sys/fs/cgroup; fi
}

host_cgroup() { printf '%s/resurgo-lab/%s/%s\n' "$(freezer_root)" "$1" "$2"; }

# The machine's own processes go to `sys`, its containers to `docker`: v2 allows no processes in an inner group.
make_cgroups() {
  mkdir -p "$(host_cgroup "$1" "$2")/sys"
}

set_frozen() { # DIR 0|1
  if [ -f "$1/freezer.state" ]; then
    if [ "$2" = 1 ]; then echo FROZEN > "$1/freezer.state"; else echo THAWED > "$1/freezer.state"; fi
  elif [ -f "$1/cgroup.freeze" ]; then
    echo "$2" > "$1/cgroup.freeze"
  fi
}

# Parents first: under v1 a child stays frozen as long as its parent is.
thaw_all() {
  local dir
  [ -d "$1" ] || return 0
  find "$1" -type d 2> /dev/null | while read -r dir; do set_frozen "$dir" 0 2> /dev/null; done
  return 0
}

host_pids() {
  local cgroup
  cgroup=$(host_cgroup "$1" "$2")
  [ -d "$cgroup" ] || return 0
  find "$cgroup" -name cgroup.procs -exec cat {} + 2> /dev/null | sort -un
}

kill_once() { # thaw and SIGKILL whatever is in the host's groups; true when nothing is left
  local pid any=0
  thaw_all "$(host_cgroup "$1" "$2")"
  for pid in $(host_pids "$1" "$2"); do
    any=1
    kill -9 "$pid" 2> /dev/null
  done
  [ "$any" = 0 ]
}

# A task that is frozen can't die (v1), and dockerd may freeze another one meanwhile: hence again and again.
kill_cgroup() {
  wait_until 300 kill_once "$1" "$2" || die "host $2 of fleet $1 still has processes after 30 s: $(host_pids "$1" "$2" | tr '\n' ' ')"
}

remove_cgroups() { # FLEET [HOST]
  local base path=resurgo-lab/$1${2:+/$2}
  for base in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ -d "$base/$path" ] && find "$base/$path" -depth -type d -exec rmdir {} + 2> /dev/null
  done
  return 0
}
