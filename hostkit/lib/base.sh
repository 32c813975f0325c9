#!/bin/sh
# What every part of the hostkit stands on: the reply, JSON strings, times, processes, locks, files.
# Functions that print are for $(…); the read_… ones set a variable instead and cost no fork (a fork is 1 ms and more).

#
# How the parts pass values without forks: a function leaves its result in a variable named in its comment. A file that
# reads a variable which another file sets names it once at its head as `: "${variable-}"`, one that sets a variable for
# others ends with `: "$variable"`, which is all that shellcheck needs to check each file alone.

export RESURGO_ETC=/etc/resurgo RESURGO_VAR=/var/lib/resurgo RESURGO_RUN=/run/resurgo
hostkit_verb=${hostkit_verb:-hostkit}
hostkit_replied=no
log_prefix=
log_limit=4194304

# fail CODE MESSAGE [EXTRA]: answers {"ok":false,…} and ends. EXTRA is a JSON fragment. MESSAGE says what to do next.
fail() {
  hostkit_replied=yes
  json_quote "$2"
  printf '{"ok":false,"code":"%s","message":%s%s}\n' "$1" "$json" "${3:+,$3}"
  # At a grant's connection stdout belongs to rsync: its user reads the reason on stderr.
  [ "${hostkit_by-}" != grant ] || printf '@ERROR: %s: %s\n' "$1" "$2" >&2
  exit 1
}

# reply [BODY]: answers {"ok":true,BODY} and goes on (a session answers more than once).
reply() {
  hostkit_replied=yes
  printf '{"ok":true%s}\n' "${1:+,$1}"
}

# hostkit_at_exit [STATUS]: the entry's last word when something ended the shell before it had answered.
hostkit_at_exit() {
  hostkit_status=${1:-$?}
  if [ "$hostkit_replied" = no ]; then
    printf '{"ok":false,"code":"internal","message":"%s stopped with exit %s before it answered; see %s on the host"}\n' \
      "$hostkit_verb" "$hostkit_status" "$RESURGO_VAR/log/hostkit.log"
    exit 1
  fi
}

# json_quote VALUE: sets $json to the quoted string. No fork for printable ASCII.
json_quote() {
  case $1 in
    *[!\ -~]* | *\"* | *\\*) json=$(json_escape "$1") ;;
    *) json="\"$1\"" ;;
  esac
}

# json_string VALUE: prints the quoted string.
json_string() {
  json_quote "$1"
  printf '%s' "$json"
}

json_escape() { printf '%s' "$1" | json_escape_input; }

# The awk function `text(count)`: prints the bytes b[0] to b[count - 1] as one quoted string. Pure ASCII out, so that no byte of a hostile name
# reaches a terminal as it is: valid UTF-8 becomes its code point, any other byte \u00XX.
JSON_TEXT='
  function tail(at, count, k) { for (k = 1; k <= count; k++) if (b[at + k] < 128 || b[at + k] > 191) return 0; return 1 }
  function text(count,  i, c, p) {
    b[count] = b[count + 1] = b[count + 2] = 0
    printf "\""
    for (i = 0; i < count; i++) {
      c = b[i]
      if (c == 34 || c == 92) printf "\\%c", c
      else if (c >= 32 && c < 127) printf "%c", c
      else if (c >= 194 && c <= 223 && tail(i, 1)) { printf "\\u%04x", (c - 192) * 64 + b[i + 1] - 128; i++ }
      else if (c >= 224 && c <= 239 && tail(i, 2)) {
        p = (c - 224) * 4096 + (b[i + 1] - 128) * 64 + b[i + 2] - 128
        if (p >= 2048 && (p < 55296 || p > 57343)) { printf "\\u%04x", p; i += 2 } else printf "\\u%04x", c
      } else if (c >= 240 && c <= 244 && tail(i, 3)) {
        p = (c - 240) * 262144 + (b[i + 1] - 128) * 4096 + (b[i + 2] - 128) * 64 + b[i + 3] - 128
        if (p >= 65536 && p <= 1114111) {
          p -= 65536
          printf "\\u%04x\\u%04x", 55296 + int(p / 1024), 56320 + p % 1024
          i += 3
        } else printf "\\u%04x", c
      } else printf "\\u%04x", c
    }
    printf "\""
  }'

# json_escape_input: prints stdin as one quoted string.
json_escape_input() {
  od -An -v -tu1 | awk "$JSON_TEXT"'
    { for (i = 1; i <= NF; i++) b[n++] = $i + 0 }
    END { text(n + 0) }'
}

# --- times -----------------------------------------------------------------------------------------------------------

# read_uptime: sets $uptime, milliseconds since the boot (monotonic). No fork.
read_uptime() {
  read -r uptime_raw _ </proc/uptime
  uptime_part=${uptime_raw#*.}
  uptime=$((${uptime_raw%.*} * 1000 + ${uptime_part#0} * 10))
}

# read_time: sets $time, milliseconds since 1970 by the wall clock.
read_time() {
  time=$(date +%s%3N)
  case $time in *[!0-9]*) time=${time%%[!0-9]*}000 ;; esac # busybox knows seconds only
}

# read_boot: sets $boot, this boot's id. No fork.
read_boot() { read -r boot </proc/sys/kernel/random/boot_id; }

uptime_ms() { read_uptime && printf '%s' "$uptime"; }
time_ms() { read_time && printf '%s' "$time"; }
boot_id() { read_boot && printf '%s' "$boot"; }

# --- processes -------------------------------------------------------------------------------------------------------

# read_starttime PID: sets $starttime (clock ticks since boot: with the pid it names one process). 1 if there is none.
read_starttime() {
  starttime=
  stat_text=
  { while IFS= read -r stat_line || [ -n "$stat_line" ]; do stat_text="$stat_text $stat_line"; done <"/proc/$1/stat"; } 2>/dev/null || return 1
  # The command's name may hold anything, so fields are counted from behind its last bracket.
  read -r _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ starttime _ <<EOF
${stat_text##*) }
EOF
  [ -n "$starttime" ]
}

proc_starttime() { read_starttime "$1" && printf '%s' "$starttime"; }

# same_process PID STARTTIME: is it that very process, and not a zombie?
same_process() {
  [ -n "$1" ] && read_starttime "$1" || return 1
  case ${stat_text##*) } in Z*) return 1 ;; esac
  [ "$starttime" = "$2" ]
}

# detach COMMAND…: starts it in a session of its own with nothing of ours held open (an open pipe would keep the ssh
# connection, an open fd 9 the lock). Its output goes to the hostkit's log folder.
detach() {
  setsid "$@" </dev/null >>"$RESURGO_VAR/log/detached.log" 2>&1 9>&- &
}

# --- locks -----------------------------------------------------------------------------------------------------------

# with_lock NAME [SECONDS]: holds that lock (on fd 9) until unlock or the end of this process; waits 20 s at most, or SECONDS. One at a time.
with_lock() {
  lock_dir=$RESURGO_VAR/lock
  [ -d "$lock_dir" ] || mkdir -p "$lock_dir"
  lock_tries=0
  until lock_try "$lock_dir/$1"; do
    lock_tries=$((lock_tries + 1))
    [ "$lock_tries" -lt $((${2:-20} * 10)) ] || fail busy "another request on this host holds the lock '$1' for ${2:-20} s already; try again, and look at what runs if it goes on"
    sleep 0.1
  done
}

# lock_try FILE: whoever held it before may have forgotten it: a file that is not there under its name any more locks nothing.
lock_try() {
  exec 9>>"$1"
  # shellcheck disable=SC3013 # `-ef` is not in POSIX, but in dash and in busybox's ash, and it costs no fork.
  flock -n 9 && [ "$1" -ef /proc/self/fd/9 ]
}

unlock() { exec 9>&-; }

# lock_forget NAME: unlocks what with_lock holds, of something that is gone for good: its lock must not stay behind.
lock_forget() {
  rm -f -- "$RESURGO_VAR/lock/$1"
  unlock
}

# --- files -----------------------------------------------------------------------------------------------------------

# atomic_write FILE: puts stdin there whole or not at all, on disk before it counts; 1 when it can't (a full disk), also under `set +e`.
atomic_write() {
  if cat >"$1.tmp.$$" && atomic_publish "$1"; then return 0; fi
  rm -f "$1.tmp.$$"
  return 1
}

# atomic_put FILE TEXT: the same from a variable, with one fork less; a line feed is added.
atomic_put() {
  if printf '%s\n' "$2" >"$1.tmp.$$" && atomic_publish "$1"; then return 0; fi
  rm -f "$1.tmp.$$"
  return 1
}

atomic_publish() { sync "$1.tmp.$$" && mv -f "$1.tmp.$$" "$1"; }

# read_line FILE: sets $line to the file's first line; 1 (and empty) if there is none. No fork.
read_line() {
  line=
  [ -r "$1" ] || return 1
  IFS= read -r line <"$1" 2>/dev/null || [ -n "$line" ]
}

# own_dir DIR…: makes folders that only root may enter (the umask is 077 everywhere).
own_dir() {
  for own_path in "$@"; do
    [ -d "$own_path" ] || mkdir -p "$own_path"
  done
}

# unescape_mount FIELD: sets $unescaped; mountinfo writes blanks, tabs, newlines and backslashes in octal.
unescape_mount() {
  case $1 in
    *\\*) unescaped=$(printf '%b_' "$(printf '%s' "$1" | sed 's/\\\([0-7][0-7][0-7]\)/\\0\1/g')") unescaped=${unescaped%_} ;;
    *) unescaped=$1 ;;
  esac
}

# log MESSAGE: one line of JSON into the host's log, with run and verb.
log() {
  if [ -z "$log_prefix" ]; then
    log_dir=$RESURGO_VAR/log
    [ -d "$log_dir" ] || mkdir -p "$log_dir"
    if [ -s "$log_dir/hostkit.log" ] && [ "$(wc -c <"$log_dir/hostkit.log")" -gt "$log_limit" ]; then
      # Another request may just have done it.
      mv -f "$log_dir/hostkit.log" "$log_dir/hostkit.log.1" 2>/dev/null || :
    fi
    # The wall clock is read once; what follows is reckoned from the monotonic one.
    read_time
    read_uptime
    log_offset=$((time - uptime))
    log_prefix="\"verb\":\"$hostkit_verb\",\"pid\":$$"
  fi
  read_uptime
  json_quote "$1"
  printf '{"time":%s,%s,"group":"%s","run":"%s","msg":%s}\n' $((log_offset + uptime)) "$log_prefix" "${arg_group-}" "${arg_run-}" "$json" \
    >>"$RESURGO_VAR/log/hostkit.log"
}
