# Listings: what lies in a tree, entry by entry, as text that is the same for the same tree on every file system (S9).
#
#   resurgo-listing 1
#   type TAB mode TAB uid TAB gid TAB size TAB mtime TAB linkgroup TAB device TAB target TAB path      (one line an entry)
#   xattrs
#   path TAB name=0xhex                                                                      (one line an attribute)
#
# type is one of f d l p s c b; mode is octal with at least four digits; size is `-` unless a regular file; mtime is
# sec.nnnnnnnnn; linkgroup is `-` or the smallest path of the hard-link group within this tree; device is `maj:min` or `-`;
# target is a symlink's, else `-`. Paths, targets and attribute names are percent-escaped: `%` and every byte outside
# `!`..`~` is %XX. Both parts are sorted bytewise. Left out, because they belong to the disk and not to the data:
# directory sizes, link counts, inode numbers, access times, `btrfs.*`, `trusted.SGI_ACL_*` (xfs shows ACLs twice) and
# `system.*` other than ACLs. `security.selinux` is listed where it is; a target whose kernel labels everything by itself
# drops it when the source has none (LISTING_DROP).

# Shared by the awk programs below: percent-escapes one string in which `%` and newline are escaped already.
listing_awk_lib='
  function listing_table(  i) { for (i = 1; i < 256; i++) table[sprintf("%c", i)] = sprintf("%%%02X", i) }
  function listing_escape(s,  i, c, out) {
    if (s !~ /[^!-~]/) return s
    out = ""
    for (i = 1; i <= length(s); i++) { c = substr(s, i, 1); out = out ((c ~ /[!-~]/) ? c : table[c]) }
    return out
  }
'

# listing_bin NAME: the full path of NAME; a busybox shell would else take its own applet, which lacks what we need of it.
listing_bin() {
  for listing_dir in /usr/bin /bin /usr/local/bin; do
    if [ -x "$listing_dir/$1" ]; then printf '%s\n' "$listing_dir/$1"; return 0; fi
  done
  return 1
}

# listing_tools: 0 when this host can make listings; else sets $listing_missing to the first absent tool.
listing_tools() {
  listing_missing=
  for listing_tool in getfattr gzip sha256sum sort; do
    command -v "$listing_tool" >/dev/null 2>&1 || { listing_missing=$listing_tool; return 1; }
  done
  listing_missing='GNU find, stat and sed'
  listing_find=$(listing_bin find) || return 1
  listing_stat=$(listing_bin stat) || return 1
  listing_sed=$(listing_bin sed) || return 1
  "$listing_find" / -maxdepth 0 -printf '' >/dev/null 2>&1 || return 1
  "$listing_stat" --printf '' / >/dev/null 2>&1 || return 1
  "$listing_sed" -z p </dev/null >/dev/null 2>&1 || return 1
  listing_missing=
}

# listing_names TREE WORK FILTERS: the exact names rsync would copy from TREE under the filter file FILTERS, escaped and
# sorted, into WORK/names. Asking rsync itself is the only way to agree with it on every pattern.
listing_names() {
  mkdir -p "$2/empty" || return 1
  LC_ALL=C rsync -aH -n --out-format='%n' --filter="merge $3" "$1/" "$2/empty/" >"$2/names.raw" 2>"$2/names.err" || {
    listing_code=$?
    [ "${view_live-no}" = yes ] && view_vanished "$listing_code" "$2/names.err" || return 1
  }
  LC_ALL=C awk "$listing_awk_lib"'
    BEGIN { listing_table(); for (i = 0; i < 256; i++) octal[sprintf("%03o", i)] = sprintf("%%%02X", i) }
    {
      rest = $0; out = ""
      while (match(rest, /\\#[0-7][0-7][0-7]/)) {
        code = substr(rest, RSTART + 2, 3)
        head = substr(rest, 1, RSTART - 1); gsub(/%/, "%25", head)
        out = out listing_escape(head) (code == "134" ? "\\" : octal[code])
        rest = substr(rest, RSTART + 5)
      }
      gsub(/%/, "%25", rest)
      out = out listing_escape(rest)
      if (out == "./") next
      sub(/\/$/, "", out)
      print out
    }
    END { print "." }
  ' "$2/names.raw" | LC_ALL=C sort -u >"$2/names"
}

# listing_entries TREE WORK: WORK/entries, sorted, as `path TAB type … target TAB inode TAB blocks`; hard links not yet grouped.
listing_entries() {
  (cd "$1" && LC_ALL=C "$listing_find" . -printf '%y\t%m\t%U\t%G\t%s\t%T@\t%n\t%D:%i\t%b\t%P\0%l\0') 2>"$2/find.err" \
    | LC_ALL=C "$listing_sed" -z 's/%/%25/g; s/\n/%0A/g' | tr '\0' '\n' \
    | LC_ALL=C awk -F '\t' "$listing_awk_lib"'
      BEGIN { listing_table(); OFS = "\t" }
      NR % 2 {
        type = $1; mode = $2; while (length(mode) < 4) mode = "0" mode
        size = (type == "f") ? $5 : "-"
        mtime = $6; dot = index(mtime, "."); mtime = dot ? substr(mtime, 1, dot + 9) : mtime ".000000000"
        inode = (type != "d" && $7 > 1) ? $8 : "-"
        meta = type OFS mode OFS $3 OFS $4 OFS size OFS mtime
        blocks = $9; path = $10; for (i = 11; i <= NF; i++) path = path "\t" $i
        next
      }
      { print (path == "" ? "." : listing_escape(path)), meta, (type == "l" ? listing_escape($0) : "-"), inode, blocks }
    ' | LC_ALL=C sort >"$2/entries"
  # A live tree loses files while it is read.
  if [ "${view_live-no}" = yes ]; then
    ! grep -v ': No such file or directory$' "$2/find.err" >"$2/find.rest" || return 1
  elif [ -s "$2/find.err" ]; then
    return 1
  fi
  [ -s "$2/entries" ]
}

# listing_devices TREE WORK: WORK/devices, `path TAB maj:min`, when the tree holds device nodes.
listing_devices() {
  : >"$2/devices"
  LC_ALL=C awk -F '\t' '$2 == "c" || $2 == "b" { found = 1; exit } END { exit !found }' "$2/entries" || return 0
  (cd "$1" && LC_ALL=C "$listing_find" . \( -type b -o -type c \) -exec "$listing_stat" --printf '%t\t%T\t%n\0' '{}' +) \
    | LC_ALL=C "$listing_sed" -z 's/%/%25/g; s/\n/%0A/g' | tr '\0' '\n' \
    | LC_ALL=C awk -F '\t' "$listing_awk_lib"'
      function hex(s,  i, v) { v = 0; for (i = 1; i <= length(s); i++) v = v * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1; return v }
      BEGIN { listing_table() }
      { path = $3; for (i = 4; i <= NF; i++) path = path "\t" $i; print listing_escape(substr(path, 3)) "\t" hex($1) ":" hex($2) }
    ' >"$2/devices"
}

# listing_join WORK OUT: entries, cut down to WORK/names where that exists, grouped by hard link, written to OUT;
# numbers into WORK/stats as `entries files bytes sparse linked excluded`.
listing_join() {
  listing_filter=
  [ ! -f "$1/names" ] || listing_filter=$1/names
  LC_ALL=C awk -F '\t' -v names="$listing_filter" -v links="$1/links" '
    # As strings: mawk and others compare names that look like numbers as numbers, and 9 comes before 10.
    function wanted(path) {
      while (!eof && name "" < path "") if ((getline name < names) <= 0) eof = 1
      return !eof && name "" == path ""
    }
    BEGIN { printf "" > links; if (names != "" && (getline name < names) <= 0) eof = 1 }
    names != "" && !wanted($1) { excluded++; next }
    { print; entries++ }
    $2 == "f" { files++; bytes += $6; if ($10 * 512 + 4096 <= $6) sparse++ }
    $9 != "-" { print $9 "\t" $1 > links; linked++ }
    END { printf "%d %d %.0f %d %d %d\n", entries, files, bytes, sparse, linked, excluded > (links ".stats") }
  ' "$1/entries" >"$1/kept" || return 1
  mv "$1/links.stats" "$1/stats" || return 1
  {
    echo 'resurgo-listing 1'
    LC_ALL=C awk -F '\t' -v links="$1/links" -v devices="$1/devices" '
      BEGIN {
        OFS = "\t"
        while ((getline line < links) > 0) { split(line, part, "\t"); if (count[part[1]]++ == 0) first[part[1]] = part[2] }
        while ((getline line < devices) > 0) { split(line, part, "\t"); device[part[1]] = part[2] }
      }
      {
        group = ($9 != "-" && count[$9] > 1) ? first[$9] : "-"
        dev = ($2 == "c" || $2 == "b") ? device[$1] : "-"
        print $2, $3, $4, $5, $6, $7, group, dev, $8, $1
      }
    ' "$1/kept"
    echo xattrs
  } >"$2"
}

# listing_xattrs TREE WORK: WORK/xattrs, sorted, of the names kept.
listing_xattrs() {
  (cd "$1" && LC_ALL=C getfattr -R -P -h -d -m - -e hex .) 2>"$2/getfattr.err" \
    | LC_ALL=C awk -v drop="${LISTING_DROP:-}" "$listing_awk_lib"'
      BEGIN { listing_table() }
      function plain(s) {
        gsub(/%/, "%25", s)
        if (index(s, "\\")) { gsub(/\\012/, "%0A", s); gsub(/\\015/, "%0D", s); gsub(/\\075/, "%3D", s); gsub(/\\134/, "\\", s) }
        return listing_escape(s)
      }
      /^# file: / { path = plain(substr($0, 9)); next }
      $0 == "" { next }
      {
        cut = index($0, "="); name = cut ? substr($0, 1, cut - 1) : $0; value = cut ? substr($0, cut + 1) : "0x"
        if (name ~ /^btrfs\./ || name ~ /^trusted\.SGI_ACL_/ || (name ~ /^system\./ && name !~ /^system\.posix_acl_/)) next
        if (drop != "" && name == drop) next
        print path "\t" plain(name) "=" value
      }
    ' | LC_ALL=C sort >"$2/xattrs.all"
  # A file system without attributes holds none; whether that is a difference, the comparison says. A live tree loses files.
  if grep -v -e 'No such file or directory$' -e 'Operation not supported$' "$2/getfattr.err" >"$2/xattrs.err"; then return 1; fi
  if [ ! -f "$2/names" ]; then mv "$2/xattrs.all" "$2/xattrs"; return; fi
  LC_ALL=C awk -F '\t' -v names="$2/names" '
    BEGIN { if ((getline name < names) <= 0) eof = 1 }
    { while (!eof && name "" < $1 "") if ((getline name < names) <= 0) eof = 1; if (!eof && name "" == $1 "") print }
  ' "$2/xattrs.all" >"$2/xattrs"
}

# listing_make TREE WORK OUT [FILTERS]: writes the listing of TREE to OUT, with scratch files in the directory WORK.
# Sets listing_count listing_files listing_bytes listing_sparse listing_linked listing_excluded listing_sha256.
# Returns 1 with $listing_error when anything could not be read: half a listing is none.
listing_make() {
  listing_error=
  listing_tools || { listing_error="install $listing_missing on this host"; return 1; }
  rm -rf "$2"
  mkdir -p "$2" || { listing_error="cannot write $2"; return 1; }
  if [ -n "${4:-}" ] && [ -s "$4" ]; then
    listing_names "$1" "$2" "$4" || { listing_error="rsync cannot read $1: $(tail -n 3 "$2/names.err")"; return 1; }
  fi
  # The attributes are read beside the walk: they wait on the same disk but on another core.
  listing_xattrs "$1" "$2" &
  listing_beside=$!
  listing_failed=
  listing_entries "$1" "$2" || listing_failed="cannot read all of $1: $(tail -n 3 "$2/find.err")"
  [ -n "$listing_failed" ] || listing_devices "$1" "$2" || listing_failed="cannot read the devices in $1"
  [ -n "$listing_failed" ] || listing_join "$2" "$3" || listing_failed="cannot write $3"
  wait "$listing_beside" || listing_failed="${listing_failed:-cannot read the attributes in $1: $(tail -n 3 "$2/xattrs.err")}"
  if [ -n "$listing_failed" ]; then listing_error=$listing_failed; rm -rf "$2"; return 1; fi
  cat "$2/xattrs" >>"$3" || listing_error="cannot write $3"
  read -r listing_count listing_files listing_bytes listing_sparse listing_linked listing_excluded <"$2/stats" || return 1
  listing_sha256=$(sha256sum <"$3") && listing_sha256=${listing_sha256%% *}
  rm -rf "$2/empty" "$2/entries" "$2/xattrs"
  [ -z "$listing_error" ]
}

# listing_keep LISTING PLACE: keeps the last listing made, with its numbers beside it, for another job of the run.
listing_keep() {
  mv -f "$1" "$2" && printf '%s\n' "$listing_count $listing_files $listing_bytes $listing_sparse $listing_linked $listing_excluded $listing_sha256" \
    | atomic_write "$2.facts"
}

# listing_kept PLACE SHA256: reads the numbers of a listing that was kept; 1 unless it is there and has that sum.
listing_kept() {
  [ -f "$1" ] && [ -r "$1.facts" ] || return 1
  read -r listing_count listing_files listing_bytes listing_sparse listing_linked listing_excluded listing_sha256 <"$1.facts" || return 1
  [ "$listing_sha256" = "$2" ] || return 1
  listing_sum=$(sha256sum <"$1") && [ "${listing_sum%% *}" = "$2" ]
}

# listing_result: the numbers of the last listing as a JSON body.
listing_result() {
  printf '"entries":%s,"files":%s,"bytes":%s,"sparse":%s,"linked":%s,"excluded":%s,"sha256":"%s"' \
    "$listing_count" "$listing_files" "$listing_bytes" "$listing_sparse" "$listing_linked" "$listing_excluded" "$listing_sha256"
}

# listing_has FILE ATTRIBUTE: 0 when any entry of the listing carries that attribute.
listing_has() {
  LC_ALL=C grep -q "	$2=0x" "$1"
}

# listing_compare SOURCE TARGET OUT: the differences as `-LINE` (source's) and `+LINE` (target's), at most 20, into OUT;
# $listing_differences is their number, counted to the end. The listings are text without control characters, so they may be shown.
# Both are in one order, so they are read beside each other. Not by `diff`: busybox's (of a rescue system) has another output, and one that is
# missing has none, and no output must never mean that nothing differs. Lines that can't be compared count as a difference.
listing_compare() {
  if cmp -s "$1" "$2"; then
    listing_differences=0
    : >"$3"
    return
  fi
  listing_differences=''
  [ -r "$1" ] && [ -r "$2" ] && LC_ALL=C awk -v other="$2" -v out="$3" '
    # What a line is of, so that it sorts: the head, the entries by their paths, the attributes by path and name.
    function place(line,  n, part) {
      n = split(line, part, "\t")
      return n == 10 ? "1 " part[10] : n == 2 ? "3 " line : line == "xattrs" ? "2" : "0 " line
    }
    function advance() {
      if ((getline theirs < other) <= 0) over = 1
    }
    function tell(sign, line) { n++; if (n <= 20) print sign line > out }
    BEGIN { printf "" > out; advance() }
    !over && theirs "" == $0 "" { advance(); next }
    {
      own = place($0)
      while (!over && place(theirs) < own) { tell("+", theirs); advance() }
      if (over || place(theirs) != own) { tell("-", $0); next }
      if (theirs "" != $0 "") { tell("-", $0); tell("+", theirs) }
      advance()
    }
    END { while (!over) { tell("+", theirs); advance() } print n + 0 }
  ' "$1" >"$3.count" && read -r listing_differences <"$3.count"
  rm -f "$3.count"
  case $listing_differences in
    '' | *[!0-9]*)
      listing_differences=1
      printf '%s\n' '-the two listings can not be compared' >"$3"
      ;;
  esac
  [ "$listing_differences" = 0 ]
}

# listing_coarse FILE: prints the listing with its times cut to whole seconds, for a file system that keeps no more.
listing_coarse() {
  LC_ALL=C awk -F '\t' 'BEGIN { OFS = "\t" } NF == 10 { sub(/\..*/, "", $6) } { print }' "$1"
}
