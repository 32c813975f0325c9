#!/bin/sh
# Lets this target believe a rescue system's identity, for some days: one line of `peers`, in the place of any before of that name. Run by
# the administrator's root: who has only the director's keys must not be able to (S27). $1: the name, `HOST.rescue`. $2: its public
# identity, `ssh-ed25519 AAAA…`. $3: until when, s since 1970. Prints `armed`, or in a line why not: `not-enrolled`, `too-old`.
set -eu
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export LC_ALL PATH
peers=/etc/resurgo/peers
if [ ! -f $peers ] || [ -h $peers ]; then
  echo 'not-enrolled'
  exit 3
fi
case $1 in '' | *[!A-Za-z0-9._-]*) echo "'$1' is no name of a host" >&2 && exit 1 ;; esac
case $2 in 'ssh-ed25519 AAAA'*) ;; *) echo 'the identity is no ed25519 key' >&2 && exit 1 ;; esac
case ${2#ssh-ed25519 } in *[!A-Za-z0-9+/=]*) echo 'the identity is no ed25519 key' >&2 && exit 1 ;; esac
case $3 in *[!0-9]* | '') echo "'$3' is no moment" >&2 && exit 1 ;; esac

# An ssh-keygen that does not know the limit would refuse every line of the file, or keep no limit: seen beforehand, with a key of no worth.
work=$(mktemp -d /var/tmp/resurgo-arm.XXXXXX)
trap 'rm -rf -- "$work"' EXIT
trap 'exit 1' HUP INT TERM
ssh-keygen -q -t ed25519 -N '' -f "$work/key" </dev/null
echo tried >"$work/said"
ssh-keygen -Y sign -q -n resurgo-grant -f "$work/key" "$work/said" 2>/dev/null || :
# believed UNTIL: is a line with that limit taken?
believed() {
  printf 'tried namespaces="resurgo-grant",valid-before="%s" %s\n' "$1" "$(cut -d ' ' -f 1,2 "$work/key.pub")" >"$work/signers"
  ssh-keygen -Y verify -q -f "$work/signers" -I tried -n resurgo-grant -s "$work/said.sig" <"$work/said" >/dev/null 2>&1
}
# Before OpenSSH 9.1 it reads local time alone.
until=
for each in "$(date -u -d "@$3" +%Y%m%d%H%M%SZ)" "$(date -d "@$3" +%Y%m%d%H%M%S)"; do
  if [ -z "$until" ] && believed "$each"; then until=$each; fi
done
if [ -z "$until" ] || believed 20000101000000; then
  echo 'too-old'
  exit 3
fi

# By the very name: as a pattern, its dots would take away other hosts' lines too.
awk -v name="$1" '$1 != name && $0 != "# no peers"' $peers >$peers.resurgo-new
printf '%s namespaces="resurgo-grant",valid-before="%s" %s\n' "$1" "$until" "$2" >>$peers.resurgo-new
chown 0:0 $peers.resurgo-new
sync $peers.resurgo-new
mv -f $peers.resurgo-new $peers
echo 'armed'
