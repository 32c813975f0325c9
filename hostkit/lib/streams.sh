# A large copy in several streams: disjoint lists of plain files first, then one pass that has the last word on everything else.

# Set or read elsewhere:
: "${client_keep-}" "${client_inplace-}" "${client_share-}" "${client_sparse-}" "${listing_excluded-}" "${plan_big-}" "${plan_beside-}" "${plan_bytes-}" "${plan_cut-}" "${plan_files-}" \
  "${plan_rest-}" "${plan_streams-}" "${stat-}" "${streams_bad-}"

# Below this, one stream is quicker than several.
STREAMS_FEW_FILES=2000
STREAMS_FEW_BYTES=67108864

# streams_plan LISTING BEFORE STREAMS DIR KNOWN: from the source's listing, and from the listing BEFORE of what may lie at the target, what
# is to be sent, as lists of names ended by NUL. KNOWN is yes where exactly BEFORE lies there.
#   DIR/place.N   plain files that are written in place (S11: such a file has one name): large ones, and where the target is KNOWN those that it
#                 does not have, as there is nothing that they could spoil. A new folder stands for all that lies in it where that is small, has
#                 no hard links, and nothing in the source is excluded: told file by file, a first copy cost rsync a fifth more
#   DIR/small.N   small plain files that changed
#   DIR/cut       small files that were hard links of others in BEFORE and are not any more: they need new inodes, also when nothing else changed
#   DIR/rest      whatever else differs: folders, links, devices, attributes, and the folders whose times the streams spoil
# Sets plan_files (in streams) plan_bytes plan_big plan_cut plan_streams; plan_rest: none or some of DIR/rest, or whole: only a pass over the whole
# tree will do, because BEFORE is no more than a guess, links or types changed, or something is gone (a list of what is to be deleted is refused
# by the daemon of rsync 3.2.7, Debian 12's: "invalid file mode 00"); plan_beside: yes where the rest need not wait for the
# streams, as they touch no folder and nothing that the rest sends too (with the root rsync takes all that lies in it).
streams_plan() {
  rm -rf "$4"
  mkdir -p "$4" || return 1
  plan_before=/dev/null
  [ ! -s "$2" ] || plan_before=$2
  plan_deep=no
  [ "$5" = no ] || [ "${listing_excluded:-1}" != 0 ] || plan_deep=yes
  : >"$4/touched"
  [ "$5" = no ] || [ "$plan_before" = /dev/null ] || streams_touched "$1" "$plan_before" "$4" || return 1
  # A listing's lines carry everything that a change changes but the attributes. Both are sorted by path, as bytes.
  LC_ALL=C awk -F '\t' -v before="$plan_before" -v touched="$4/touched" -v known="$5" -v min="$STORES_INPLACE_BYTES" \
    -v allow="$client_inplace" -v deep="$plan_deep" -v dir="$4" '
    function older(  parts) {
      while ((getline old < before) > 0 && old != "xattrs") {
        parts = split(old, was, "\t")
        # As strings, here and below: names that look like numbers would be compared as numbers.
        if (parts == 10) { at = was[10] ""; if (was[7] != "-") linked[was[7] ""]; return }
      }
      over = 1
    }
    function attributes(path) {
      while (!calm && name < path) if ((getline name < touched) > 0) name = name ""; else calm = 1
      return !calm && name == path
    }
    # A string: inside brackets busybox takes an escaped slash for a backslash and a slash.
    function up(path) { return match(path, "/[^/]*$") ? substr(path, 1, RSTART - 1) : "." }
    function rest(path) { if (!(path in named)) { named[path]; print path > (dir "/rest.paths") } }
    BEGIN {
      printf "" > (dir "/big"); printf "" > (dir "/new"); printf "" > (dir "/small"); printf "" > (dir "/cut.paths")
      printf "" > (dir "/rest.paths"); printf "" > (dir "/folders")
      older()
    }
    /^xattrs$/ { exit }
    NF != 10 { next }
    {
      path = $10 ""
      while (!over && at < path) { whole = 1; older() }
      there = !over && at == path
      same = there && old == $0
      type = was[1]; group = was[7] ""
      if (there) older()
      if (same) { if (attributes(path)) { if (path ~ /%0A/) whole = 1; rest(path) }; next }
      if (there && (type != $1 || group != "-" || $7 != "-")) whole = 1
      # One more name for a file that has several there: told by its own name alone it would come as another file.
      if (!there && $7 != "-" && ($7 "") in linked) whole = 1
      if (path ~ /%0A/) { whole = 1; next }
      # Large ones have inodes of their own since the store was opened.
      if (there && $1 == "f" && $5 + 0 < min && group != "-" && group != $7 "" && ($7 == "-" || $7 "" == path)) { print path > (dir "/cut.paths"); cut++ }
      big = ($1 == "f" && $7 == "-" && $5 + 0 >= min && allow)
      if (deep == "yes" && !there && path != ".") {
        if ($1 == "d") { folder[++folders] = path; fresh_folder[path] }
        else if (big || $7 != "-") apart[up(path)]
        else if ($1 == "f") { held[up(path)]++; holds[up(path)] += $5 }
      }
      # What is only written in place leaves its folder as it is.
      if (path != "." && !(big && there)) rest(up(path))
      if ($1 != "f" || $7 != "-") rest(path)
      else if (big) { print $5, path > (dir "/big"); if (!there) fresh = 1; if (path !~ /\//) top = 1 }
      else if (known == "yes" && !there) print $5, path > (dir "/new")
      else print $5, path > (dir "/small")
    }
    END {
      while (!over) { whole = 1; older() }
      # A folder comes before all that lies in it.
      for (n = folders; n > 0; n--) {
        path = folder[n]; above = up(path)
        if (above in fresh_folder) { held[above] += held[path]; holds[above] += holds[path]; if (path in apart) apart[above] }
      }
      for (n = 1; n <= folders; n++) {
        path = folder[n]
        if (!(path in apart) && held[path] > 0) print sprintf("%.0f", holds[path]), held[path], path > (dir "/folders")
      }
      print ((known == "yes" && !whole) ? "some" : "whole"), cut + 0, ((fresh || (top && "." in named)) ? "no" : "yes") > (dir "/kind")
    }
  ' OFS='\t' "$1" || return 1
  read -r plan_rest plan_cut plan_beside <"$4/kind"
  LC_ALL=C sort -rn "$4/big" | LC_ALL=C awk -F '\t' -v streams="$3" -v dir="$4" -v kind="$plan_rest" -v few_files="$STREAMS_FEW_FILES" \
    -v few_bytes="$STREAMS_FEW_BYTES" '
    function unescape(s,  out, at) {
      out = ""
      while ((at = index(s, "%")) > 0) { out = out substr(s, 1, at - 1) byte[substr(s, at + 1, 2)]; s = substr(s, at + 3) }
      return "./" out s
    }
    # A small file costs its bytes and a fixed share for being a file at all.
    function weight(size) { return size + 16384 }
    function up(path) { return match(path, "/[^/]*$") ? substr(path, 1, RSTART - 1) : "." }
    # The folder that stands for it, or nothing.
    function stands(path) {
      for (; !(path in load_of); path = up(path)) if (path == ".") return ""
      return path
    }
    # Small enough that the streams still get equal shares.
    function take_folders(  line, part, most, own) {
      most = (streams > 1) ? all / streams / 8 : all
      while ((getline line < (dir "/folders")) > 0) {
        split(line, part, "\t")
        own = part[1] + 16384 * part[2]
        if (own <= most && stands(part[3]) == "") load_of[part[3]] = own
      }
    }
    function count(list,  line, part) {
      while ((getline line < list) > 0) { split(line, part, "\t"); all += weight(part[1]); bytes += part[1]; files++ }
      close(list)
    }
    # Neighbours stay together: a folder is then written by one stream.
    function spread(list, to,  line, part, name, own, top) {
      while ((getline line < list) > 0) {
        split(line, part, "\t")
        name = part[2]; own = weight(part[1])
        if ((top = stands(name)) != "") {
          if (top in told) continue
          told[top]; name = top; own = load_of[top]
        }
        while (i < streams && load[i] >= all / streams) i++
        load[i] += own
        print unescape(name) > (with_rest ? dir "/rest" : to "." i)
      }
    }
    function rewrite(list, to,  line) {
      printf "" > to
      while ((getline line < list) > 0) if (stands(line) == "") print unescape(line) > to
    }
    BEGIN { for (i = 1; i < 256; i++) byte[sprintf("%02X", i)] = sprintf("%c", i) }
    { big[++bigs] = $0; all += weight($1); bytes += $1; files++ }
    END {
      large = bytes
      count(dir "/new"); count(dir "/small")
      few = (files - bigs <= few_files && bytes - large <= few_bytes)
      # A few small files go with the rest: another connection would cost more than they do.
      with_rest = (kind != "whole" && few)
      if (few && bytes <= few_bytes) streams = 1
      if (!with_rest) take_folders()
      for (n = 1; n <= bigs; n++) {
        split(big[n], part, "\t")
        least = 1
        for (i = 2; i <= streams; i++) if (load[i] < load[least]) least = i
        load[least] += weight(part[1])
        print unescape(part[2]) > (dir "/place." least)
      }
      rewrite(dir "/rest.paths", dir "/rest"); rewrite(dir "/cut.paths", dir "/cut")
      i = 1
      spread(dir "/new", dir "/place"); spread(dir "/small", dir "/small")
      print (with_rest ? bigs + 0 : files + 0), sprintf("%.0f", bytes), bigs + 0, streams, (with_rest ? "yes" : "no") > (dir "/plan")
    }
  ' || return 1
  for plan_list in "$4"/place.* "$4"/small.* "$4/cut" "$4/rest"; do
    [ -f "$plan_list" ] || continue
    tr '\n' '\0' <"$plan_list" >"$plan_list.0" && mv "$plan_list.0" "$plan_list" || return 1
  done
  [ "$plan_rest" = whole ] || [ -s "$4/rest" ] || plan_rest=none
  read -r plan_files plan_bytes plan_big plan_streams plan_alone <"$4/plan"
  [ "$plan_alone/$plan_rest" = yes/some ] || plan_beside=no
}

# streams_touched LISTING BEFORE DIR: DIR/touched, the paths whose attributes differ, sorted.
streams_touched() {
  for streams_side in "$1" "$2"; do
    streams_out=$3/attributes
    [ "$streams_side" = "$1" ] || streams_out=$3/attributes.before
    LC_ALL=C sed '1,/^xattrs$/d' "$streams_side" >"$streams_out" || return 1
  done
  cmp -s "$3/attributes" "$3/attributes.before" ||
    LC_ALL=C comm -3 "$3/attributes.before" "$3/attributes" | LC_ALL=C awk -F '\t' '{ print ($1 == "") ? $2 : $1 }' | LC_ALL=C sort -u >"$3/touched"
}

# streams_one N ROOT: one stream: what is written in place first, so that a break costs only what was on the way; then the others.
streams_one() {
  streams_list "place.$1" "$2" -r --inplace --partial || return
  streams_list "small.$1" "$2" "$client_keep" || return
}

# streams_rest ROOT: what differs and is in no stream. The filter is for the root's own content, which comes with the root.
streams_rest() {
  client_rsync rest -H --partial --force --filter="merge filters" "$client_sparse" --from0 --files-from=lists/rest "$1/" peer::data/
}

# streams_list NAME ROOT ARG…: the files of one list. What takes a folder's place needs the force to remove it.
streams_list() {
  [ -s "lists/$1" ] || return 0
  streams_name=$1
  streams_root=$2
  shift 2
  client_rsync "$streams_name" --force "$client_sparse" "$@" --from0 --files-from="lists/$streams_name" "$streams_root/" peer::data/
}

# streams_run N ROOT TOTAL: all of them side by side; returns 1 with $streams_bad, the pass that failed first.
streams_run() {
  streams_names=
  streams_pids=
  client_share=$1
  [ "$plan_beside" = no ] || client_share=$((client_share + 1))
  streams_i=1
  while [ "$streams_i" -le "$1" ]; do
    for streams_kind in place small; do
      [ ! -s "lists/$streams_kind.$streams_i" ] || streams_names="$streams_names $streams_kind.$streams_i"
    done
    rm -f "place.$streams_i.rc" "small.$streams_i.rc"
    streams_one "$streams_i" "$2" &
    streams_pids="$streams_pids $!"
    streams_i=$((streams_i + 1))
  done
  if [ "$plan_beside" = yes ]; then
    rm -f rest.rc
    streams_rest "$2" &
    streams_pids="$streams_pids $!"
    streams_names="$streams_names rest"
  fi
  streams_total=$3
  set --
  for streams_name in $streams_names; do set -- "$@" "$streams_name"; done
  client_watch "$streams_total" "$@" &
  streams_watcher=$!
  for streams_pid in $streams_pids; do wait "$streams_pid" || :; done
  kill "$streams_watcher" 2>/dev/null || :
  wait "$streams_watcher" 2>/dev/null || :
  client_share=1
  streams_bad=
  for streams_name in $streams_names; do
    streams_code=255
    [ ! -s "$streams_name.rc" ] || read -r streams_code <"$streams_name.rc"
    [ "$streams_code" = 0 ] || { streams_bad=$streams_name; return 1; }
    client_stat "$streams_name.out" 'Total bytes sent'
    sent_bytes=$((sent_bytes + stat))
    client_stat "$streams_name.out" 'Number of regular files transferred'
    sent_files=$((sent_files + stat))
    client_stat "$streams_name.out" 'Number of deleted files'
    deleted=$((deleted + stat))
  done
}
