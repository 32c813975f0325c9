# What a rescue system is written as: one file a kind in outputs/KIND.sh, each with
#   output_KIND_needs     prints `PROGRAM PACKAGE` lines of what it is made with
#   output_KIND_make      makes ./out/NAME… from ./vmlinuz, ./initramfs.img and (media that a person carries) ./pinned.cpio before it; sets
#                         $output_names, $output_pinned to those that hold the pinned host key, and where a machine's firmware starts it
#                         $output_bios and $output_uefi (true|false); fails the request where it can't
# The boot loaders are the host's own: signed ones where they are installed, so that Secure Boot lets them through.

# Set or read elsewhere:
: "${rescue_path-}"

OUTPUT_KINDS='iso usb pxe'
for _out_kind in $OUTPUT_KINDS; do
  # shellcheck source=/dev/null
  . "$RESURGO_LIB/outputs/$_out_kind.sh"
done

# outputs_make KIND…: makes each, after all that any of them needs has been found here.
outputs_make() {
  _om_missing=''
  for _om_kind in "$@"; do
    while read -r _om_program _om_package; do
      [ -n "$_om_program" ] || continue
      rescue_find "$_om_program" || case " $_om_missing " in *" $_om_package "*) ;; *) _om_missing="$_om_missing $_om_package" ;; esac
    done <<NEEDS
$("output_${_om_kind}_needs")
NEEDS
  done
  [ -z "$_om_missing" ] || fail missing-tool "on this host the packages$_om_missing are missing, and the rescue medium is made with them: install them, or choose fewer outputs (rescue.outputs in the runbook)"
  rm -rf out
  mkdir out
  for _om_kind in "$@"; do "output_${_om_kind}_make"; done
}

# outputs_config FOLDER: GRUB's configuration, the same for every medium: a menu on screen and serial line that starts by itself.
outputs_config() {
  cat >"$1/grub.cfg" <<'GRUB'
serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
set timeout=3
set default=0
menuentry "Resurgo rescue system" {
  linux /boot/vmlinuz console=tty0 console=ttyS0,115200 $resurgo
  initrd /boot/initramfs.img
}
menuentry "Resurgo rescue system, network by DHCP" {
  linux /boot/vmlinuz console=tty0 console=ttyS0,115200 resurgo.ip=dhcp $resurgo
  initrd /boot/initramfs.img
}
menuentry "Resurgo rescue system, new host key" {
  linux /boot/vmlinuz console=tty0 console=ttyS0,115200 resurgo.keys=new $resurgo
  initrd /boot/initramfs.img
}
GRUB
}

# outputs_efi_here: is there a boot loader for UEFI, a signed one or what one is made of?
outputs_efi_here() {
  if [ -f /usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed ] && [ -f /usr/lib/shim/shimx64.efi.signed ]; then return 0; fi
  [ -d /usr/lib/grub/x86_64-efi ]
}

# outputs_efi_loaders FOLDER: puts the boot loader for UEFI below FOLDER/EFI/BOOT. Signed ones look for a file on the medium that says whose
# it is, and then for /boot/grub/grub.cfg there. 1 where this host has none.
outputs_efi_loaders() {
  mkdir -p "$1/EFI/BOOT"
  _oe_signed=$OUTPUT_GRUB/x86_64-efi-signed/gcdx64.efi.signed _oe_shim=/usr/lib/shim/shimx64.efi.signed
  if [ -f "$_oe_signed" ] && [ -f "$_oe_shim" ]; then
    cp "$_oe_shim" "$1/EFI/BOOT/BOOTX64.EFI"
    cp "$_oe_signed" "$1/EFI/BOOT/grubx64.efi"
    # The key manager serves a key of the machine's own, which a replacement does not know yet; without one it is 0.9 MB for nobody.
    for _oe_key in /var/lib/shim-signed/mok/MOK.der /var/lib/dkms/mok.pub; do
      if [ -f "$_oe_key" ] && [ -f /usr/lib/shim/mmx64.efi.signed ]; then
        cp /usr/lib/shim/mmx64.efi.signed "$1/EFI/BOOT/mmx64.efi"
        cp "$_oe_key" "$1/EFI/BOOT/MOK.der"
        break
      fi
    done
    output_secure=true
  else
    output_secure=false
    _oe_modules=$OUTPUT_GRUB/x86_64-efi
    [ -d "$_oe_modules" ] || return 1
    cat >early.cfg <<'GRUB'
search --file --set=root /.disk/mini-info
set prefix=($root)/boot/grub
configfile $prefix/grub.cfg
GRUB
    # shellcheck disable=SC2086 # Words.
    grub-mkimage -O x86_64-efi -d "$_oe_modules" -p /boot/grub -c early.cfg -o "$1/EFI/BOOT/BOOTX64.EFI" $OUTPUT_GRUB_MODULES ||
      fail failed 'grub-mkimage can not make a boot loader for UEFI'
  fi
  : "$output_secure"
}

OUTPUT_GRUB=/usr/lib/grub
OUTPUT_GRUB_MODULES='part_gpt part_msdos fat iso9660 ext2 search search_fs_file configfile normal linux serial terminal echo all_video test'
