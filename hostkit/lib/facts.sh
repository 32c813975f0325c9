#!/bin/sh
# Facts: what programs and files say, word for word, gathered into one JSON object. Each is {"exit":N,"out":"…","err":"…"}: what a
# tool prints is quoted, never put between our own brackets, so that no broken or hostile output can break the reply. A missing
# tool is a fact too (exit 127), and so is one that did not answer in time (137). Nothing here changes anything.

: "${json-}" "${uptime-}"

# Of one fact, in bytes; what is longer is cut and says so.
FACTS_MOST=262144
# Of one tool, and of all of them together, in seconds.
FACTS_TOOL_S=20
FACTS_ALL_S=100

# facts_begin: sets $facts_dir, a folder of this request's own; it goes with the shell.
facts_begin() {
  facts_dir=$(mktemp -d) || fail internal 'there is no room for a temporary folder; free some space in /tmp'
  trap 'facts_at_exit; hostkit_at_exit' EXIT
  : >"$facts_dir/facts"
  facts_first=yes
  read_uptime
  facts_until=$((uptime + FACTS_ALL_S * 1000))
}

facts_at_exit() {
  facts_status=$?
  rm -rf -- "$facts_dir"
  return "$facts_status"
}

# facts_reply: answers with all of them.
facts_reply() {
  hostkit_replied=yes
  printf '{"ok":true,"facts":{'
  cat "$facts_dir/facts"
  printf '}}\n'
}

# tool_path TOOL: sets $tool_at. Tools are called by their path: busybox's shell would take its own applet of that name, also behind
# `timeout`, and that one speaks no JSON.
tool_path() {
  for tool_at in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
    tool_at=$tool_at/$1
    [ ! -x "$tool_at" ] || return 0
  done
  tool_at=''
  return 1
}

# fact NAME TOOL ARG…: what the tool prints. Its output stays in $facts_dir/out until the next fact.
fact() {
  fact_name=$1
  : >"$facts_dir/out"
  : >"$facts_dir/err"
  if ! tool_path "$2"; then
    printf '%s is not installed' "$2" >"$facts_dir/err"
    fact_add 127
    return
  fi
  shift 2
  fact_run timeout -s KILL "$FACTS_TOOL_S" "$tool_at" "$@"
}

# fact_made NAME FUNCTION ARG…: what a function of ours prints. What it calls is bounded by itself.
fact_made() {
  fact_name=$1
  shift
  fact_run "$@"
}

# fact_file NAME FILE: what the file holds; exit 1 where there is none.
fact_file() {
  fact_name=$1
  if [ -f "$2" ] && [ -r "$2" ]; then
    fact_run cat -- "$2"
  else
    : >"$facts_dir/out"
    : >"$facts_dir/err"
    fact_add 1
  fi
}

# The limit of a file's size bounds what is written, and ends who writes more. No pipe: a child of a tool that was ended could hold it.
fact_run() {
  read_uptime
  if [ "$uptime" -ge "$facts_until" ]; then
    : >"$facts_dir/out"
    printf 'not asked: the tools before it took %s s together' "$FACTS_ALL_S" >"$facts_dir/err"
    fact_add 124
    return
  fi
  {
    (
      ulimit -f $((FACTS_MOST / 512 + 1))
      "$@" </dev/null >"$facts_dir/out" 2>"$facts_dir/err.all" 9>&-
    )
    fact_exit=$?
  } 2>/dev/null
  tail -c 500 "$facts_dir/err.all" >"$facts_dir/err"
  fact_add "$fact_exit"
}

# fact_add EXIT
fact_add() {
  json_quote "$fact_name"
  fact_cut=''
  if [ "$(wc -c <"$facts_dir/out")" -gt "$FACTS_MOST" ]; then
    fact_cut=',"cut":true'
    head -c "$FACTS_MOST" "$facts_dir/out" >"$facts_dir/cut"
    mv -f "$facts_dir/cut" "$facts_dir/out"
  fi
  {
    [ "$facts_first" = yes ] || printf ','
    printf '%s:{"exit":%s,"out":' "$json" "$1"
    json_escape_input <"$facts_dir/out"
    printf ',"err":'
    json_escape_input <"$facts_dir/err"
    printf '%s}' "$fact_cut"
  } >>"$facts_dir/facts"
  facts_first=no
}

# fact_field NAME: sets $field to the value of the line NAME=VALUE of the last fact; empty if there is none.
fact_field() {
  field=''
  while IFS= read -r field_line || [ -n "$field_line" ]; do
    case $field_line in
      "$1="*)
        field=${field_line#*=}
        return
        ;;
    esac
  done <"$facts_dir/out"
}
: "${field-}"
