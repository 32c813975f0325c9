# Makes the initramfs of every kernel of the new system anew, by its own tool, with the drivers that its root needs on this machine. With
# `keep` those of Debian's tool are left as they were restored, where nothing of the configuration was changed (new-fix) and each has the
# drivers that are needed: a new one would hold the same. What dracut makes may hold the old machine's devices, and is made anew.
# keys: tree:tree tool:word(auto|update-initramfs|dracut|mkinitrd)=auto keep:bool=0
# tools: blkid findmnt dmsetup?

# Set or read elsewhere:
: "${arg_keep-}" "${arg_run-}" "${arg_tool-}" "${chain_needs-}" "${new-}" "${new_initramfs-}" "${verify_why-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/new.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/chain.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/verify.sh"

job_main() {
  new_enter
  initramfs_tool=$arg_tool
  if [ "$initramfs_tool" = auto ]; then
    for initramfs_tool in update-initramfs dracut mkinitrd none; do ! new_has "$initramfs_tool" || break; done
  fi
  [ "$initramfs_tool" != none ] || job_fail missing-tool 'the new system has no tool that makes an initramfs (update-initramfs, dracut or mkinitrd): recover it by hand (docs/by-hand.md)'
  new_kernels >kernels
  [ -s kernels ] || job_fail not-found "the new system has no kernel with its modules in $new/boot and /lib/modules: is /boot in the backup, and mounted?"
  new_bind
  if [ "$arg_keep" = 1 ] && [ "$initramfs_tool" = update-initramfs ] && initramfs_fits; then
    job_result "\"tool\":\"$initramfs_tool\",\"kernels\":[$(new_strings <kernels)],\"kept\":true,\"warnings\":[]"
    return
  fi
  chain_needs / /usr /boot
  : >tool.out
  initramfs_started=$(date +%s)
  case $initramfs_tool in
    update-initramfs)
      initramfs_run update-initramfs -u -k all
      while IFS= read -r initramfs_kernel; do
        # -u knows those alone that had one.
        new_initramfs "$initramfs_kernel" || initramfs_run update-initramfs -c -k "$initramfs_kernel"
      done <kernels
      ;;
    dracut)
      while IFS= read -r initramfs_kernel; do
        initramfs_run dracut --force --kver "$initramfs_kernel" --add-drivers "$(initramfs_modules "$initramfs_kernel")"
      done <kernels
      ;;
    mkinitrd) initramfs_run mkinitrd ;;
  esac
  while IFS= read -r initramfs_kernel; do
    if ! new_initramfs "$initramfs_kernel" || ! new_since "$new_initramfs" "$initramfs_started"; then
      job_fail failed "$initramfs_tool made no initramfs of kernel $initramfs_kernel, and did not say so: $(initramfs_words)"
    fi
  done <kernels
  # Flushed: what comes next may be the reset button.
  sync
  grep -E '^(W|E|warning|WARNING|ERROR|dracut[^ ]*): ' tool.out | grep -iE 'warn|error|fail|^W:|missing' | sort -u | head -n 10 >warnings || :
  job_result "\"tool\":\"$initramfs_tool\",\"kernels\":[$(new_strings <kernels)],\"warnings\":[$(new_strings <warnings)]"
}

# Whether what was restored is what would be made. Not where another than Debian's own answers to that name, nor where its configuration asks
# for the drivers of the machine alone: the root's are not all that this one may want, as those of a keyboard for a passphrase.
initramfs_fits() {
  [ ! -e "$RESURGO_VAR/runs/$arg_run/made/fixed" ] || return 1
  new_has mkinitramfs || return 1
  ! grep -qsE "^[[:space:]]*(export[[:space:]]+)?MODULES=[\"']?dep" "$new/etc/initramfs-tools/initramfs.conf" "$new/etc/initramfs-tools/conf.d"/* "$new/usr/share/initramfs-tools/conf.d"/* || return 1
  verify_chain
  # At least its file system wants a driver: nothing at all was found out then.
  [ -n "$chain_needs" ] || return 1
  while IFS= read -r initramfs_kernel <&5; do
    verify_initramfs "$initramfs_kernel" 0
    [ -z "$verify_why" ] || return 1
  done 5<kernels
}

initramfs_run() {
  new_run "$@" >>tool.out 2>&1 || job_fail failed "$1 of the new system failed: $(initramfs_words)"
}

initramfs_words() { tail -n 5 tool.out | tr '\n' ' '; }

# initramfs_modules KERNEL: prints those of the modules needed that this kernel has as files: others are built in, or not there, which
# new-verify tells.
initramfs_modules() {
  for initramfs_module in $chain_needs; do
    ! sed 's/:.*//' "$new_modules/$1/modules.dep" | sed 's|.*/||; s/\.ko.*//' | tr - _ | grep -qx "$initramfs_module" || printf '%s ' "$initramfs_module"
  done
}
