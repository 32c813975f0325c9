#!/bin/sh
# /etc/init.d/docker and /etc/init.d/ssh of a simulated host: what `service NAME start|stop|restart|status` runs.
set -eu

name=$(basename "$0")
case $name in
  docker) process=dockerd ready=/run/lab/docker.ready ;;
  ssh) process=sshd ready=/run/sshd.pid ;;
esac

# The service itself and nothing that it started: a dead sshd's sessions live on as init's children of the same name.
service_pid() {
  read -r pid < "/run/lab/$name.pid" && read -r running < "/proc/$pid/comm" && [ "$running" = "$process" ] && echo "$pid"
}

wait_for() { # WHAT COMMAND…
  what=$1
  shift
  left=300
  until "$@" > /dev/null 2>&1; do
    left=$((left - 1))
    if [ "$left" -le 0 ]; then
      echo "$name: $what: not within 30 s" >&2
      exit 1
    fi
    sleep 0.1
  done
}

gone() { ! service_pid; }

start() {
  rm -f "/run/lab/$name.down"
  wait_for start service_pid
  wait_for ready test -e "$ready"
}

stop() {
  touch "/run/lab/$name.down"
  rm -f "$ready"
  pid=$(service_pid) && kill "$pid"
  wait_for stop gone
}

case ${1:-} in
  start) start ;;
  stop) stop ;;
  restart | force-reload)
    stop
    start
    ;;
  status)
    service_pid > /dev/null && echo "$name is running" && exit 0
    echo "$name is not running"
    exit 3
    ;;
  *)
    echo "usage: service $name start|stop|restart|status" >&2
    exit 2
    ;;
esac
