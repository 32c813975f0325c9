# A host's life: create, boot, wait, kill, reboot, run a command in it.
# shellcheck shell=bash

# Turns `app-1:disk=btrfs,docker,zfs,store=ext4,size=8G,store-size=2G,systemd` into facts, one KEY=VALUE a line.
write_facts() { # FLEET INDEX SPEC
  local name=${3%%:*} options='' option dir disk=btrfs docker=0 zfs=0 systemd=0 store='' size=8G store_size=8G
  [[ $3 == *:* ]] && options=${3#*:}
  if ! valid_name "$name" || [ "$name" = director ]; then die "bad host name '$name' in '$3': lower-case letters, digits, '-'; not 'director'"; fi
  dir=$(host_dir "$1" "$name")
  [ ! -d "$dir" ] || die "host '$name' is given twice"
  for option in ${options//,/ }; do
    case $option in
      disk=btrfs | disk=ext4 | disk=xfs) disk=${option#*=} ;;
      store=btrfs | store=ext4 | store=xfs) store=${option#*=} ;;
      size=[1-9]*[GM]) size=${option#*=} ;;
      store-size=[1-9]*[GM]) store_size=${option#*=} ;;
      docker) docker=1 ;;
      zfs) zfs=1 ;;
      systemd) systemd=1 ;;
      *) die "unknown option '$option' in '$3': disk=btrfs|ext4|xfs, docker, zfs, store=btrfs|ext4|xfs, size=8G, store-size=8G, systemd" ;;
    esac
  done
  [ "$systemd$zfs" != 11 ] || die "host '$name': zfs runs only on hosts without systemd"
  mkdir -p "$dir/lab"
  printf '%s\n' "name=$name" "index=$2" "address=10.77.$(subnet "$1").$((10 + $2))" "disk=$disk" "docker=$docker" "zfs=$zfs" \
    "systemd=$systemd" "store=$store" "size=$size" "store_size=$store_size" > "$dir/facts"
}

make_disk() { # FILE SIZE KIND
  truncate -s "$2" "$1"
  case $3 in
    btrfs) mkfs.btrfs -q -f "$1" > /dev/null ;;
    ext4) mkfs.ext4 -q -F -E lazy_itable_init=1,lazy_journal_init=1 "$1" ;;
    xfs) mkfs.xfs -q -f "$1" ;;
  esac || die "cannot make a $3 file system of $2 in $1"
}

create_host() { # FLEET HOST
  local data store
  data=$(host_data "$1" "$2") store=$(fact "$1" "$2" store)
  mkdir -p "$data"/{upper,work,root}
  make_disk "$data/disk.img" "$(fact "$1" "$2" size)" "$(fact "$1" "$2" disk)"
  [ -z "$store" ] || make_disk "$data/store.img" "$(fact "$1" "$2" store_size)" "$store"
  tr -d - < /proc/sys/kernel/random/uuid > "$data/machine-id"
}

# Power on. The host's first process is started in its own control groups and namespaces; with a time namespace, where the
# kernel has one, its uptime begins at nought as after a real boot.
boot_host() { # FLEET HOST TREE
  local dir cgroup up spaces
  dir=$(host_dir "$1" "$2") cgroup=$(host_cgroup "$1" "$2")
  plug_host "$1" "$2"
  make_cgroups "$1" "$2"
  rm -rf "$dir/lab" && mkdir -p "$dir/lab"
  cat /proc/sys/kernel/random/uuid > "$dir/lab/boot_id"
  if [ "$(fact "$1" "$2" systemd)" = 1 ]; then
    # systemd-nspawn makes the others.
    spaces=(--mount)
  else
    spaces=(--mount --uts --ipc --pid --fork --kill-child)
    read -r up _ < /proc/uptime
    [ ! -e /proc/self/ns/time ] || spaces+=(--time --boottime "-${up%.*}" --monotonic "-${up%.*}")
  fi
  (
    echo "$BASHPID" > "$cgroup/sys/cgroup.procs"
    exec setsid nsenter --net="/run/netns/$(host_ns "$1" "$2")" unshare "${spaces[@]}" --propagation private \
      bash "$SUPPORT/host-init.sh" "$dir" "$(host_data "$1" "$2")" "$3" "$1/$2" "/run/netns/$(host_ns "$1" "$2")"
  ) > "$dir/lab/boot.log" 2>&1 < /dev/null 9>&- &
  wait_until 100 find_init "$1" "$2" || die "host $2 of fleet $1 did not boot: $(tail -n 5 "$dir/lab/boot.log")"
}

# A plain host's init writes its pid itself; systemd is found as the process that has number 1 in its own namespace.
find_init() {
  local dir pid line
  dir=$(host_dir "$1" "$2")
  [ ! -s "$dir/lab/pid" ] || return 0
  [ "$(fact "$1" "$2" systemd)" = 1 ] || return 1
  for pid in $(host_pids "$1" "$2"); do
    line=$(grep -s ^NSpid: "/proc/$pid/status") || continue
    [[ $line =~ [[:space:]]1$ && $(cat "/proc/$pid/comm" 2> /dev/null) == systemd ]] || continue
    echo "$pid" > "$dir/lab/pid"
    return 0
  done
  return 1
}

# The host's first process as this namespace numbers it; it must still be in the host's own control group.
host_pid() {
  local pid
  pid=$(cat "$(host_dir "$1" "$2")/lab/pid" 2> /dev/null) || return 1
  host_pids "$1" "$2" | grep -qx "$pid" && printf '%s\n' "$pid"
}

is_ready() {
  local dir
  dir=$(host_dir "$1" "$2")
  timeout 1 bash -c "exec 3<> /dev/tcp/$(fact "$1" "$2" address)/22" 2> /dev/null || return 1
  [ "$(fact "$1" "$2" zfs)" = 0 ] || [ -e "$dir/lab/zfs.ready" ] || return 1
  [ "$(fact "$1" "$2" docker)" = 0 ] || [ -e "$dir/lab/docker.ready" ]
}

wait_ready() {
  local dir
  dir=$(host_dir "$1" "$2")
  wait_until "$LAB_READY_TENTHS" is_ready "$1" "$2" ||
    die "host $2 of fleet $1 is not ready after $((LAB_READY_TENTHS / 10)) s; the last lines of its logs: $(tail -n 4 "$dir"/lab/*.log)"
}

kill_host() { # pull the plug: nothing in the host gets a chance to act
  kill_cgroup "$1" "$2"
  rm -f "$(host_dir "$1" "$2")/lab/pid"
  wait_until 100 loops_gone "$1" "$2" || die "host $2 of fleet $1 is dead, but its loop devices stay: $(losetup --associated "$(host_data "$1" "$2")/disk.img")"
}

# The kernel lets go of a dead namespace's mounts a moment later, and of a loop device with its last mount.
loops_gone() {
  local image
  for image in "$(host_data "$1" "$2")"/*.img; do
    [ -e "$image" ] && [ -n "$(losetup --associated "$image")" ] && return 1
  done
  return 0
}

reboot_host() {
  kill_host "$1" "$2"
  boot_host "$1" "$2" "$(cat "$(fleet_dir "$1")/tree")"
  wait_ready "$1" "$2"
}

# Runs a command as the host's root, from outside, without ssh. Several words are joined as ssh does it.
exec_host() { # FLEET HOST COMMAND…
  local pid clock=() command
  pid=$(host_pid "$1" "$2") || die "host $2 of fleet $1 is not running"
  [ -e "/proc/$pid/ns/time" ] && clock=(--time)
  shift 2
  command=$*
  exec nsenter --target "$pid" --mount --uts --ipc --net --pid "${clock[@]}" --root --wd \
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root USER=root LANG=C.UTF-8 NO_FAKE_STAT=1 /bin/sh -c "$command"
}

ssh_host() { # FLEET HOST COMMAND…
  local dir address
  dir=$(fleet_dir "$1") address=$(fact "$1" "$2" address)
  shift 2
  exec ssh -i "$dir/id" -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile="$dir/known_hosts" \
    -o GlobalKnownHostsFile=/dev/null -o ConnectTimeout=10 -o LogLevel=ERROR -F /dev/null "root@$address" "$@"
}

# Shifts the wall clock as the host's programs see it, from their next start on. One kernel has one clock, so a library that
# every dynamically linked program loads does it; programs without the C library (dockerd, busybox) keep the true time.
set_clock() { # FLEET HOST SECONDS
  local library change='rm -f /etc/ld.so.preload /etc/faketimerc /dev/shm/*faketime*'
  [ "$(fact "$1" "$2" systemd)" = 0 ] || die "host $2 of fleet $1 runs systemd, where the clock can't be shifted"
  library=$(cd "$(cat "$(fleet_dir "$1")/tree")" && find usr/lib -name libfaketime.so.1 | head -n 1)
  [ "$3" = 0 ] || change="printf '%+d' '$3' > /etc/faketimerc; echo '/$library' > /etc/ld.so.preload"
  exec_host "$1" "$2" "$change; service ssh restart"
}
