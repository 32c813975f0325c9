#!/bin/sh
# service.sh ssh | docker CGROUP_PARENT | zfs: runs one service of a simulated host in the foreground; the host's init starts
# it again when it ends. While /run/lab/NAME.down exists it stays down.
set -eu

name=$1
while [ -e "/run/lab/$name.down" ]; do sleep 0.2; done
# The programs below keep this pid.
echo $$ > "/run/lab/$name.pid"

zfs_ready() {
  left=100
  until zpool list > /dev/null 2>&1; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || return 1
    sleep 0.1
  done
  if [ -f /var/lib/zpool/tank.img ]; then
    zpool import -f -d /var/lib/zpool tank
  else
    mkdir -p /var/lib/zpool
    truncate -s 4G /var/lib/zpool/tank.img
    zpool create tank /var/lib/zpool/tank.img
  fi
  touch /run/lab/zfs.ready
}

case $name in
  ssh)
    # The shifted clock (fleet.sh clock) comes by the environment here: sshd's sandbox allows the library to read no file.
    FAKETIME=$(cat /etc/faketimerc 2> /dev/null || echo +0)
    export FAKETIME FAKETIME_DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1
    exec /usr/sbin/sshd -D -E /run/lab/sshd.log
    ;;
  docker)
    rm -f /run/docker.pid /run/lab/docker.ready
    # Twice into the background: the probe becomes init's child, not dockerd's.
    (/usr/local/lib/lab/docker-ready.sh >> /run/lab/docker-ready.log 2>&1 &)
    exec /usr/sbin/dockerd --storage-driver overlay2 --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent="$2" \
      --bip 172.30.0.1/24 --shutdown-timeout 5 --pidfile /run/docker.pid >> /run/lab/dockerd.log 2>&1
    ;;
  zfs)
    mkdir -p /run/lock/zfs /run/zfs /var/lib/zfs
    rm -f /var/lib/zfs/zpool.cache /run/lab/zfs.ready
    (zfs_ready >> /run/lab/zfs-ready.log 2>&1 &)
    exec /usr/sbin/zfs-fuse --no-daemon -a 1 -e 1 --pidfile /run/zfs-fuse.pid >> /run/lab/zfs-fuse.log 2>&1
    ;;
esac
