# pxe: kernel and initramfs as files, for a server that starts machines by network. Without a pinned host key (S30).

# Set or read elsewhere:
: "${output_names-}"

output_pxe_needs() { :; }

output_pxe_make() {
  ln -f vmlinuz out/vmlinuz
  ln -f initramfs.img out/initramfs.img
  output_names="${output_names-} vmlinuz initramfs.img"
}
