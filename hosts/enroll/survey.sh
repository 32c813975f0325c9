#!/bin/sh
# What an enrolment finds on a host; run by the administrator's root, changes nothing. One fact a line on stdout. $1: the
# unprivileged user that it is to have; the further arguments name tools that this host needs besides those that every host does. stdin: folders for restores, one a line.
set -u
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
user=$1
shift

echo "root $([ -O / ] && echo yes || echo no)"
for tool in rsync sudo visudo getfattr setfattr getfacl flock setsid unshare gzip base64 awk od ssh-keygen timeout "$@"; do
  command -v "$tool" >/dev/null 2>&1 || echo "missing $tool"
done
# Of these the GNU version is needed, not just any.
[ -n "$(find / -maxdepth 0 -printf x 2>/dev/null)" ] || echo 'missing find'
stat -c %.Y / >/dev/null 2>&1 || echo 'missing stat'
for manager in apt-get dnf zypper apk; do
  if command -v "$manager" >/dev/null 2>&1; then
    echo "manager $manager"
    break
  fi
done
# What runs the sweep at boot, and the sum of what tells it to; rc.local has lines of others too.
sweep=''
if [ -d /run/systemd/system ]; then
  echo 'boot systemd'
  sweep=/etc/systemd/system/resurgo-sweep.service
elif [ -d /etc/local.d ] && command -v rc-update >/dev/null 2>&1; then
  echo 'boot openrc'
  sweep=/etc/local.d/resurgo.start
elif [ -d /etc/cron.d ]; then
  echo 'boot cron'
  sweep=/etc/cron.d/resurgo
else
  echo 'boot rc.local'
  if [ -x /etc/rc.local ] && grep -q '/sweep-boot # resurgo' /etc/rc.local; then echo 'sum boot listed'; fi
fi
[ -z "$sweep" ] || [ ! -r "$sweep" ] || echo "sum boot $(sha256sum <"$sweep" | sed 's/ .*//')"
jump=/var/lib/resurgo/home/.ssh/authorized_keys2
[ ! -r $jump ] || echo "sum jump $(sha256sum <$jump | sed 's/ .*//')"
while IFS= read -r folder; do
  [ -z "$folder" ] || [ -d "$folder" ] || echo "folder $folder"
done
home=$(awk -F: -v name="$user" '$1 == name { print $3 ":" $6 }' /etc/passwd)
[ -z "$home" ] || echo "user $home"
awk -F: -v name="$user" '$6 == "/var/lib/resurgo/home" && $1 != name && $3 != 0 { print "other-user " $1 }' /etc/passwd
[ ! -r /usr/local/lib/resurgo/VERSION ] || echo "version $(head -n 1 /usr/local/lib/resurgo/VERSION)"
for folder in /usr/local/lib/resurgo /etc/resurgo; do
  [ ! -h $folder ] || echo "link $folder → $(readlink $folder)"
done
# What sudo runs as root: all of it must be as it was installed, and root's alone.
if [ -d /usr/local/lib/resurgo ]; then
  (cd /usr/local/lib/resurgo && find . -type f ! -path ./VERSION -exec sha256sum {} +) | sed -n 's|^\([0-9a-f]*\) [ *]\./|part \1 |p'
  find /usr/local/lib/resurgo ! -type d ! -type f -o ! -user 0 -o ! -group 0 -o -type d ! -perm 0755 -o \
    -type f ! -name VERSION ! -perm 0755 -o -name VERSION ! -perm 0644 | sed 's/^/loose /'
fi
[ ! -e /etc/resurgo ] || find /etc/resurgo -maxdepth 0 \( ! -type d -o ! -user 0 -o ! -group 0 -o ! -perm 0755 \) | sed 's/^/loose /'
for file in host.conf director.keys peers host.key host.key.pub; do
  if [ -e "/etc/resurgo/$file" ] || [ -h "/etc/resurgo/$file" ]; then
    find "/etc/resurgo/$file" -maxdepth 0 \( ! -type f -o ! -user 0 -o ! -group 0 -o ! -perm 0600 \) | sed 's/^/loose /'
  fi
done
if [ -e /etc/resurgo/host.key ] || [ -h /etc/resurgo/host.key ]; then
  [ -n "$(find /etc/resurgo/host.key -maxdepth 0 -type f -user 0 ! -perm /077)" ] || echo 'disclosed yes'
fi
[ ! -e /etc/sudoers.d/resurgo ] || find /etc/sudoers.d/resurgo ! -type f -o ! -user 0 -o ! -group 0 -o ! -perm 0440 | sed 's/^/loose /'
[ ! -r /etc/resurgo/host.key.pub ] || echo "identity $(head -n 1 /etc/resurgo/host.key.pub)"
for file in host.conf director.keys peers; do
  [ ! -r "/etc/resurgo/$file" ] || echo "sum $file $(grep -v '^arm-system ' "/etc/resurgo/$file" | sha256sum | sed 's/ .*//')"
done
[ ! -r /etc/sudoers.d/resurgo ] || echo "sum sudoers $(sha256sum </etc/sudoers.d/resurgo | sed 's/ .*//')"
[ ! -r /etc/resurgo/director.keys ] || sed -n 's/^\(ssh-ed25519 [A-Za-z0-9+/=]*\).*/director \1/p' /etc/resurgo/director.keys
for record in /var/lib/resurgo/deadman/*/ /var/lib/resurgo/workloads/*/; do
  [ ! -d "$record" ] || echo "standing ${record%/}"
done
for file in /etc/ssh/ssh_host_*_key.pub; do
  [ ! -r "$file" ] || echo "hostkey $(head -n 1 "$file")"
done
