# What rescue media are made with and of, and what of it this host lacks: all of it at once, so that nobody installs one package after
# another. Looked at before a build, and by the verb `check` where a whole machine is backed up.

# Set or read elsewhere:
: "${RESCUE_NEEDED-}"

# rescue_lacks [KIND…]: sets $rescue_lacks to `PROGRAM PACKAGE` lines (packages by their names in Debian) of what is missing for media of these
# kinds; without a kind, for any at all.
rescue_lacks() {
  rescue_lacks=''
  if [ $# -eq 0 ]; then
    for _rl_program in cpio ldd modinfo paste $RESCUE_NEEDED; do
      # A fork for what is missing alone.
      rescue_find "$_rl_program" || rescue_lacks_add "$_rl_program $(rescue_package "$_rl_program")"
    done
    return
  fi
  for _rl_kind in "$@"; do
    while read -r _rl_program _rl_package; do
      [ -z "$_rl_program" ] || rescue_find "$_rl_program" || rescue_lacks_add "$_rl_program $_rl_package"
    done <<NEEDS
$("output_${_rl_kind}_needs")
NEEDS
    case $_rl_kind in iso | usb) outputs_efi_here || rescue_lacks_add 'shimx64.efi shim-signed' 'gcdx64.efi grub-efi-amd64-signed' ;; esac
  done
}

# rescue_lacks_all KIND…: for any and for these.
rescue_lacks_all() {
  rescue_lacks
  _rl_any=$rescue_lacks
  rescue_lacks "$@"
  _rl_kinds=$rescue_lacks
  rescue_lacks=$_rl_any
  while IFS= read -r _rl_line; do
    [ -z "$_rl_line" ] || rescue_lacks_add "$_rl_line"
  done <<KINDS
$_rl_kinds
KINDS
}

rescue_lacks_add() {
  for _rl_each in "$@"; do
    case $LF$rescue_lacks in *"$LF$_rl_each$LF"*) ;; *) rescue_lacks=$rescue_lacks$_rl_each$LF ;; esac
  done
}

# rescue_lacks_words: sets $rescue_lacks_words (`busybox, cpio`) and $rescue_lacks_packages (`busybox cpio`, each once).
rescue_lacks_words() {
  rescue_lacks_words='' rescue_lacks_packages=''
  while read -r _rl_program _rl_package; do
    [ -n "$_rl_program" ] || continue
    rescue_lacks_words="$rescue_lacks_words${rescue_lacks_words:+, }$_rl_program"
    case " $rescue_lacks_packages " in *" $_rl_package "*) ;; *) rescue_lacks_packages="$rescue_lacks_packages${rescue_lacks_packages:+ }$_rl_package" ;; esac
  done <<LACKS
$rescue_lacks
LACKS
}

# rescue_package PROGRAM: prints the package of Debian that brings a program that each rescue system needs.
rescue_package() {
  case $1 in
    sshd) printf 'openssh-server' ;;
    ssh | ssh-keygen) printf 'openssh-client' ;;
    umount) printf 'mount' ;;
    sfdisk) printf 'fdisk' ;;
    blkid | lsblk | findmnt | wipefs | partx | blockdev | mkswap | flock | unshare | nsenter | setsid | mountpoint) printf 'util-linux' ;;
    find) printf 'findutils' ;;
    stat | sort | timeout | readlink | realpath | chroot | sync | date | paste) printf 'coreutils' ;;
    getfattr | setfattr) printf 'attr' ;;
    getfacl | setfacl) printf 'acl' ;;
    modprobe | modinfo) printf 'kmod' ;;
    ip) printf 'iproute2' ;;
    ldd) printf 'libc-bin' ;;
    *) printf '%s' "$1" ;;
  esac
}
