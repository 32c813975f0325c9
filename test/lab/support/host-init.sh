#!/bin/bash
# host-init.sh RECORDS DATA TREE FLEET/HOST NETNS: the first process of a simulated host, already in its own namespaces.
# Builds the host's root (overlay over TREE), mounts its disks, changes into it and becomes init; or becomes systemd-nspawn.
set -eu

records=$1 data=$2 tree=$3 full_name=$4 cgroup_parent=/resurgo-lab/$4/docker netns=$5
support=$(dirname "$0")
root=$data/root
# /proc is still the outer one, so this is the pid by which the outside knows this process.
read -r pid _ < /proc/self/stat
name='' disk='' docker=0 zfs=0 systemd=0 store='' address=''
# shellcheck source=/dev/null
. "$records/facts"

mount -t overlay overlay -o "lowerdir=$tree,upperdir=$data/upper,workdir=$data/work" "$root"

make_device() { # NAME TYPE MAJOR MINOR
  mknod -m 666 "$root/dev/$1" "$2" "$3" "$4"
}

# Only devices that a host of the fleet needs: the machine's own disks are not among them.
mount_kernel() {
  local device number
  mount -t proc proc "$root/proc"
  mount -t sysfs sysfs "$root/sys"
  mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
  mount -t tmpfs -o mode=755 tmpfs "$root/run"
  mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
  mount -t tmpfs -o mode=755 tmpfs "$root/dev"
  make_device null c 1 3
  make_device zero c 1 5
  make_device full c 1 7
  make_device random c 1 8
  make_device urandom c 1 9
  make_device tty c 5 0
  make_device loop-control c 10 237
  for device in fuse btrfs-control; do
    [ -e "/dev/$device" ] && cp -a "/dev/$device" "$root/dev/$device"
  done
  for number in $(seq 0 127); do mknod -m 660 "$root/dev/loop$number" b 7 "$number"; done
  mkdir "$root/dev/pts" "$root/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$root/dev/pts"
  # Not sticky: else root may not open what a user's process made there, and the clock's library (fleet.sh clock) passes such a file on.
  mount -t tmpfs -o mode=777 tmpfs "$root/dev/shm"
  ln -s pts/ptmx "$root/dev/ptmx"
  ln -s /proc/self/fd "$root/dev/fd"
  ln -s /proc/self/fd/0 "$root/dev/stdin"
  ln -s /proc/self/fd/1 "$root/dev/stdout"
  ln -s /proc/self/fd/2 "$root/dev/stderr"
}

# Mounts folders of a disk: subvolumes on btrfs, bind mounts of plain folders elsewhere. The stage is left behind with the
# outer mounts, so that inside each device shows only where the host has it mounted.
mount_disk() { # IMAGE KIND FOLDER=PLACE…
  local image=$1 kind=$2 stage=$data/stage device pair folder place
  shift 2
  mkdir -p "$stage"
  mount -o loop,noatime -t "$kind" "$image" "$stage"
  device=$(findmnt --noheadings --output SOURCE --mountpoint "$stage")
  for pair in "$@"; do
    folder=${pair%%=*} place=$root${pair#*=}
    mkdir -p "$place"
    if [ "$kind" = btrfs ]; then
      [ -d "$stage/$folder" ] || btrfs subvolume create "$stage/$folder" > /dev/null
      mount -t btrfs -o "noatime,subvol=$folder" "$device" "$place"
    else
      mkdir -p "$stage/$folder"
      mount --bind "$stage/$folder" "$place"
    fi
  done
  umount "$stage"
}

mount_disks() {
  local places=(srv=/srv docker=/var/lib/docker)
  if [ -n "$store" ]; then mount_disk "$data/store.img" "$store" backup=/backup; else places+=(backup=/backup); fi
  mount_disk "$data/disk.img" "$disk" "${places[@]}"
}

write_identity() {
  echo "$name" > "$root/etc/hostname"
  cp "$records/../../hosts.list" "$root/etc/hosts"
  cp "$data/machine-id" "$root/etc/machine-id"
  mkdir -p "$root/root/.ssh" "$root/usr/local/lib/lab"
  chmod 700 "$root/root" "$root/root/.ssh"
  cp "$records/../../id.pub" "$root/root/.ssh/authorized_keys"
  [ -f "$root/etc/ssh/ssh_host_ed25519_key" ] || ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$root/etc/ssh/ssh_host_ed25519_key"
  cp "$root/etc/ssh/ssh_host_ed25519_key.pub" "$records/lab/host.pub"
  printf '%s\n' 'PermitRootLogin prohibit-password' 'PasswordAuthentication no' 'UseDNS no' 'PrintMotd no' 'MaxStartups 200' 'MaxSessions 200' \
    'HostKey /etc/ssh/ssh_host_ed25519_key' "ListenAddress $address" 'SetEnv NO_FAKE_STAT=1' > "$root/etc/ssh/sshd_config.d/lab.conf"
  # A step of the clock (fleet.sh clock) moves no file's times: the library that makes it is told so through ssh and sudo.
  echo 'Defaults env_keep += "NO_FAKE_STAT"' > "$root/etc/sudoers.d/lab"
  chmod 440 "$root/etc/sudoers.d/lab"
}

# Without systemd the host has no systemctl either, and its services answer to `service NAME start|stop|restart|status`.
write_services() {
  rm -f "$root/usr/bin/systemctl" "$root/usr/bin/systemd-run"
  install -m 755 "$support/guest/service.sh" "$root/usr/local/lib/lab/service.sh"
  install -m 755 "$support/guest/docker-ready.sh" "$root/usr/local/lib/lab/docker-ready.sh"
  install -m 755 "$support/guest/boot.sh" "$root/usr/local/lib/lab/boot.sh"
  install -m 755 "$support/guest/init-script.sh" "$root/etc/init.d/docker"
  install -m 755 "$support/guest/init-script.sh" "$root/etc/init.d/ssh"
  {
    echo '::once:/usr/local/lib/lab/boot.sh'
    [ "$zfs" = 0 ] || echo '::respawn:/usr/local/lib/lab/service.sh zfs'
    [ "$docker" = 0 ] || echo "::respawn:/usr/local/lib/lab/service.sh docker $cgroup_parent"
    echo '::respawn:/usr/local/lib/lab/service.sh ssh'
  } > "$root/etc/inittab"
}

start_plain() {
  hostname "$name"
  mkdir -p "$root/run/lab" "$root/run/sshd" "$root/run/lock"
  mount --bind "$records/lab" "$root/run/lab"
  # Each boot has its own id, as on a machine; all namespaces of one kernel would share one.
  mount --bind "$records/lab/boot_id" "$root/proc/sys/kernel/random/boot_id"
  write_services
  cd "$root"
  mkdir -p mnt/outer
  pivot_root . mnt/outer
  cd /
  umount -l /mnt/outer
  rmdir /mnt/outer
  echo "$pid" > /run/lab/pid.part
  mv /run/lab/pid.part /run/lab/pid
  exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/ /bin/busybox init > /run/lab/init.log 2>&1
}

# Real systemd: ssh and docker are Debian's own units. nspawn gives the boot id, the devices and the kernel's file systems.
start_systemd() {
  local unit device binds=()
  rm -f "$root/etc/inittab"
  for unit in zfs-fuse.service e2scrub_all.timer e2scrub_reap.service apt-daily.timer apt-daily-upgrade.timer fstrim.timer; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
  done
  if [ "$docker" = 1 ]; then
    install -m 755 "$support/guest/docker-ready.sh" "$root/usr/local/lib/lab/docker-ready.sh"
    mkdir -p "$root/usr/lib/systemd/system/docker.service.d"
    {
      echo '[Service]'
      # nspawn mounts the resource controllers read-only; dockerd makes groups in them.
      echo "ExecStartPre=/bin/sh -c 'for each in /sys/fs/cgroup /sys/fs/cgroup/*; do mount -o remount,bind,rw \$\$each || :; done'"
      echo 'ExecStart='
      echo "ExecStart=/usr/sbin/dockerd -H fd:// --storage-driver overlay2 --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent=$cgroup_parent --bip 172.30.0.1/24"
      echo 'ExecStartPost=/usr/local/lib/lab/docker-ready.sh'
    } > "$root/usr/lib/systemd/system/docker.service.d/lab.conf"
  else
    for unit in docker.service docker.socket containerd.service; do ln -sf /dev/null "$root/etc/systemd/system/$unit"; done
  fi
  for device in /dev/fuse /dev/btrfs-control /dev/loop-control $(losetup --noheadings --output NAME --associated "$data/disk.img") \
    $(losetup --noheadings --output NAME --associated "$data/store.img" 2> /dev/null); do
    [ ! -e "$device" ] || binds+=("--bind=$device")
  done
  export SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes
  exec systemd-nspawn --register=no --keep-unit --quiet --boot --directory="$root" --machine="${full_name//\//.}" --hostname="$name" --capability=all \
    --system-call-filter='@keyring bpf' --network-namespace-path="$netns" --console=pipe --bind="$records/lab:/run/lab" "${binds[@]}"
}

if [ "$systemd" = 1 ]; then
  mount_disks
  write_identity
  start_systemd
fi
mount_kernel
mount_disks
write_identity
start_plain
