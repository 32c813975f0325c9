# What a restore leaves alone: rsync patterns as filter rules (S20).

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

# protect_rules BASE64 FILE: writes the rules. A plain exclude hides a path from the sender and protects it at the receiver.
# The patterns are relative to what is restored: for a part of a tree the plan has moved them along (planning/restore-protect.ts).
protect_rules() {
  : >"$2"
  [ -n "$1" ] || return 0
  printf '%s' "$1" | base64 -d >"$2.lines" 2>/dev/null || return 1
  # The last one may come without a line end, and another rule follows.
  echo >>"$2.lines"
  sed -e '/^$/d' -e 's/^/- /' "$2.lines" >>"$2"
}
