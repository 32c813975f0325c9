# Puts the director's own hostkit in the place of this one, in the rescue system alone: media outlive the version that they were built with, and a
# host that is gone builds no others. It lies in memory, as all here does. `tree` and `rest` together are the tar.gz of its parts, `sum` is theirs as
# `probe` tells it. Idempotent; refused (`busy`) while a job runs, which reads its parts as it goes.
# keys: version:name sum:hex tree:b64 rest:b64?

: "${arg_rest-}" "${arg_sum-}" "${arg_tree-}" "${arg_version-}" "${job_state-}" "${kit_sum-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/jobs.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/kit.sh"

verb_main() {
  with_lock kit
  jobs_each kit_no_job
  kit_new=$RESURGO_LIB.new kit_old=$RESURGO_LIB.old
  rm -rf -- "$kit_new" "$kit_old"
  kit_unpack
  kit_swap
  reply
}

kit_no_job() {
  job_look "$1"
  case $job_state in running | starting) fail busy "job $1 runs in this rescue system: end its run first (resurgo abort), or boot it anew" ;; esac
}

kit_unpack() {
  mkdir -m 0755 "$kit_new"
  printf '%s%s' "$arg_tree" "$arg_rest" | base64 -d >"$kit_new.tar.gz" || kit_refuse bad-request 'the parts of the hostkit are no base64'
  gzip -t "$kit_new.tar.gz" 2>/dev/null || kit_refuse bad-request 'the parts of the hostkit are no tar.gz'
  tar -xzf "$kit_new.tar.gz" -C "$kit_new" || kit_refuse no-space 'the hostkit of this director can not be unpacked here: is the memory of this rescue system full?'
  [ -z "$(find "$kit_new" ! -type d ! -type f)" ] || kit_refuse bad-request 'a hostkit has folders and files, and nothing else'
  if ! kit_sum "$kit_new" || [ "$kit_sum" != "$arg_sum" ]; then kit_refuse bad-request 'the parts of the hostkit arrived otherwise than they were sent'; fi
  printf '%s %s\n' "$arg_version" "$arg_sum" >"$kit_new/VERSION"
  chown -R 0:0 "$kit_new"
  find "$kit_new" \( -type d -o ! -name VERSION \) -exec chmod 0755 {} +
  chmod 0644 "$kit_new/VERSION"
}

kit_refuse() {
  rm -rf -- "$kit_new" "$kit_new.tar.gz"
  fail "$@"
}

# kit_swap: what LVM and md are told was laid at their places by the older one (hostkit/lib/rescue-image.sh). All that takes memory is done
# before the first of the two that leave it without a hostkit for a moment.
kit_swap() {
  for kit_file in /etc/lvm/lvm.conf /etc/mdadm/mdadm.conf; do
    if ! mkdir -p "${kit_file%/*}" || ! cp "$kit_new/rescue/${kit_file##*/}" "$kit_file.resurgo-new" || ! mv -f "$kit_file.resurgo-new" "$kit_file"; then
      kit_refuse no-space "$kit_file can not be written here: is the memory of this rescue system full?"
    fi
  done
  mv "$RESURGO_LIB" "$kit_old"
  mv "$kit_new" "$RESURGO_LIB" || { mv "$kit_old" "$RESURGO_LIB" && kit_refuse failed "$RESURGO_LIB can not be replaced: boot the rescue system anew"; }
  rm -rf -- "$kit_old" "$kit_new.tar.gz"
}
