#!/bin/sh
# Replaces the director's keys by those on stdin and publishes them. Run by the administrator's root.
set -eu
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
cat >/etc/resurgo/director.keys.new
grep -q '^ssh-ed25519 ' /etc/resurgo/director.keys.new || { echo 'no keys arrived' >&2; exit 1; }
mv -f /etc/resurgo/director.keys.new /etc/resurgo/director.keys
/bin/sh /usr/local/lib/resurgo/sweep-boot >&2
echo 'installed'
