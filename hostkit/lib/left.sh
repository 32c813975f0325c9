#!/bin/sh
# What a run has left on this host: its folder and its snapshots.

: "${RESURGO_LIB?}" "${arg_group-}" "${time-}"

# left_runs GROUP CALLBACK: calls it with each run that has a folder here.
left_runs() {
  for left_path in "$RESURGO_VAR"/runs/*/; do
    [ -d "$left_path" ] || continue
    left_path=${left_path%/}
    left_group=
    [ ! -r "$left_path/group" ] || read -r left_group <"$left_path/group" || :
    [ "$left_group" != "$1" ] || "$2" "${left_path##*/}"
  done
}

# left_snapshots GROUP: sets $left_json, the snapshots of the group on this host as verb `snapshots` lists them (inner part of a JSON
# array), $left_snapshot_runs, their runs, and $left_safety_runs, the runs of safety snapshots whose time is over: others are no
# leftover. In a shell of its own: the verb brings its own verb_main.
left_snapshots() {
  left_json=
  left_snapshot_runs=
  left_safety_runs=
  own_part "$RESURGO_LIB/verbs/snapshots.sh" || return 0
  left_answer=$(
    # shellcheck source=/dev/null
    . "$RESURGO_LIB/verbs/snapshots.sh"
    verb_main
  ) || :
  case $left_answer in
    '{"ok":true,"snapshots":['*']}')
      left_json=${left_answer#*\[}
      left_json=${left_json%\]\}}
      ;;
    *) return 0 ;;
  esac
  read_time
  left_rest=$left_json
  while :; do
    case $left_rest in *'"run":"'*) ;; *) break ;; esac
    left_rest=${left_rest#*\"run\":\"}
    left_run=${left_rest%%\"*}
    case " $left_snapshot_runs $left_safety_runs " in *" $left_run "*) continue ;; esac
    # A name holds no brace, so this is the rest of the run's own entry.
    case ${left_rest%%\}*} in
      *'"safety":true,"keepUntilMs":'*)
        left_until=${left_rest#*\"keepUntilMs\":}
        [ "$time" -le "${left_until%%\}*}" ] || left_safety_runs="$left_safety_runs${left_safety_runs:+ }$left_run"
        ;;
      *) left_snapshot_runs="$left_snapshot_runs${left_snapshot_runs:+ }$left_run" ;;
    esac
  done
  : "$left_snapshot_runs" "$left_safety_runs"
}
