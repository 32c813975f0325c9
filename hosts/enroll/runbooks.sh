#!/bin/sh
# The runbooks that lie in the backups of this target: asks its hostkit for each group of each store that its configuration names. Run by the
# administrator's root, changes nothing. Prints `STORE GROUP REPLY` lines, the reply as docs/hostkit.md has it. Each group has a time of its own, in
# seconds: one that hangs keeps no other's answer back.
set -u
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
each=60
conf=/etc/resurgo/host.conf
hostkit=/usr/local/lib/resurgo/hostkit
if [ ! -r $conf ] || [ ! -x $hostkit ]; then
  echo 'it is no target of Resurgo: /etc/resurgo/host.conf or the hostkit is missing' >&2
  exit 3
fi
sed -n 's/^accept \([^ ]*\) \([^ ]*\) .*/\1 \2/p' $conf | sort -u | while read -r store group; do
  code=0
  reply=$(printf 'resurgo 1 store.runbook\nstore %s\ngroup %s\n.\n' "$store" "$group" | timeout -s KILL $each $hostkit) || code=$?
  # 124: busybox.
  case $code in 124 | 137) reply="{\"ok\":false,\"message\":\"the target did not answer within $each s\"}" ;; esac
  # A line of its own also where nothing was answered.
  printf '%s %s %s\n' "$store" "$group" "$reply"
done
