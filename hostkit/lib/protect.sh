# What a restore leaves alone: rsync patterns as filter rules, moved along when only a part of a tree is restored (S20).

# protect_rules BASE64 SUBPATH FILE: writes the rules. A plain exclude hides a path from the sender and protects it at the receiver. Where
# the source is the top level of a btrfs, our own snapshots lie in it, the safety snapshot among them: they are no data (view_excludes).
# For a part of a tree, a pattern anchored at the root loses its leading parts; where wildcards make that unsure it protects more, not less.
protect_rules() {
  if [ -n "$2" ]; then : >"$3"; else echo '- /.resurgo' >"$3"; fi
  [ -n "$1" ] || return 0
  printf '%s' "$1" | base64 -d >"$3.lines" 2>/dev/null || return 1
  LC_ALL=C awk -v sub_path="$2" '
    function wild(s) { return s ~ /[*?\[]/ }
    BEGIN { depth = (sub_path == "") ? 0 : split(sub_path, want, "/") }
    $0 == "" { next }
    depth == 0 || substr($0, 1, 1) != "/" { print "- " $0; next }
    {
      count = split(substr($0, 2), part, "/")
      for (i = 1; i <= depth && i <= count; i++) {
        if (part[i] ~ /\*\*/) { rest = ""; for (k = i; k <= count; k++) rest = rest (k > i ? "/" : "") part[k]; print "- " rest; sub(/^\*\*\//, "", rest); print "- " rest; next }
        if (part[i] != want[i] && !wild(part[i])) next
      }
      # The pattern covers the whole part that is restored: then nothing of it may be touched.
      if (count <= depth || part[depth + 1] == "") { print "- /**"; next }
      rest = ""
      for (k = depth + 1; k <= count; k++) rest = rest "/" part[k]
      print "- " rest
    }
  ' "$3.lines" >>"$3"
}
