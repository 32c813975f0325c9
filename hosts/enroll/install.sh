#!/bin/sh
# Installs or updates everything that docs/hostkit.md names, from a tar.gz on stdin. Run by the administrator's root; safe to repeat
# and to cut off anywhere: each file is replaced by renaming, the keys come last. Prints `change WHAT`. put.sh goes before it. $1: the
# unprivileged user that the director logs in as. $2: what runs the sweep at boot, as survey.sh has found it.
set -eu
umask 077
user=$1
boot=$2
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
lib=/usr/local/lib/resurgo
etc=/etc/resurgo
var=/var/lib/resurgo

[ -O / ] || { echo 'not run as root' >&2; exit 1; }
work=$(mktemp -d /var/tmp/resurgo-enroll.XXXXXX)
trap 'rm -rf -- "$work"' EXIT
trap 'exit 1' HUP INT TERM
tar -xzf - -C "$work"
for part in hostkit/hostkit hostkit/VERSION etc/host.conf etc/director.keys etc/peers sudoers; do
  [ -f "$work/$part" ] || { echo "the payload lacks $part" >&2; exit 1; }
done
chown -R 0:0 "$work"

make_user() {
  entry=$(awk -F: -v name="$user" '$1 == name { print $3 ":" $6 }' /etc/passwd)
  case $entry in
    '')
      if command -v useradd >/dev/null 2>&1; then
        useradd --system --user-group --home-dir $var/home --no-create-home --shell /bin/sh "$user"
      elif command -v adduser >/dev/null 2>&1; then
        addgroup -S "$user" 2>/dev/null || :
        adduser -S -D -H -h $var/home -s /bin/sh -G "$user" "$user"
      else
        id=$(awk -F: 'BEGIN { id = 990 } { used[$3] = 1 } END { while (id in used) id--; print id }' /etc/passwd /etc/group)
        echo "$user:x:$id:" >>/etc/group
        echo "$user:x:$id:$id::$var/home:/bin/sh" >>/etc/passwd
        echo "$user:*:19000:0:99999:7:::" >>/etc/shadow
      fi
      echo "change user $user"
      ;;
    0:*)
      echo "the user $user has the id 0: name another in the runbook (\`user\`)" >&2
      exit 1
      ;;
    *:$var/home) ;;
    *)
      echo "a user $user that is not ours exists (home ${entry#*:}); remove or rename it, or name another in the runbook (\`user\`)" >&2
      exit 1
      ;;
  esac
  # Not locked with `!`: sshd without PAM would refuse its key then (S26).
  [ "$(awk -F: -v name="$user" '$1 == name { print $2 }' /etc/shadow)" = '*' ] || set_password_field
}

# By the system's own tool where there is one; else by renaming, so that a power cut leaves one whole file.
set_password_field() {
  if command -v usermod >/dev/null 2>&1; then
    usermod --password '*' "$user"
    return
  fi
  cp -p /etc/shadow /etc/shadow.resurgo-new
  awk -F: -v name="$user" 'BEGIN { OFS = ":" } $1 == name { $2 = "*" } { print }' /etc/shadow >/etc/shadow.resurgo-new
  [ "$(wc -l </etc/shadow.resurgo-new)" = "$(wc -l </etc/shadow)" ]
  mv -f /etc/shadow.resurgo-new /etc/shadow
}

put_configuration() {
  # What this host's own root has armed stays (S23).
  [ ! -r $etc/host.conf ] || grep '^arm-system ' $etc/host.conf >>"$work/etc/host.conf" || :
  put "$work/etc/host.conf" 0600 $etc/host.conf
  put "$work/etc/peers" 0600 $etc/peers
  put "$work/etc/director.keys" 0600 $etc/director.keys
}

# The folders that a restore beside the data may write below: root's alone, since what lies there may be anybody's secret. Those that
# were not there are noted, so that remove.sh can tell them from the administrator's own.
make_restore_folders() {
  while IFS= read -r folder; do
    if [ -z "$folder" ] || [ -d "$folder" ]; then continue; fi
    missing=$folder
    while [ -n "$missing" ] && [ ! -d "$missing" ]; do
      printf '%s\n' "$missing" >>$var/made-folders
      missing=${missing%/*}
    done
    (umask 022 && mkdir -p -- "${folder%/*}/")
    mkdir -- "$folder"
    echo "change $folder"
  done <"$work/etc/restore-to"
}

put_sudoers() {
  visudo -cqf "$work/sudoers" || { echo 'visudo refuses the fragment' >&2; exit 1; }
  mkdir -p /etc/sudoers.d
  put "$work/sudoers" 0440 /etc/sudoers.d/resurgo
  grep -Eq '^[#@]includedir /etc/sudoers\.d' /etc/sudoers || {
    echo '/etc/sudoers does not include /etc/sudoers.d; add the line "@includedir /etc/sudoers.d" by visudo' >&2
    exit 1
  }
}

# All lines of ours in rc.local end with ` # resurgo`, or hold ` # resurgo: ` and what remove.sh needs. An rc.local that its administrator
# has switched off runs ours and nothing else.
put_rc_local() {
  rc=$(readlink -f /etc/rc.local) || rc=/etc/rc.local
  ours="/bin/sh $lib/sweep-boot # resurgo" switch=''
  if [ ! -f "$rc" ] || grep -q ' # resurgo: made by enrolment' "$rc"; then
    ours="$ours: made by enrolment"
    [ -f "$rc" ] || printf '#!/bin/sh\n' >"$rc"
    mode=0755
  else
    mode=$(stat -c %a "$rc")
    off=$(sed -n 's/.* # resurgo: switched off, mode \([0-7]*\).*/\1/p' "$rc")
    [ -x "$rc" ] || off=$mode
    if [ -n "$off" ]; then
      switch="exit 0 # resurgo: switched off, mode $off; take this line out to run the rest too"
      mode=0755
    fi
  fi
  sed '/ # resurgo$/d; / # resurgo: /d' "$rc" >"$work/rc.theirs"
  {
    sed -n '1{/^#!/p;}' "$work/rc.theirs"
    printf '%s\n' "$ours"
    [ -z "$switch" ] || printf '%s\n' "$switch"
    sed '1{/^#!/d;}' "$work/rc.theirs"
  } >"$work/rc"
  put "$work/rc" "$mode" "$rc"
}

put_boot_sweep() {
  case $boot in
    systemd)
      put "$work/boot/systemd" 0644 /etc/systemd/system/resurgo-sweep.service
      systemctl daemon-reload
      systemctl --quiet enable resurgo-sweep.service
      ;;
    openrc) put "$work/boot/openrc" 0755 /etc/local.d/resurgo.start ;;
    cron) put "$work/boot/cron" 0644 /etc/cron.d/resurgo ;;
    *) put_rc_local ;;
  esac
}

# Keys that may only forward to the hosts behind this one; sshd reads this file beside authorized_keys by default.
put_jump() {
  if [ -s "$work/jump" ]; then
    put "$work/jump" 0644 $var/home/.ssh/authorized_keys2
  elif [ -e $var/home/.ssh/authorized_keys2 ]; then
    rm -f $var/home/.ssh/authorized_keys2
    echo "change $var/home/.ssh/authorized_keys2 (removed)"
  fi
}

make_user
make_folders
put_hostkit
put_configuration
make_restore_folders
put_sudoers
put_boot_sweep
put_jump
# Publishes authorized_keys from director.keys and the grants that stand.
/bin/sh $lib/sweep-boot >&2
[ -s $var/home/.ssh/authorized_keys ] || { echo 'authorized_keys was not written' >&2; exit 1; }
echo 'installed'
