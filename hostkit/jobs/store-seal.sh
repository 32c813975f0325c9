# Seals what was received (S17): clock → grants closed → receivers gone → flushed → all trees compared → published in one step.
# `trees` (base64, one a line) names what this backup holds; anything else in `current` goes. Without it, every tree in
# `current` must have been compared. Manifest, runbook and trees may be compressed (gzip): those of a large fleet don't fit otherwise.
# What of a manifest does not fit one line of a request comes as `manifest_rest`.
# keys: store:name id:id manifest:b64 manifest_rest:b64? manifest_sig:b64 runbook:b64? trees:b64?

# Set or read elsewhere:
: "${arg_group-}" "${arg_id-}" "${arg_manifest-}" "${arg_manifest_rest-}" "${arg_manifest_sig-}" "${arg_run-}" "${arg_runbook-}" "${arg_store-}" \
  "${listing_find-}" "${listing_missing-}" "${signature_error-}" "${store_current-}" "${store_error-}" "${store_kind-}" \
  "${store_open_run-}" "${store_root-}" "${store_view-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/listing.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/stores.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/grants.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/jobs.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/signature.sh"

job_main() {
  stores_load "$arg_store" "$arg_group"
  seal_inputs
  grants_close_run "$arg_run"
  # Where this side dials, its receivers hang on no grant of ours.
  jobs_end_kind "$arg_group" "$arg_run" dial
  with_lock "$(stores_lock_name)"
  kind_swept || job_fail failed "$store_error"
  if stores_has "$arg_id"; then seal_again; return; fi
  if ! stores_marked || [ "$store_open_run" != "$arg_run" ]; then
    job_fail fenced "store '$arg_store' is not open for run $arg_run: another run took it over; open it again and repeat the copy"
  fi
  # Ids from the future would push real backups out of what `keep` protects (S27); the director's clock may be a little ahead.
  seal_latest=$(date -u -d "@$(($(date +%s) + 900))" +%Y%m%d%H%M%S)
  if [ "$(stores_number "$arg_id")" -gt "$seal_latest" ]; then
    job_fail failed "clock: the id $arg_id lies in the future of this target's clock; set the clocks right and freeze again"
  fi
  stores_last
  if [ -n "$store_last" ] && [ "$(stores_number "$arg_id")" -le "$(stores_number "$store_last")" ]; then
    job_fail failed "clock: the new id $arg_id is not newer than $store_last, which is sealed here; set the clocks right and freeze again"
  fi
  stores_need_space
  seal_trees
  seal_resurgo
  job_progress '"step":"flush"'
  sync -f "$store_current" || job_fail failed "cannot flush $store_current to disk; look at the store's disk"
  seal_unwritten
  job_progress '"step":"publish"'
  if ! kind_publish "$arg_id"; then
    stores_mark "$arg_run"
    # To try again by itself would not help: a person makes room first.
    case $store_error in
      *'No space left on device'* | *'Disk quota exceeded'* | *'out of space'*)
        job_fail no-space "store '$arg_store' filled up while $arg_id was published, so nothing of it is sealed; prune, or make it larger: $store_error"
        ;;
    esac
    job_fail failed "$store_error"
  fi
  seal_after
}

# seal_inputs: the manifest and its signature as files, checked before anything is touched.
seal_inputs() {
  seal_text manifest.json "$arg_manifest$arg_manifest_rest" || job_fail bad-request 'the manifest is not base64'
  [ -s manifest.json ] || job_fail bad-request 'the manifest is empty'
  printf '%s' "$arg_manifest_sig" | base64 -d >manifest.sig 2>/dev/null || job_fail bad-request 'the signature is not base64'
  seal_text runbook.yaml "$arg_runbook" || job_fail bad-request 'the runbook is not base64'
  signature_check manifest.json manifest.sig || job_fail not-allowed "$signature_error"
  grep -qF "\"$arg_id\"" manifest.json || job_fail bad-request "the manifest does not name the id $arg_id"
}

# seal_text FILE BASE64: the text as a file; compressed or not is told by its first bytes. No text of ours is over 64 MiB (S29).
seal_text() {
  printf '%s' "$2" | base64 -d >"$1.sent" 2>/dev/null || return 1
  if [ "$(head -c 2 "$1.sent" | od -An -tx1 | tr -d ' ')" = 1f8b ]; then
    gzip -t <"$1.sent" 2>/dev/null || return 1
    gzip -dc <"$1.sent" | head -c 67108864 >"$1" || return 1
    rm -f "$1.sent"
  else
    mv -f "$1.sent" "$1"
  fi
}

# seal_again: the id exists. The same manifest means that an answer was lost; another one is a collision.
seal_again() {
  mkdir -p again
  kind_view "$arg_id" "$PWD/again" || job_fail failed "$store_error"
  seal_same=no
  ! cmp -s "$store_view/resurgo/manifest.json" manifest.json || seal_same=yes
  kind_unview "$arg_id" "$PWD/again"
  [ "$seal_same" = yes ] || job_fail exists "store '$arg_store' holds another backup with the id $arg_id; freeze again"
  seal_after
}

# seal_trees: what is in `current` is what was compared, and what was compared is in `current`.
seal_trees() {
  seal_compared=$RESURGO_VAR/runs/$arg_run/compared
  if [ -n "$arg_trees" ]; then
    seal_text trees "$arg_trees" || job_fail bad-request 'the trees are not base64'
    echo >>trees
    while IFS= read -r seal_tree; do
      [ -n "$seal_tree" ] || continue
      check_type tree "$seal_tree" || job_fail bad-request "a tree's name is none"
      seal_one "$seal_tree"
    done <trees
  fi
  seal_any=no
  for seal_path in "$store_current"/* "$store_current"/.[!.]* "$store_current"/..?*; do
    [ -e "$seal_path" ] || [ -h "$seal_path" ] || continue
    seal_tree=${seal_path##*/}
    [ "$seal_tree" != resurgo ] || continue
    if [ -n "$arg_trees" ] && ! grep -qxF -- "$seal_tree" trees; then
      # Left from the backup before: a source that is gone, or one that this partial backup lacks.
      rm -rf --one-file-system -- "$seal_path" || job_fail failed "cannot remove $seal_path, which is no part of this backup"
      continue
    fi
    seal_one "$seal_tree"
    seal_any=yes
  done
  [ "$seal_any" = yes ] || job_fail failed 'there is no tree to seal: nothing was sent'
}

seal_one() {
  if [ ! -d "$store_current/$1" ] || [ -h "$store_current/$1" ]; then job_fail not-found "the tree $1 has not arrived; send it again"; fi
  config_accepts "$arg_store" "$arg_group" "$1" || job_fail not-allowed "store '$arg_store' does not take the tree $1"
  [ -s "$seal_compared/$1" ] || job_fail failed "the tree $1 has not been compared with its source in this run; compare it (S9)"
  # Receivers ran until the grants were closed above; what they did after the comparison was compared by nobody.
  listing_tools || job_fail missing-tool "install $listing_missing on this host"
  seal_later=$("$listing_find" "$store_current/$1" -newercc "$seal_compared/.begun.$1" -printf x -quit) \
    || job_fail failed "cannot read $store_current/$1"
  [ -z "$seal_later" ] || job_fail failed "the tree $1 was written after it was compared; compare it again"
}

# seal_resurgo: what makes the backup explain itself.
seal_resurgo() {
  rm -rf -- "$store_current/resurgo"
  mkdir -m 0700 "$store_current/resurgo" "$store_current/resurgo/listings" || job_fail no-space "cannot write in $store_current"
  cp manifest.json manifest.sig "$store_current/resurgo/" || job_fail no-space "cannot write in $store_current"
  [ ! -s runbook.yaml ] || cp runbook.yaml "$store_current/resurgo/" || job_fail no-space "cannot write in $store_current"
  for seal_mark in "$seal_compared"/*; do
    seal_tree=${seal_mark##*/}
    [ -d "$store_current/$seal_tree" ] || continue
    cp "$RESURGO_VAR/runs/$arg_run/listings/$seal_tree.gz" "$store_current/resurgo/listings/" || job_fail no-space "cannot write in $store_current"
  done
  seal_layouts
}

# seal_layouts: those that the signed manifest names by their sums, each of them. What a former try of the run has left is none of them.
seal_layouts() {
  grep -o '"sha256":"[0-9a-f]\{64\}"' manifest.json | cut -d '"' -f 4 | sort -u >layouts.named
  [ -s layouts.named ] || return 0
  mkdir -m 0700 "$store_current/resurgo/layouts" || job_fail no-space "cannot write in $store_current"
  : >layouts.any
  for seal_layout in "$RESURGO_VAR/runs/$arg_run/layouts"/*.json; do
    [ -f "$seal_layout" ] || continue
    seal_sum=$(sha256sum <"$seal_layout")
    seal_sum=${seal_sum%% *}
    grep -qxF "$seal_sum" layouts.named || continue
    cp "$seal_layout" "$store_current/resurgo/layouts/" || job_fail no-space "cannot write in $store_current"
    printf '%s\n' "$seal_sum" >>layouts.any
  done
  sort -u layouts.any >layouts.found
  cmp -s layouts.named layouts.found || job_fail not-found 'a layout that the manifest names has not arrived, or is another: make the backup anew'
}

# seal_unwritten: where the mark lies inside what is published, another takes its place first: a seal that is cut off here goes on.
seal_unwritten() {
  [ "$store_kind" = zfs ] || return 0
  atomic_put "$store_catalog/SEALING" "run $arg_run" || job_fail no-space "cannot write in $store_catalog"
  rm -f "$store_root/INCOMPLETE"
}

seal_after() {
  stores_unmark
  stores_catalogue_files manifest.json manifest.sig "$arg_id"
  sync -f "$store_root"
  job_result "\"id\":\"$arg_id\""
}
