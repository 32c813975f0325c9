#!/bin/sh
# Undoes an enrolment whole. Run by the administrator's root. $1: `force` also thaws an armed freeze first. Backups stay.
set -eu
umask 077
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
RESURGO_LIB=/usr/local/lib/resurgo
readonly RESURGO_LIB
var=/var/lib/resurgo
cd /
[ -O / ] || { echo 'not run as root' >&2; exit 1; }

any() { for any_path in "$1"/*/; do [ ! -d "$any_path" ] || return 0; done; return 1; }

refuse() {
  echo "refused: $1" >&2
  exit 3
}

# The hostkit's own functions end what it runs; each in a shell of its own, as they end it on an error.
with_hostkit() {
  [ -r "$RESURGO_LIB/lib/base.sh" ] || return 0
  (
    for part in base types request config procs grants jobs freeze; do
      # shellcheck source=/dev/null
      [ ! -r "$RESURGO_LIB/lib/$part.sh" ] || . "$RESURGO_LIB/lib/$part.sh"
    done
    "$1"
  ) >&2
}
thaw_all() { set +e && records_each thaw_and_remove; }
stop_jobs() { jobs_each stop_one; }
stop_one() { with_lock "job-$1" && job_stop "$1" && unlock; }
close_grants() { grants_each grants_close; }

# mounts_below FOLDER: prints what is mounted below it, the newest first (a space in a name stays \040: none of ours has one).
mounts_below() { awk -v at="$1/" 'index($5, at) == 1 { found = $5 "\n" found } END { printf "%s", found }' /proc/self/mountinfo; }

# unmount_below FOLDER: a source's whole file system may be mounted there (its top level, while snapshots of ours are on it): removing the
# folder would remove the data.
unmount_below() {
  for mounted in $(mounts_below "$1"); do umount "$mounted" 2>/dev/null || :; done
  [ -z "$(mounts_below "$1")" ] || refuse "this is still mounted and in use: $(mounts_below "$1" | tr '\n' ' ')(see fuser -m); end what uses it, then run this again"
}

# empty_own FOLDER: goes, with all that lies on its own file system; whatever might be mounted in it since is not entered.
empty_own() {
  [ -d "$1" ] || return 0
  find "$1" -xdev -mindepth 1 -depth -delete
  rmdir "$1" 2>/dev/null || [ ! -d "$1" ] || mountpoint -q "$1"
}

any $var/workloads && refuse 'a restore is not finished or undone (its workloads are blocked from starting): finish it, or resurgo start GROUP'
if any $var/deadman; then
  [ "${1-}" = force ] || refuse 'a freeze is armed: wait for it, or resurgo unpause GROUP; --force thaws it first'
  with_hostkit thaw_all
  if any $var/deadman; then refuse 'the freeze can not be thawed; look at docker and the units on this host'; fi
fi
for left in "$var"/snapshots/*/*/; do
  [ -d "$left" ] || continue
  [ "${1-}" != force ] || break
  # GROUP/RUN.FREEZE: those of a restore are kept for their time, and no doctor drops them before.
  left=${left%/}
  run=${left##*/} group=${left%/*}
  run=${run%.*} group=${group##*/}
  [ ! -e "$left/safety" ] ||
    refuse "safety snapshots of restore $run are left ($left): resurgo snapshots $group --drop $run drops them before their time; --force leaves them"
  refuse "snapshots of ours are left ($left): resurgo doctor --fix drops them; --force leaves them"
done

with_hostkit stop_jobs
[ ! -r /etc/resurgo/director.keys ] || with_hostkit close_grants
unmount_below /run/resurgo
unmount_below $var
rm -f /etc/sudoers.d/resurgo
rm -rf -- $var/home/.ssh
if [ -f /etc/systemd/system/resurgo-sweep.service ]; then
  systemctl --quiet disable resurgo-sweep.service 2>/dev/null || :
  rm -f /etc/systemd/system/resurgo-sweep.service
  [ ! -d /run/systemd/system ] || systemctl daemon-reload
fi
rm -f /etc/local.d/resurgo.start /etc/cron.d/resurgo
rc=$(readlink -f /etc/rc.local) || rc=
if [ -f "$rc" ] && grep -q ' # resurgo' "$rc"; then
  mode=$(sed -n 's/.* # resurgo: switched off, mode \([0-7]*\).*/\1/p' "$rc")
  made=$(grep -c ' # resurgo: made by enrolment' "$rc") || :
  sed '/ # resurgo$/d; / # resurgo: /d' "$rc" >"$rc.resurgo-new"
  chmod "${mode:-$(stat -c %a "$rc")}" "$rc.resurgo-new"
  mv -f "$rc.resurgo-new" "$rc"
  # The administrator may have added to it since.
  if [ "$made" != 0 ] && ! grep -qv '^#!/bin/sh$' "$rc"; then rm -f "$rc"; fi
fi
# Whatever the runbook calls it by now: whose home lies here was made by the enrolment.
user=$(awk -F: -v home="$var/home" '$6 == home && $3 != 0 { print $1; exit }' /etc/passwd)
if [ -n "$user" ]; then
  # Connections that still stand as this user. The number alone is not it: 999 is PostgreSQL's in many a container.
  pids=$(ps -o pid= -u "$user" 2>/dev/null) || pids=
  for pid in $pids; do
    for space in pid mnt; do
      [ "$(readlink "/proc/$pid/ns/$space")" = "$(readlink "/proc/$$/ns/$space")" ] || continue 2
    done
    kill -9 "$pid" 2>/dev/null || :
  done
  if command -v userdel >/dev/null 2>&1; then
    # It refuses, and with -f still complains, for a process that only has the same number.
    said=$(userdel "$user" 2>&1) || said=$(userdel -f "$user" 2>&1) || { echo "$said" >&2; exit 1; }
  elif command -v deluser >/dev/null 2>&1; then
    deluser "$user"
  else
    for file in passwd shadow group; do
      grep -v "^$user:" "/etc/$file" >"/etc/$file.resurgo-new" || :
      cat "/etc/$file.resurgo-new" >"/etc/$file"
      rm -f "/etc/$file.resurgo-new"
    done
  fi
fi
rm -rf -- "$RESURGO_LIB" /etc/resurgo
if [ -r $var/made-folders ]; then
  # The deepest first; what holds anything stays.
  sort -r $var/made-folders | while IFS= read -r folder; do rmdir -- "$folder" 2>/dev/null || :; done
fi
empty_own $var
empty_own /run/resurgo
echo 'removed'
