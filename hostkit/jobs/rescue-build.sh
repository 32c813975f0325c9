# Makes this host's rescue system and the media that boot it, of its own kernel, modules, tools and boot loaders. Nothing leaves the host: the
# result lies in the run's folder until it is sent (or the run forgotten).
# keys: modules:word(common|needed|all)=common pinned:bool=1 network:word(captured|dhcp)=captured outputs:lines kernel:name?
# keys: storage:word(host|all)=host pack:word(fast|small)=fast layout:text?

# Set or read elsewhere:
: "${arg_group-}" "${arg_kernel-}" "${arg_layout-}" "${arg_modules-}" "${arg_network-}" "${arg_outputs-}" "${arg_pack-}" "${arg_pinned-}" "${arg_run-}" "${arg_storage-}" "${json-}" "${line-}" "${output_bios-}" "${output_names-}" "${output_secure-}" "${output_uefi-}" "${rescue_facts-}" "${rescue_lacks-}" "${rescue_lacks_packages-}" "${rescue_lacks_words-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/rescue-image.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/rescue-outputs.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/rescue-needs.sh"

job_main() {
  build_kinds=''
  for build_kind in $arg_outputs; do
    case " $OUTPUT_KINDS " in *" $build_kind "*) build_kinds="$build_kinds $build_kind" ;; *) job_fail bad-request "'$build_kind' is no kind of rescue medium: $OUTPUT_KINDS" ;; esac
  done
  # shellcheck disable=SC2086 # Words of ours.
  rescue_lacks_all $build_kinds
  if [ -n "$rescue_lacks" ]; then
    rescue_lacks_words
    job_fail missing-tool "rescue media are made of this host's own programs, and it lacks $rescue_lacks_words: install the packages $rescue_lacks_packages there (their names in Debian), or choose fewer outputs (rescue.outputs in the runbook)"
  fi
  rescue_kernel=${arg_kernel:-$(uname -r)}
  build_image=/boot/vmlinuz-$rescue_kernel
  [ -r "$build_image" ] || build_image=/lib/modules/$rescue_kernel/vmlinuz
  [ -r "$build_image" ] || job_fail not-found "kernel $rescue_kernel runs here, but neither /boot/vmlinuz-$rescue_kernel nor /lib/modules/$rescue_kernel/vmlinuz is there: reboot into the installed kernel"
  job_progress '"step":"collect"'
  rm -rf work
  mkdir work
  cd work || job_fail failed 'the folder of this job can not be entered'
  build_pinned=no
  [ "$arg_pinned" = 0 ] || build_pinned=yes
  rescue_compose "$rescue_kernel" "$arg_modules" "$build_pinned" "$arg_network" "$arg_storage" "$arg_pack" "$arg_layout"
  cp "$build_image" vmlinuz
  touch -d @0 vmlinuz initramfs.img
  job_progress '"step":"media"'
  output_names='' output_pinned='' output_secure=false output_bios='' output_uefi=''
  # shellcheck disable=SC2086 # Words of ours.
  outputs_make $build_kinds
  build_out=$RESURGO_VAR/runs/$arg_run/rescue
  rm -rf "$build_out"
  mkdir -p "${build_out%/*}"
  # Whose run it is: the sweep takes away what a dead one left, and an image may hold a secret.
  [ -e "${build_out%/*}/group" ] || atomic_put "${build_out%/*}/group" "$arg_group"
  mv out "$build_out"
  build_list=''
  for build_name in $output_names; do
    build_sum=$(sha256sum <"$build_out/$build_name")
    build_holds=false
    case " $output_pinned " in *" $build_name "*) build_holds=true ;; esac
    build_list="$build_list${build_list:+,}{\"name\":\"$build_name\",\"bytes\":$(stat -c %s "$build_out/$build_name"),\"sha256\":\"${build_sum%% *}\",\"pinned\":$build_holds}"
  done
  build_key=''
  if [ -n "$output_pinned" ]; then
    read_line "$RESURGO_ETC/rescue.key.pub"
    json_quote "$line"
    build_key=",\"hostKey\":$json"
  fi
  # Of an image; kernel and initramfs for the network start by either.
  build_boot=${output_bios:+",\"biosBoot\":$output_bios,\"uefiBoot\":$output_uefi"}
  cd .. && rm -rf work
  job_result "$rescue_facts,\"secureBoot\":$output_secure$build_boot,\"files\":[$build_list]$build_key"
}
