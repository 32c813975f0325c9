#!/bin/sh
# Ends process trees and sees them gone. A tree is known by a mark in its environment, which every descendant carries, also one
# that left its session or whose parent died.

# procs_marked NAME=VALUE: sets $procs to the pids that have exactly this in their environment.
procs_marked() {
  procs=
  for procs_file in $(grep -lszxF -- "$1" /proc/[0-9]*/environ || :); do
    procs_pid=${procs_file#/proc/}
    procs_pid=${procs_pid%/environ}
    [ "$procs_pid" = "$$" ] || procs="$procs $procs_pid"
  done
}

# procs_signal SIGNAL: to all of $procs; one that has just gone is no error.
procs_signal() {
  for procs_pid in $procs; do kill -s "$1" "$procs_pid" 2>/dev/null || :; done
}

# procs_end NAME=VALUE: TERM, after 3 s KILL; returns when all are gone, or 1 after 13 s.
procs_end() {
  procs_tries=0
  while :; do
    procs_marked "$1"
    [ -n "$procs" ] || return 0
    if [ "$procs_tries" -eq 0 ]; then
      procs_signal TERM
    elif [ "$procs_tries" -ge 60 ]; then
      [ "$procs_tries" -lt 260 ] || return 1
      procs_signal KILL
    fi
    procs_tries=$((procs_tries + 1))
    sleep 0.05
  done
}
