#!/bin/sh
# Replaces the director's keys by those on stdin and publishes them. Run by the administrator's root. The arguments are this director's
# own public keys, `ssh-ed25519 AAAA…`. Refuses, and says so in a line on stdout, where another director's stand (`foreign KEY`), and
# where no enrolment does (`not-enrolled`).
set -eu
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
keys=/etc/resurgo/director.keys
if [ ! -d /etc/resurgo ] || [ ! -f /usr/local/lib/resurgo/sweep-boot ]; then
  echo 'not-enrolled'
  exit 3
fi
held=
[ ! -e $keys ] || held=$(sed -n 's/^\(ssh-ed25519 [A-Za-z0-9+/=]*\).*/\1/p' $keys)
ours=
for key in "$@"; do
  ! printf '%s\n' "$held" | grep -Fqx -- "$key" || ours=yes
done
if [ -n "$held" ] && [ -z "$ours" ]; then
  printf '%s\n' "$held" | sed 's/^/foreign /'
  exit 3
fi
cat >$keys.new
grep -q '^ssh-ed25519 ' $keys.new || { echo 'no keys arrived' >&2; exit 1; }
mv -f $keys.new $keys
/bin/sh /usr/local/lib/resurgo/sweep-boot >&2
echo 'installed'
