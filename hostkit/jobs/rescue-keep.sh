# Takes rescue media that have arrived into the store's list: receivers gone → what build.json says is there and nothing else → flushed →
# published by one rename → only the newest `keep` of that host stay, and whatever the target's own floor holds (S27). Of media that are in the list
# already it renews build.json, as after a boot, when they are still what it says.
# keys: store:name host:name id:id build:b64 build_sig:b64 files:lines keep:int=3

# Set or read elsewhere:
: "${arg_build-}" "${arg_build_sig-}" "${arg_files-}" "${arg_group-}" "${arg_host-}" "${arg_id-}" "${arg_keep-}" "${arg_run-}" "${arg_store-}" \
  "${signature_error-}" "${store_rescue-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/rescue-store.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/grants.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/jobs.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/signature.sh"

job_main() {
  rescue_store_load "$arg_store" "$arg_group" "$arg_host"
  keep_inputs
  grants_close_run "$arg_run"
  # Where this side dials, its receivers hang on no grant of ours.
  jobs_end_kind "$arg_group" "$arg_run" dial
  keep_here=$store_rescue/$arg_host
  keep_arrived=$keep_here/$arg_id
  if [ ! -d "$keep_arrived" ]; then
    keep_arrived=$keep_here/$arg_id.part
    [ -d "$keep_arrived" ] || job_fail not-found "nothing of the rescue media $arg_id of $arg_host has arrived here; send them again"
    keep_newest
  fi
  # The lease keeps others away; the lock is for whoever reads the list, and held for moments.
  keep_verify "$keep_arrived"
  rescue_store_lock
  keep_words "$keep_arrived"
  if [ "$keep_arrived" != "$keep_here/$arg_id" ]; then
    # In the place of whatever was sent under that name, also a folder: a medium that does not tell when it came is taken at its id's word.
    rm -rf --one-file-system -- "$keep_arrived/received"
    atomic_put "$keep_arrived/received" "$(date -u +%Y%m%d_%H%M%S)" || job_fail no-space "cannot write in $keep_arrived"
    mv -T -- "$keep_arrived" "$keep_here/$arg_id" || job_fail failed "cannot publish $keep_here/$arg_id"
  fi
  sync -f "$keep_here" || job_fail failed "cannot flush $keep_here to disk; look at the store's disk"
  keep_prune
  job_result "\"id\":\"$arg_id\",\"removed\":[$keep_removed]"
}

# keep_inputs: build.json and its signature as files, and `files` as words, checked before anything is touched.
keep_inputs() {
  printf '%s' "$arg_build" | base64 -d >build.json 2>/dev/null || job_fail bad-request 'build.json is not base64'
  printf '%s' "$arg_build_sig" | base64 -d >build.sig 2>/dev/null || job_fail bad-request 'the signature is not base64'
  signature_check build.json build.sig || job_fail not-allowed "$signature_error"
  for keep_said in "\"id\":\"$arg_id\"" "\"host\":\"$arg_host\""; do
    grep -qF "$keep_said" build.json || job_fail bad-request "build.json does not say $keep_said"
  done
  printf '%s\n' "$arg_files" >files
  while read -r keep_sum keep_bytes keep_name keep_rest; do
    if ! check_type hex "$keep_sum" || ! check_type int "$keep_bytes" || ! check_type name "$keep_name" || [ -n "$keep_rest" ]; then
      job_fail bad-request 'files are lines of sum, bytes and name'
    fi
    case $keep_name in build.json | build.sig | received) job_fail bad-request "$keep_name is no medium" ;; esac
    # Canonical JSON has one form: what is signed is what is looked for.
    grep -qF -e "{\"bytes\":$keep_bytes,\"name\":\"$keep_name\",\"pinned\":true,\"sha256\":\"$keep_sum\"}" \
      -e "{\"bytes\":$keep_bytes,\"name\":\"$keep_name\",\"pinned\":false,\"sha256\":\"$keep_sum\"}" build.json ||
      job_fail bad-request "build.json does not name $keep_name with that size and sum"
  done <files
  [ "$arg_keep" -ge 1 ] || job_fail bad-request 'at least one build is kept'
}

# keep_newest: an id that is not the newest would go at once, and one from the future would push the next ones out.
keep_newest() {
  keep_latest=$(date -u -d "@$(($(date +%s) + 900))" +%Y%m%d%H%M%S)
  [ "$(stores_number "$arg_id")" -le "$keep_latest" ] ||
    job_fail failed "clock: the id $arg_id lies in the future of this target's clock; set the clocks right and build again"
  keep_last=$(rescue_ids "$arg_host" | tail -n 1)
  [ -z "$keep_last" ] || [ "$(stores_number "$arg_id")" -gt "$(stores_number "$keep_last")" ] ||
    job_fail failed "clock: the id $arg_id is not newer than $keep_last, which is kept here; set the clocks right and build again"
}

# keep_verify FOLDER: holds exactly those files, plain ones, with those sums.
keep_verify() {
  for keep_path in "$1"/* "$1"/.[!.]* "$1"/..?*; do
    [ -e "$keep_path" ] || [ -h "$keep_path" ] || continue
    keep_name=${keep_path##*/}
    case $keep_name in build.json | build.sig | received) continue ;; esac
    awk -v name="$keep_name" '$3 "" == name "" { found = 1 } END { exit !found }' files ||
      job_fail failed "among the rescue media of $arg_host lies something that build.json does not name; build again"
  done
  while read -r keep_sum keep_bytes keep_name; do
    if [ ! -f "$1/$keep_name" ] || [ -h "$1/$keep_name" ]; then job_fail not-found "$keep_name of $arg_host has not arrived; send it again"; fi
    job_progress '"step":"verify"'
    keep_found=$(sha256sum <"$1/$keep_name") || job_fail failed "cannot read $1/$keep_name; look at the store's disk"
    keep_found=${keep_found%% *}
    [ "$keep_found $(stat -c %s "$1/$keep_name")" = "$keep_sum $keep_bytes" ] ||
      job_fail failed "$keep_name of $arg_host is not what was built: its SHA-256 here is $keep_found; build again, and look at both disks"
    chown 0:0 "$1/$keep_name"
    chmod 0600 "$1/$keep_name"
  done <files
  chown 0:0 "$1"
  chmod 0700 "$1"
}

keep_words() {
  for keep_word in build.sig build.json; do
    atomic_write "$1/$keep_word" <"$keep_word" || job_fail no-space "cannot write in $1"
  done
}

# keep_prune: the newest stay, and what the floor holds; a name goes first, so that no crash leaves half a medium under it.
keep_prune() {
  keep_removed=''
  keep_floor=$(rescue_floor "$arg_host") || job_fail internal 'cannot tell what of the rescue media has to stay; nothing was removed'
  for keep_id in $(rescue_ids "$arg_host" | sort -r | tail -n "+$((arg_keep + 1))" | grep -vxF -e "$keep_floor"); do
    mv -T -- "$keep_here/$keep_id" "$keep_here/.removing-$keep_id" || job_fail failed "cannot remove $keep_here/$keep_id"
    rm -rf --one-file-system -- "$keep_here/.removing-$keep_id"
    keep_removed="$keep_removed${keep_removed:+,}\"$keep_id\""
  done
}
