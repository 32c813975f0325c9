#!/bin/sh
# own-root.sh FOLDER PROGRAM…: runs a program as root of a file tree of its own, for whoever is not root. Called in a fresh user and
# mount namespace (`unshare --user --map-root-user --mount --propagation private`), in which this user is root of what is theirs: the
# machine as it is, but /etc, /run, /var/lib and /usr/local/{lib,sbin} are folders below FOLDER. So enrolment and the hostkit run
# unchanged, and nothing of the machine is touched.
set -eu
folder=$1
shift
root=$folder/root
mkdir -p "$root" "$folder/etc/ssh" "$folder/etc/cron.d" "$folder/etc/sudoers.d" "$folder/run" "$folder/var-lib" "$folder/lib"

mount -t tmpfs -o mode=0755 own-root "$root"
for entry in /*; do
  if [ -h "$entry" ]; then
    cp -d "$entry" "$root$entry"
  elif [ -d "$entry" ]; then
    mkdir "$root$entry"
    mount --rbind "$entry" "$root$entry"
  fi
done
own() { # FOLDER PLACE
  [ -d "$2" ] || { echo "this machine has no $2" >&2; exit 1; }
  mount --bind "$folder/$1" "$root$2"
}
own run /run
own var-lib /var/lib
own lib /usr/local/lib
own stand-ins /usr/local/sbin

# /etc: the machine's own entries as links, besides those that enrolment writes.
printf 'root:x:0:0::/var/lib/resurgo/home:/bin/sh\nresurgo:x:990:990::/var/lib/resurgo/home:/bin/sh\n' >"$folder/etc/passwd"
printf 'root:x:0:\nresurgo:x:990:\n' >"$folder/etc/group"
printf 'root:*:19000:0:99999:7:::\nresurgo:*:19000:0:99999:7:::\n' >"$folder/etc/shadow"
echo '@includedir /etc/sudoers.d' >"$folder/etc/sudoers"
mkdir -p "$folder/run/etc"
mount --rbind /etc "$root/run/etc"
for entry in /etc/* /etc/.[!.]*; do
  name=${entry##*/}
  [ -e "$folder/etc/$name" ] || [ ! -e "$entry" ] || ln -s "/run/etc/$name" "$folder/etc/$name"
done
own etc /etc

cd "$root"
mkdir .before
pivot_root . .before
cd /
umount -l /.before
rmdir /.before
exec "$@"
