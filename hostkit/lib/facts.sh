#!/bin/sh
# Facts: what programs and files say, word for word, gathered into one JSON object. Each is {"exit":N,"out":"…","err":"…"}: what a
# tool prints is quoted, never put between our own brackets, so that no broken or hostile output can break the reply. A missing
# tool is a fact too (exit 127), and so is one that did not answer in time (137). Nothing here changes anything.

: "${JSON_TEXT-}" "${json-}" "${uptime-}"

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
  facts_count=0
  read_uptime
  facts_until=$((uptime + FACTS_ALL_S * 1000))
}

facts_at_exit() {
  facts_status=$?
  rm -rf -- "$facts_dir"
  return "$facts_status"
}

# facts_reply: answers with all of them. They are quoted together: a program for each of them took most of the time that all took.
facts_reply() {
  facts_json >"$facts_dir/reply" || fail internal 'what the tools said could not be put together: one of them may still have written, or /tmp is full; ask again'
  hostkit_replied=yes
  cat "$facts_dir/reply"
}

# facts_json: prints the reply. $facts_dir/facts has one line for each fact, `EXIT "NAME"`, and what it printed lies in N.out and N.err.
facts_json() (
  cd "$facts_dir" || exit 1
  set --
  facts_at=0
  while [ "$facts_at" -lt "$facts_count" ]; do
    facts_at=$((facts_at + 1))
    set -- "$@" "$facts_at.out" "$facts_at.err"
  done
  [ "$facts_count" -gt 0 ] || set -- facts
  wc -c "$@" >sizes && od -An -v -tu1 "$@" >bytes || exit 1
  LC_ALL=C awk -v most="$FACTS_MOST" "$JSON_TEXT"'
    # The next text, of so many bytes; 0 where there is none.
    function next_text(  part) {
      if (part_of == 0 && (getline line < "facts") <= 0) return 0
      if ((getline size < "sizes") <= 0) { over = 1; return 0 }
      split(size, part, " ")
      wanted = part[1] + 0
      n = 0
      return 1
    }
    # Prints the text that is whole, and each that is empty after it.
    function settle() {
      while (open && n == wanted) {
        cut_here = n > most
        if (part_of == 0) {
          cut = cut_here
          code = line; sub(/ .*/, "", code)
          printf "%s%s:{\"exit\":%s,\"out\":", comma, substr(line, length(code) + 2), code
          text(cut_here ? most : n)
          part_of = 1
        } else {
          printf ",\"err\":"
          text(cut_here ? most : n)
          printf "%s}", (cut ? ",\"cut\":true" : "")
          comma = ","
          part_of = 0
        }
        open = next_text()
      }
    }
    BEGIN { printf "{\"ok\":true,\"facts\":{"; part_of = 0; open = next_text(); settle() }
    { for (i = 1; i <= NF; i++) { if (!open) { over = 1; exit }; b[n++] = $i + 0; if (n == wanted) settle() } }
    END { print "}}"; exit (open || over) }
  ' bytes
)

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

# fact NAME TOOL ARG…: what the tool prints, which $fact_out names until the next fact.
fact() {
  fact_begin "$1"
  if ! tool_path "$2"; then
    printf '%s is not installed' "$2" >"$fact_err"
    fact_add 127
    return
  fi
  shift 2
  fact_run timeout -s KILL "$FACTS_TOOL_S" "$tool_at" "$@"
}

# fact_made NAME FUNCTION ARG…: what a function of ours prints. What it calls is bounded by itself.
fact_made() {
  fact_begin "$1"
  shift
  fact_run "$@"
}

# fact_file NAME FILE: what the file holds; exit 1 where there is none.
fact_file() {
  fact_begin "$1"
  if [ -f "$2" ] && [ -r "$2" ]; then
    fact_run cat -- "$2"
  else
    fact_add 1
  fi
}

# The limit of a file's size bounds what is written, and ends who writes more. No pipe: a child of a tool that was ended could hold it.
fact_run() {
  read_uptime
  if [ "$uptime" -ge "$facts_until" ]; then
    printf 'not asked: the tools before it took %s s together' "$FACTS_ALL_S" >"$fact_err"
    fact_add 124
    return
  fi
  {
    (
      ulimit -f $((FACTS_MOST / 512 + 1))
      "$@" </dev/null >"$fact_out" 2>"$facts_dir/err" 9>&-
    )
    fact_exit=$?
  } 2>/dev/null
  [ ! -s "$facts_dir/err" ] || tail -c 500 "$facts_dir/err" >"$fact_err"
  fact_add "$fact_exit"
}

# fact_begin NAME: sets $fact_out and $fact_err, the files of the next fact.
fact_begin() {
  fact_name=$1
  facts_count=$((facts_count + 1))
  fact_out=$facts_dir/$facts_count.out
  fact_err=$facts_dir/$facts_count.err
  : >"$fact_out"
  : >"$fact_err"
}

# fact_add EXIT
fact_add() {
  json_quote "$fact_name"
  printf '%s %s\n' "$1" "$json" >>"$facts_dir/facts"
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
  done <"$fact_out"
}
: "${field-}"
