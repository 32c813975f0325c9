# What a restore leaves alone: rsync patterns as filter rules (S20).

# protect_rules BASE64 SUBPATH FILE: writes the rules. A plain exclude hides a path from the sender and protects it at the receiver. Where
# the source is the top level of a btrfs, our own snapshots lie in it, the safety snapshot among them: they are no data (view_excludes).
# The patterns are relative to what is restored: for a part of a tree the plan has moved them along (planning/restore-protect.ts).
protect_rules() {
  if [ -n "$2" ]; then : >"$3"; else echo '- /.resurgo' >"$3"; fi
  [ -n "$1" ] || return 0
  printf '%s' "$1" | base64 -d >"$3.lines" 2>/dev/null || return 1
  sed -e '/^$/d' -e 's/^/- /' "$3.lines" >>"$3"
}
