#!/bin/sh
# Makes this host's identity unless it has one, and prints its public half. Run by the administrator's root. $1: the host's name.
set -eu
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
mkdir -p /etc/resurgo
chown root: /etc/resurgo
chmod 0755 /etc/resurgo
if [ ! -s /etc/resurgo/host.key ] || [ ! -s /etc/resurgo/host.key.pub ]; then
  rm -f /etc/resurgo/host.key.new /etc/resurgo/host.key.new.pub
  ssh-keygen -q -t ed25519 -N '' -C "resurgo-$1" -f /etc/resurgo/host.key.new </dev/null
  mv -f /etc/resurgo/host.key.new.pub /etc/resurgo/host.key.pub
  mv -f /etc/resurgo/host.key.new /etc/resurgo/host.key
fi
chmod 0600 /etc/resurgo/host.key /etc/resurgo/host.key.pub
echo "identity $(head -n 1 /etc/resurgo/host.key.pub)"
