#!/bin/sh
# The fence (S3): a step's attempt that was cut off from the engine, but not from this host, can't act under its successor.
#
# fence/GROUP/term        TERM RUN: the highest term seen and the run it belongs to
# fence/GROUP/RUN         ATTEMPT STEP a line, appended: the highest of a step counts (an append can't lose older lines)
#
# Both outlive the run: they are what refuses its late tries. A run's lines go when the term rises to another run's, which refuses all of
# the older run by its term; `term` itself stays as long as the host is enrolled. So a group keeps two files, however many runs it had.

: "${arg_group-}" "${arg_run-}" "${arg_term-}" "${arg_step-}" "${arg_attempt-}"

# fence_read GROUP: sets $fence_term (0 if none) and $fence_run.
fence_read() {
  fence_term=0
  fence_run=
  [ ! -r "$RESURGO_VAR/fence/$1/term" ] || read -r fence_term fence_run <"$RESURGO_VAR/fence/$1/term" || fence_torn "$1"
  case $fence_term in '' | *[!0-9]*) fence_torn "$1" ;; esac
}

fence_torn() {
  fail internal "$RESURGO_VAR/fence/$1/term is not readable; as root on this host write 'TERM RUN' of the newest run into it"
}

# fence_check: refuses the request if a higher term, or a higher attempt of its step, has been here; records it if not.
# The record is on disk before the verb acts. Holds no lock afterwards.
fence_check() {
  with_lock "fence-$arg_group"
  fence_still
  [ "$arg_term" -eq "$fence_term" ] || fence_raise "$arg_group" "$arg_term" "$arg_run"
  [ "$arg_attempt" -eq "$fence_seen" ] || {
    [ -d "${fence_file%/*}" ] || mkdir -p "${fence_file%/*}"
    printf '%s %s\n' "$arg_attempt" "$arg_step" >>"$fence_file"
  }
  unlock
}

# fence_still: refuses the request if its successor has been here; also for a verb that had to wait, before it acts. Sets fence_seen,
# the highest attempt of its step, and fence_file.
fence_still() {
  fence_read "$arg_group"
  fence_admit "$arg_term" "$arg_run"
  fence_seen=-1
  fence_file=$RESURGO_VAR/fence/$arg_group/$arg_run
  if [ -r "$fence_file" ]; then
    while read -r fence_attempt fence_step <&8; do
      [ "$fence_step" = "$arg_step" ] || continue
      case $fence_attempt in '' | *[!0-9]*) continue ;; esac
      [ "$fence_attempt" -le "$fence_seen" ] || fence_seen=$fence_attempt
    done 8<"$fence_file"
  fi
  [ "$arg_attempt" -ge "$fence_seen" ] ||
    fail fenced "attempt $arg_attempt of step $arg_step is superseded by attempt $fence_seen; nothing to do, its successor goes on"
}

# fence_admit TERM RUN: refuses what stands behind $fence_term, and another run under the same term (two engines, S4).
fence_admit() {
  [ "$1" -ge "$fence_term" ] ||
    fail fenced "term $1 of run $2 is superseded by term $fence_term of run $fence_run; this run has lost its lease"
  [ "$1" -gt "$fence_term" ] || [ "$2" = "$fence_run" ] || [ -z "$fence_run" ] ||
    fail fenced "term $1 belongs to run $fence_run on this host, not to $2; take the lease again"
}

# fence_raise GROUP TERM RUN: records a higher term. The caller holds the lock fence-GROUP.
fence_raise() {
  own_dir "$RESURGO_VAR/fence/$1"
  atomic_put "$RESURGO_VAR/fence/$1/term" "$2 $3"
  fence_term=$2
  fence_run=$3
  for fence_old in "$RESURGO_VAR/fence/$1"/*; do
    case ${fence_old##*/} in term | "$3") ;; *) rm -f -- "$fence_old" ;; esac
  done
}
