#!/bin/sh
# The runbooks that lie in the backups of this target: asks its hostkit for each group of each store that its configuration names. Run by the
# administrator's root, changes nothing. Prints `STORE GROUP REPLY` lines, the reply as docs/hostkit.md has it.
set -u
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
conf=/etc/resurgo/host.conf
if [ ! -r $conf ] || [ ! -x /usr/local/lib/resurgo/hostkit ]; then
  echo 'it is no target of Resurgo: /etc/resurgo/host.conf or the hostkit is missing' >&2
  exit 3
fi
sed -n 's/^accept \([^ ]*\) \([^ ]*\) .*/\1 \2/p' $conf | sort -u | while read -r store group; do
  # Also one that ends without a word has a line of its own.
  reply=$(printf 'resurgo 1 store.runbook\nstore %s\ngroup %s\n.\n' "$store" "$group" | /usr/local/lib/resurgo/hostkit) || :
  printf '%s %s %s\n' "$store" "$group" "$reply"
done
