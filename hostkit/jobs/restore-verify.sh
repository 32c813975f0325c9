# On the restored host: what lies there against the listing that came with the data. Only what the backup covers is compared: excluded
# paths, which the plan's protections name with foreign mounts among them, are not (S20), and with `extra` other files that were left are
# not either. Child datasets that were backed up are mounts too, and compared. A folder that the backup lacks and that holds something
# protected can't go: rsync removes no folder that isn't empty. It is no difference, and told as `kept`.
# keys: source:name? path:path? tree:tree subpath:subpath? excludes:b64? sha256:hex extra:bool=0

# Set or read elsewhere:
: "${LISTING_DROP-}" "${arg_excludes-}" "${arg_extra-}" "${arg_run-}" "${arg_sha256-}" "${arg_subpath-}" "${arg_tree-}" \
  "${destination-}" "${json-}" "${listing_differences-}" "${listing_error-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/listing.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/protect.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/destination.sh"

job_main() {
  destination_find
  protect_rules "$arg_excludes" filters || job_fail bad-request 'the excludes are not base64'
  gzip -dc "$RESURGO_VAR/runs/$arg_run/incoming/$arg_tree/listing.gz" >wanted 2>/dev/null \
    || job_fail not-found "the listing of $arg_tree has not arrived; send it again"
  verify_sum=$(sha256sum <wanted)
  [ "${verify_sum%% *}" = "$arg_sha256" ] || job_fail failed "the listing of $arg_tree that arrived is not the one of the backup"
  verify_ours=no
  if [ -z "$arg_subpath" ]; then
    # What was not sent is not looked at (restore-send): our snapshots have that name here, or the backup holds nothing of it.
    if protect_is_top "$destination"; then verify_ours=yes; fi
    # Without a filter rsync need not be asked what it would leave out, which takes as long as the listing itself.
    if [ -e "$destination/.resurgo" ] || [ -h "$destination/.resurgo" ]; then
      if [ "$verify_ours" = yes ] || ! cut -f 10 wanted | grep -qx '\.resurgo'; then protect_ours filters; fi
    fi
  fi
  LISTING_DROP=
  listing_has wanted security.selinux || LISTING_DROP=security.selinux
  listing_make "$destination" "$PWD/work" "$PWD/found" "$PWD/filters" || job_fail failed "$listing_error"
  verify_kept
  verify_covered wanted >wanted.covered
  verify_covered found >found.covered
  # A protected path inside a folder doesn't change the folder's own line; what does is that it was there before.
  listing_compare wanted.covered found.covered differences || :
  verify_strings differences
  verify_differences=$verify_strings
  # The top ones, and no more than anybody reads.
  LC_ALL=C awk '
    { kept[$0] = 1 }
    { parent = $0; if (sub("/[^/]*$", "", parent) && parent in kept) next; if (n++ < 20) print }
  ' kept >kept.top
  verify_strings kept.top
  job_result "\"equal\":$([ "$listing_differences" = 0 ] && echo true || echo false),\"count\":$listing_differences,\"differences\":[$verify_differences],\"kept\":[$verify_strings]"
}

# verify_strings FILE: sets $verify_strings to its lines as JSON strings.
verify_strings() {
  verify_strings=
  while IFS= read -r verify_line; do
    json_quote "$verify_line"
    verify_strings=$verify_strings${verify_strings:+,}$json
  done <"$1"
}

# verify_kept: writes to ./kept, sorted, the folders found that the backup lacks and in which, however deep, something lies that is not
# compared. Only where there are folders too many is the tree walked once more, for what the filters hide.
verify_kept() {
  : >kept
  [ "$arg_extra" = 0 ] || return 0
  LC_ALL=C awk -F '\t' 'NF != 10 { next } NR == FNR { wanted[$10] = 1; next } $1 == "d" && !($10 in wanted) { print $10 }' wanted found >many
  [ -s many ] || return 0
  mkdir -p hidden
  listing_entries "$destination" "$PWD/hidden" || job_fail failed "cannot read all of $destination: $(tail -n 3 hidden/find.err)"
  LC_ALL=C awk -F '\t' '
    FILENAME == "many" { many[$1] = 1; next }
    FILENAME == "found" { if (NF == 10) found[$10] = 1; next }
    $1 in found { next }
    {
      path = $1
      # A string: inside brackets busybox takes an escaped slash for a backslash and a slash.
      while (sub("/[^/]*$", "", path)) if (path in many && !(path in kept)) { kept[path] = 1; print path }
    }
  ' many found hidden/entries | LC_ALL=C sort >kept
  rm -rf hidden
}

# verify_covered FILE: the lines to be compared: of the found ones none of the folders kept; with `extra`, only paths that the backup has.
verify_covered() {
  if [ "$1" = wanted ]; then
    if [ "$verify_ours" = yes ]; then
      LC_ALL=C awk -F '\t' '{ path = NF == 10 ? $10 : NF == 2 ? $1 : "" } path != ".resurgo" && path !~ /^\.resurgo\// { print }' wanted
    else
      cat wanted
    fi
    return
  fi
  if [ "$arg_extra" = 0 ]; then
    LC_ALL=C awk -F '\t' 'FILENAME == "kept" { kept[$0] = 1; next } NF == 10 && $10 in kept { next } NF == 2 && $1 in kept { next } { print }' kept "$1"
    return
  fi
  LC_ALL=C awk -F '\t' '
    NR == FNR { if (NF == 10) covered[$10] = 1; next }
    NF == 10 { if ($10 in covered) print; next }
    NF == 2 { if ($1 in covered) print; next }
    { print }
  ' wanted "$1"
}
