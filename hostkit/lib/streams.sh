# A large copy in several streams: disjoint lists of plain files first, then one whole pass that has the last word on everything.

# Set or read elsewhere:
: "${client_inplace-}" "${client_share-}" "${client_sparse-}" "${plan_big-}" "${plan_bytes-}" "${plan_files-}" "${stat-}" \
  "${streams_bad-}"

# streams_plan LISTING HINT STREAMS DIR: from the source's listing, and from the listing of the copy before (HINT, may be absent),
# the files that changed, spread over DIR/big.N and DIR/small.N (names ended by NUL). Only regular files without hard links
# go here: links need the whole pass (S9), and a file written in place must have one name (S11). Sets plan_files plan_bytes plan_big.
streams_plan() {
  rm -rf "$4"
  mkdir -p "$4" || return 1
  plan_hint=/dev/null
  [ ! -s "$2" ] || plan_hint=$2
  # A listing's lines carry everything that a change changes, so the new ones are those that the hint lacks.
  LC_ALL=C sort -t '	' -k 10 "$plan_hint" 2>/dev/null | LC_ALL=C awk -F '\t' 'NF == 10' >"$4/before"
  LC_ALL=C awk -F '\t' -v before="$4/before" -v min="$STORES_INPLACE_BYTES" -v allow="$client_inplace" -v big="$4/big" -v small="$4/small" '
    function next_before() { if ((getline line < before) > 0) { split(line, part, "\t"); path = part[10] } else { eof = 1 } }
    BEGIN { OFS = "\t"; next_before(); printf "" > big; printf "" > small }
    /^xattrs$/ { exit }
    $1 != "f" || $7 != "-" || $10 ~ /%0A/ { next }
    {
      while (!eof && path < $10) next_before()
      if (!eof && path == $10 && line == $0) next
      if ($5 + 0 >= min && allow) print $5, $10 > big; else print $5, $10 > small
    }
  ' "$1" || return 1
  LC_ALL=C sort -rn "$4/big" | LC_ALL=C awk -F '\t' -v streams="$3" -v dir="$4" -v small="$4/small" '
    function unescape(s,  out, at) {
      out = ""
      while ((at = index(s, "%")) > 0) { out = out substr(s, 1, at - 1) byte[substr(s, at + 1, 2)]; s = substr(s, at + 3) }
      return out s
    }
    # A small file costs its bytes and a fixed share for being a file at all.
    function weight(size) { return size + 16384 }
    BEGIN { for (i = 1; i < 256; i++) byte[sprintf("%02X", i)] = sprintf("%c", i) }
    {
      least = 1
      for (i = 2; i <= streams; i++) if (load[i] < load[least]) least = i
      load[least] += weight($1); all += weight($1); bytes += $1; files++; bigs++
      print "./" unescape($2) > (dir "/big." least)
    }
    END {
      while ((getline line < small) > 0) { split(line, part, "\t"); all += weight(part[1]); bytes += part[1]; files++ }
      close(small)
      i = 1
      # Neighbours stay together: a folder is then written by one stream.
      while ((getline line < small) > 0) {
        split(line, part, "\t")
        while (i < streams && load[i] >= all / streams) i++
        load[i] += weight(part[1])
        print "./" unescape(part[2]) > (dir "/small." i)
      }
      printf "%d %.0f %d\n", files, bytes, bigs > (dir "/plan")
    }
  ' || return 1
  for plan_list in "$4"/big.* "$4"/small.*; do
    [ -f "$plan_list" ] || continue
    tr '\n' '\0' <"$plan_list" >"$plan_list.0" && mv "$plan_list.0" "$plan_list" || return 1
  done
  read -r plan_files plan_bytes plan_big <"$4/plan"
}

# streams_one N ROOT: one stream: its large files in place, so that a break costs only what was on the way; then its small ones.
streams_one() {
  if [ -s "lists/big.$1" ]; then
    client_rsync "big.$1" --inplace --partial "$client_sparse" --from0 --files-from="lists/big.$1" "$2/" peer::data/ || return
  fi
  if [ -s "lists/small.$1" ]; then
    client_rsync "small.$1" -W "$client_sparse" --from0 --files-from="lists/small.$1" "$2/" peer::data/ || return
  fi
}

# streams_run N ROOT TOTAL: all of them side by side; returns 1 with $streams_bad, the pass that failed first.
streams_run() {
  streams_names=
  streams_pids=
  client_share=$1
  streams_i=1
  while [ "$streams_i" -le "$1" ]; do
    for streams_kind in big small; do
      [ ! -s "lists/$streams_kind.$streams_i" ] || streams_names="$streams_names $streams_kind.$streams_i"
    done
    rm -f "big.$streams_i.rc" "small.$streams_i.rc"
    streams_one "$streams_i" "$2" &
    streams_pids="$streams_pids $!"
    streams_i=$((streams_i + 1))
  done
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
  done
}
