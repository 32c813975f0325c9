# iso: one image for CD and USB stick, for BIOS and UEFI, or for the one of them that this host has boot code for.

# Set or read elsewhere:
: "${OUTPUT_GRUB-}" "${OUTPUT_GRUB_MODULES-}" "${output_names-}" "${output_pinned-}"

output_iso_needs() { printf 'xorriso xorriso\nmcopy mtools\nmkfs.vfat dosfstools\ngrub-mkimage grub-common\n'; }

output_iso_make() {
  rm -rf iso esp efi.img
  mkdir -p iso/boot/grub iso/.disk esp
  ln vmlinuz iso/boot/vmlinuz
  if [ -f pinned.cpio ]; then
    cat pinned.cpio initramfs.img >iso/boot/initramfs.img
    output_pinned="${output_pinned-} rescue.iso"
  else
    ln initramfs.img iso/boot/initramfs.img
  fi
  printf 'Resurgo rescue system\n' >iso/.disk/mini-info
  outputs_config iso/boot/grub
  output_uefi=false output_bios=false
  set --
  if outputs_efi_loaders esp; then
    iso_efi_image
    set -- -append_partition 2 0xef efi.img -appended_part_as_gpt -e '--interval:appended_partition_2:all::' -no-emul-boot
    output_uefi=true
  fi
  _oi_bios=$OUTPUT_GRUB/i386-pc
  if [ -f "$_oi_bios/boot_hybrid.img" ]; then
    cat >early.cfg <<'GRUB'
search --file --set=root /.disk/mini-info
set prefix=($root)/boot/grub
GRUB
    # shellcheck disable=SC2086 # Words.
    grub-mkimage -O i386-pc-eltorito -d "$_oi_bios" -p /boot/grub -c early.cfg -o iso/boot/grub/eltorito.img biosdisk $OUTPUT_GRUB_MODULES ||
      fail failed 'grub-mkimage can not make a boot loader for BIOS'
    [ "$output_uefi" = false ] || set -- -eltorito-alt-boot "$@"
    set -- -b boot/grub/eltorito.img -no-emul-boot -boot-load-size 4 -boot-info-table --grub2-boot-info \
      --grub2-mbr "$_oi_bios/boot_hybrid.img" "$@"
    output_bios=true
  fi
  [ "$output_uefi$output_bios" != falsefalse ] ||
    fail missing-tool 'this host has boot code neither for UEFI (shim-signed and grub-efi-amd64-signed, or grub-efi-amd64-bin) nor for BIOS (grub-pc-bin): a medium needs one of them'
  find iso -exec touch -h -d @0 {} +
  # Dates and ids are fixed, so that the same files make the same image.
  SOURCE_DATE_EPOCH=0 xorriso -as mkisofs -quiet -r -J -V RESURGO --modification-date=1970010100000000 \
    -partition_offset 16 "$@" -o out/rescue.iso iso >xorriso.log 2>&1 ||
    fail failed "xorriso can not make the image: $(tail -n 3 xorriso.log | tr '\n' ' ')"
  rm -rf iso esp efi.img
  output_names="${output_names-} rescue.iso"
}

# iso_efi_image: a small FAT file system with the boot loaders, as UEFI wants it on a CD.
iso_efi_image() {
  # Files in whole clusters of at most 4 KiB, and 64 KiB for the tables and folders.
  _oi_kib=$(find esp -type f -exec stat -c %s {} + | awk '{ sum += int(($1 + 4095) / 4096) * 4 } END { print sum }')
  truncate -s $((_oi_kib + 64))K efi.img
  SOURCE_DATE_EPOCH=0 mkfs.vfat -i 52455355 --invariant efi.img >/dev/null || fail failed 'mkfs.vfat can not make the boot partition of the image'
  find esp -exec touch -d @315532800 {} +
  mcopy -s -m -i efi.img esp/EFI ::/ || fail failed 'mcopy can not fill the boot partition of the image'
}
