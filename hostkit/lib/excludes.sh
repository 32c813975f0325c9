# What of a source is left out by name, and names as rsync's patterns.

# Set or read elsewhere:
: "${LF-}" "${src_group-}" "${src_name-}"

# source_excludes REL: is REL (relative to the source) excluded by name in the configuration? Where a part of a source is at work,
# $src_below is its place in the source, and $src_apart (one path a line, relative to the source) is what other parts show.
source_excludes() {
  exclude_rel=$src_below$1 exclude_found=1
  config_each exclude "$src_group" source_excludes_take
  _se_rest=$src_apart
  while [ -n "$_se_rest" ]; do
    case $exclude_rel/ in "${_se_rest%%"$LF"*}"/*) exclude_found=0 ;; esac
    _se_rest=${_se_rest#*"$LF"}
  done
  return "$exclude_found"
}
source_excludes_take() {
  [ "$2" = "${src_name%%:*}" ] && source_literal "$3" || return 0
  case $exclude_rel/ in "$exclude_pattern"/*) exclude_found=0 ;; esac
}
src_below='' src_apart=''

# source_literal PATTERN: sets $exclude_pattern, the one path that it names; 1 unless it is literal and anchored: one with wildcards could
# stop matching unseen.
source_literal() {
  case $1 in /*) exclude_pattern=${1#/} ;; *) return 1 ;; esac
  exclude_pattern=${exclude_pattern%/\*\*\*} exclude_pattern=${exclude_pattern%/\*\*} exclude_pattern=${exclude_pattern%/}
  case $exclude_pattern in '' | *'*'* | *'?'* | *'['*) return 1 ;; esac
}

# pattern_literal PATH: sets $pattern, which fits it alone. rsync reads a backslash as an escape only where the pattern has a wildcard.
pattern_literal() {
  pattern=$1
  case $1 in *[*?[]*) pattern=$(printf '%s' "$1" | sed 's/[[*?\\]/\\&/g') ;; esac
}
