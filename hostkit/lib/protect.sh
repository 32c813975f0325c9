# What a restore leaves alone: rsync patterns as filter rules, moved along when only a part of a tree is restored (S20).

# protect_is_top DIR: 0 when DIR is the top level of a btrfs: there our snapshots lie, in .resurgo, a restore's safety snapshot among them.
# Without btrfs's own tool we have none; where it gives no answer, DIR counts as one.
protect_is_top() {
  [ "$(stat -c %i -- "$1/" 2>/dev/null)" = 256 ] || return 1
  protect_code=0
  protect_root=$(timeout -k 5 20 btrfs inspect-internal rootid "$1/" 2>/dev/null) || protect_code=$?
  case $protect_code in
    0) [ "$protect_root" = 5 ] ;;
    124 | 137) return 0 ;;
    *) return 1 ;;
  esac
}

# protect_holds_ours DIR: 0 when DIR/.resurgo is the folder of our snapshots, which is root's alone.
protect_holds_ours() {
  case $(stat -c %F/%u/%a -- "$1/.resurgo" 2>/dev/null) in directory/0/700 | directory/0/2700) ;; *) return 1 ;; esac
  protect_is_top "$1"
}

# protect_ours FILE: adds the rule that leaves our snapshots alone.
protect_ours() { echo '- /.resurgo' >>"$1"; }

# protect_rules BASE64 SUBPATH FILE: writes the rules. A plain exclude hides a path from the sender and protects it at the receiver.
# For a part of a tree, a pattern anchored at the root loses its leading parts; where wildcards make that unsure it protects more, not less.
protect_rules() {
  : >"$3"
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
