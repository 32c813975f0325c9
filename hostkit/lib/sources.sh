# Sources as a copy sees them: the read-only view of a snapshot, and the patterns that the runbook excludes.

# Set or read elsewhere:
: "${arg_group-}" "${arg_run-}" "${json-}" "${snap_record-}"

# sources_view NAME DIR: composes this run's snapshot of the source at DIR; sets the src_… variables.
sources_view() {
  config_source "$arg_group" "$1" \
    || fail not-found "this host's configuration has no source '$1' of group $arg_group; enrol it again (resurgo enroll --update)"
  snapshot_view "$arg_group" "$1" "$arg_run" "$2"
}

# sources_filters NAME FILE VIEW: what the configuration and the source's kind exclude, as rsync's filter rules; sets $patterns, the same as a
# JSON array. A pattern is data: it is written as one exclude rule with its prefix, whatever it holds. What is the hostkit's own is named only where
# VIEW holds it: without a rule no listing has to ask rsync for the names.
sources_filters() {
  patterns=
  sources_wanted=$1
  sources_file=$2
  view_excludes "$1" | while IFS= read -r sources_own; do
    [ ! -e "$3$sources_own" ] || printf -- '- %s\n' "$sources_own"
  done >"$2"
  config_each exclude "$arg_group" sources_filter
  while read -r sources_word sources_pattern; do
    [ "$sources_word" != exclude ] || sources_filter - "$1" "$sources_pattern"
  done <"$snap_record"
  patterns="[$patterns]"
}
sources_filter() {
  [ "$2" = "$sources_wanted" ] || return 0
  printf -- '- %s\n' "$3" >>"$sources_file"
  json_quote "$3"
  patterns=$patterns${patterns:+,}$json
}
