# Looks, without a boot, whether the new system can boot here: what fstab and crypttab name is there, a kernel with an initramfs that is newer
# than the last change and holds what its root needs, a loader's configuration that leads to them, boot code.
# keys: tree:tree firmware:word(bios|uefi) disks:lines?
# tools: blkid findmnt dmsetup? zpool?

# Set or read elsewhere:
: "${arg_firmware-}" "${arg_run-}" "${line-}" "${verify_kernel-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/new.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/chain.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/verify.sh"

job_main() {
  new_enter
  new_bind
  verify_fixed=0
  ! read_line "$RESURGO_VAR/runs/$arg_run/made/fixed" || verify_fixed=$line
  verify_chain
  verify_all "$arg_firmware" "$verify_fixed"
  json_quote "$verify_kernel"
  job_result "\"problems\":[$(new_strings <problems)],\"kernel\":$json"
}
