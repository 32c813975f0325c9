#!/bin/sh
# Installs packages by the host's own manager. Run by the administrator's root. $1: the manager, then the packages.
set -eu
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
DEBIAN_FRONTEND=noninteractive
export PATH DEBIAN_FRONTEND
manager=$1
shift
exec </dev/null >&2
case $manager in
  apt-get)
    apt-get install -y --no-install-recommends "$@" || {
      apt-get update
      apt-get install -y --no-install-recommends "$@"
    }
    ;;
  dnf) dnf install -y "$@" ;;
  zypper) zypper --non-interactive install "$@" ;;
  apk) apk add "$@" ;;
  *)
    echo "unknown package manager $manager" >&2
    exit 1
    ;;
esac
