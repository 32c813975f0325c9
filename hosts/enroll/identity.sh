#!/bin/sh
# Makes this host's identity unless it has one that is root's alone, and prints its public half and `change WHAT`. Run by the
# administrator's root. $1: the host's name.
set -eu
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
etc=/etc/resurgo
if [ ! -d $etc ]; then
  mkdir $etc
elif [ "$(stat -c '%u:%g %a' $etc)" != '0:0 755' ]; then
  echo "change $etc (owner or mode)"
fi
chown 0:0 $etc
# Five digits: with four a folder keeps its setgid bit.
chmod 00755 $etc

# mode_of FILE: `0:0 600` where it is a regular file of root's.
mode_of() { [ -h "$1" ] || [ ! -f "$1" ] || stat -c '%u:%g %a' "$1"; }

key=$etc/host.key
# A key that others could read or own is disclosed: whoever has it can sign grants as this host.
if [ -e $key ] || [ -h $key ]; then
  case $(mode_of $key) in
    '0:0 600') ;;
    0:*00)
      chown 0:0 $key
      chmod 0600 $key
      echo "change $key (owner or mode)"
      ;;
    *)
      rm -rf -- $key $key.pub
      echo "change $key (a new identity: the old key was not root's alone)"
      ;;
  esac
fi
# The public half may be read by anybody; what others may have written is taken from the private one anew.
if [ -s $key ] && { [ -e $key.pub ] || [ -h $key.pub ]; } && [ "$(mode_of $key.pub)" != '0:0 600' ]; then
  rm -rf -- $key.pub
  ssh-keygen -y -f $key </dev/null >$key.pub.new
  mv -f $key.pub.new $key.pub
  echo "change $key.pub (owner or mode)"
fi
if [ ! -s $key ] || [ ! -s $key.pub ]; then
  rm -f $key.new $key.new.pub
  ssh-keygen -q -t ed25519 -N '' -C "resurgo-$1" -f $key.new </dev/null
  mv -f $key.new.pub $key.pub
  mv -f $key.new $key
fi
chmod 0600 $key $key.pub
echo "identity $(head -n 1 $key.pub)"
