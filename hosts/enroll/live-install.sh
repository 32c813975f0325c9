# Puts the hostkit of a rescue system onto a running rescue Linux, from a tar.gz on stdin: at the places where our own image has it, and none of
# them on a disk. live-look.sh and put.sh go before it, identity.sh after it. Run by the administrator's root; safe to repeat. Prints
# `change WHAT`, or exits 3 where this is no rescue Linux. $1: the host that is recovered.
set -eu
umask 077
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
lib=/usr/local/lib/resurgo
etc=/etc/resurgo
var=/var/lib/resurgo

[ -O / ] || { echo 'not run as root' >&2; exit 1; }
reasons=$(look_reasons)
if [ -n "$reasons" ]; then
  printf '%s\n' "$reasons" >&2
  exit 3
fi
# Another machine is being recovered here, and this would take its place.
if [ -r $etc/rescue.host ] && [ "$(head -n 1 $etc/rescue.host)" != "$1" ]; then
  echo "it has the hostkit of $(head -n 1 $etc/rescue.host) already: recover that, or restart it" >&2
  exit 3
fi
work=$(mktemp -d /run/resurgo-live.XXXXXX)
trap 'rm -rf -- "$work"' EXIT
trap 'exit 1' HUP INT TERM
tar -xzf - -C "$work"
for part in hostkit/hostkit hostkit/VERSION etc/host.conf etc/director.keys etc/peers etc/rescue.host; do
  [ -f "$work/$part" ] || { echo "the payload lacks $part" >&2; exit 1; }
done
chown -R 0:0 "$work"

# As in our own image the director's user is root itself, so that nothing here asks for sudo: its shell finds the image's own first. What it
# may do is what its key's line in authorized_keys says.
make_user() {
  entry="resurgo:x:0:0:director:$var/home:$lib/rescue/shell"
  case $(sed -n 's/^resurgo:.*:\([^:]*\):[^:]*$/\1/p' /etc/passwd) in
    '' | "$var/home") ;;
    *) echo 'a user resurgo that is not ours is here: remove or rename it' >&2 && exit 1 ;;
  esac
  put_line /etc/passwd "$entry"
  put_line /etc/shadow 'resurgo:*:19700::::::'
}

# put_line FILE LINE: in the place of whatever line the file has of that user.
put_line() {
  [ "$(sed -n '/^resurgo:/p' "$1")" != "$2" ] || return 0
  cp -p "$1" "$1.resurgo-new"
  { sed '/^resurgo:/d' "$1" && printf '%s\n' "$2"; } >"$1.resurgo-new"
  mv -f "$1.resurgo-new" "$1"
  echo "change $1"
}

# The storage tools as in our own image: nothing is activated or assembled unasked, and no desktop mounts what is being made.
quiet_storage() {
  mkdir -p /etc/lvm /etc/mdadm
  for file in /etc/lvm/lvm.conf /etc/mdadm/mdadm.conf /etc/mdadm.conf; do
    from=$lib/rescue/${file##*/}
    [ ! -e "$file" ] || cmp -s "$from" "$file" || cp -p "$file" "$file.before-resurgo"
    put "$from" 0644 "$file"
  done
  [ -d /run/udev ] || return 0
  mkdir -p /run/udev/rules.d
  put $lib/rescue/live.rules 0644 /run/udev/rules.d/01-resurgo.rules
  udevadm control --reload 2>/dev/null || :
}

make_folders
put_hostkit
for name in host.conf peers director.keys; do put "$work/etc/$name" 0600 $etc/$name; done
put "$work/etc/rescue.host" 0644 $etc/rescue.host
make_user
quiet_storage
mkdir -p /mnt/new
# shellcheck source=hostkit/rescue/publish.sh
. $lib/rescue/publish.sh
[ -s $var/home/.ssh/authorized_keys ] || { echo 'authorized_keys was not written' >&2; exit 1; }
