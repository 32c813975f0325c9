# What of this host goes into its rescue system: programs with their libraries, modules, firmware. Few processes, whatever the number of
# files: starting one for each is what makes other builders slow.
#
# Each function adds lines to $rescue_links (`PATH TARGET`, symbolic links to make) or $rescue_files (absolute paths of plain files).

# Set or read elsewhere:
: "${LF-}" "${rescue_files-}" "${rescue_links-}" "${rescue_storage-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/rescue-storage.sh"

# The rescue system can't do without these; `doctor` and the build name all that is missing (rescue-needs.sh). Its awk is busybox's, which
# is enough for the hostkit: GNU's would bring libraries of 2 MB.
RESCUE_NEEDED='busybox sshd ssh ssh-keygen rsync mount umount sfdisk blkid lsblk findmnt wipefs partx blockdev mkswap
  find stat sort flock unshare nsenter setsid timeout getfattr setfattr getfacl setfacl modprobe ip tar gzip readlink realpath chroot
  mountpoint sync date sed'
# These come along where the host has them; those that serve one kind of storage stand in rescue-storage.sh.
RESCUE_WANTED='swaplabel losetup mke2fs tune2fs e2fsck resize2fs dumpe2fs mkfs.vfat mkfs.fat fsck.fat dmsetup efibootmgr setcap getcap lsattr chattr
  kmod dash sh paste'

# What nothing names: parts of sshd in their places (Debian, Fedora, SUSE and others), and what glibc opens by itself.
RESCUE_SSHD='/usr/lib/openssh/sshd-session /usr/lib/openssh/sshd-auth /usr/libexec/openssh/sshd-session /usr/libexec/openssh/sshd-auth
  /usr/lib/ssh/sshd-session /usr/lib/ssh/sshd-auth /usr/libexec/ssh/sshd-session /usr/libexec/ssh/sshd-auth'
RESCUE_NSS='/lib/*-linux-gnu/libnss_files.so.2 /lib/*-linux-gnu/libnss_dns.so.2 /lib64/libnss_files.so.2 /lib64/libnss_dns.so.2'

# rescue_find PROGRAM: sets $rescue_path to where it lies. No fork.
rescue_find() {
  rescue_path=
  for _rf_dir in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
    [ -f "$_rf_dir/$1" ] || continue
    [ -x "$_rf_dir/$1" ] || continue
    rescue_path=$_rf_dir/$1
    return 0
  done
  return 1
}

# rescue_programs: adds all programs and their libraries; sets $rescue_missing to those needed that are not here.
rescue_programs() {
  rescue_missing='' _rp_found=''
  for _rp_name in $RESCUE_NEEDED; do
    if rescue_find "$_rp_name"; then _rp_found="$_rp_found$rescue_path$LF"; else rescue_missing="$rescue_missing${rescue_missing:+ }$_rp_name"; fi
  done
  for _rp_name in $RESCUE_WANTED $(rescue_storage_each rescue_storage_tools ' '); do
    ! rescue_find "$_rp_name" || _rp_found="$_rp_found$rescue_path$LF"
  done
  # A program of udev's, which nobody finds by its name elsewhere.
  for _rp_name in /usr/lib/udev/zvol_id /lib/udev/zvol_id; do
    case " $rescue_storage " in *[!a-z]zfs[!a-z]*) ;; *) continue ;; esac
    [ -x "$_rp_name" ] || continue
    _rp_found="$_rp_found$_rp_name$LF"
    printf '/usr/sbin/zvol_id %s\n' "$_rp_name" >>"$rescue_links"
    break
  done
  # sshd starts these as programs of their own where the host's version does so.
  for _rp_name in $RESCUE_SSHD; do
    [ ! -x "$_rp_name" ] || _rp_found="$_rp_found$_rp_name$LF"
  done
  [ -z "$rescue_missing" ] || return 1
  # One that was built without it.
  if rescue_find busybox && ! "$rescue_path" --list | grep -qx awk; then
    rescue_find awk || { rescue_missing='awk'; return 1; }
    _rp_found="$_rp_found$rescue_path$LF"
  fi
  printf '%s' "$_rp_found" | sort -u >programs
  # One ldd for all. What is no ELF file has no libraries, and what libgcc_s serves (threads that are cancelled) no ldd shows.
  # shellcheck disable=SC2046 # Names of our own choice.
  ldd $(cat programs) 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// && $2 ~ /^\(/ { print $1 }' | sort -u >libraries
  for _rp_name in /lib/*-linux-gnu/libgcc_s.so.1 /lib64/libgcc_s.so.1 /usr/lib/libgcc_s.so.1; do
    [ ! -e "$_rp_name" ] || printf '%s\n' "$_rp_name" >>libraries
  done
  # Until glibc 2.34 users and names are looked up by libraries that no program names; without them nobody can log in.
  for _rp_name in $RESCUE_NSS; do
    [ ! -e "$_rp_name" ] || printf '%s\n' "$_rp_name" >>libraries
  done
  for _rp_name in $(rescue_storage_each rescue_storage_files ' '); do
    [ ! -f "$_rp_name" ] || printf '%s\n' "$_rp_name" >>libraries
  done
  cat programs libraries | sort -u | rescue_add
}

# rescue_add: adds the paths on stdin, each where it lies, and what it leads to.
rescue_add() {
  cat >adding
  # One process resolves all.
  # shellcheck disable=SC2046 # Paths of this system's own packages.
  readlink -f -- $(cat adding) >resolved
  paste adding resolved | while IFS="$TAB" read -r _ra_path _ra_target; do
    [ "$_ra_path" = "$_ra_target" ] || printf '%s %s\n' "$_ra_path" "$_ra_target" >>"$rescue_links"
    printf '%s\n' "$_ra_target" >>"$rescue_files"
  done
}

# rescue_modules KERNEL CHOICE(common|needed|all): adds the kernel's modules and the firmware that they name.
rescue_modules() {
  _rm_root=/lib/modules/$1
  [ -r "$_rm_root/modules.dep" ] || fail not-found "there are no modules of kernel $1 at $_rm_root; is the running kernel still installed? Reboot into the installed one"
  _rm_never=$RESCUE_NEVER
  case $2 in
    all) _rm_choice='.' _rm_never='(/)' ;;
    needed) _rm_choice=$RESCUE_ALWAYS ;;
    *) _rm_choice="$RESCUE_ALWAYS|$RESCUE_COMMON" ;;
  esac
  _rm_storage=$(rescue_storage_each rescue_storage_modules '|')
  _rm_choice=$_rm_choice${_rm_storage:+"|${_rm_storage%|}"}
  # Those of this hardware: loaded now, by the names of their files (`-` and `_` are one).
  : >loaded
  [ ! -r /proc/modules ] || awk '{ print $1 }' /proc/modules >loaded
  # In modules.dep a line is `FILE: FILES IT NEEDS`, all of them, so no walk is needed.
  awk -v choice="^($_rm_choice)" -v never="^$_rm_never" '
    FILENAME == "loaded" { loaded[$1] = 1; next }
    {
      file = substr($1, 1, length($1) - 1)
      if (file ~ never) next
      name = file; sub(/.*\//, "", name); sub(/\.ko.*/, "", name); gsub(/-/, "_", name)
      if (file !~ choice && !(name in loaded)) next
      print file
      for (i = 2; i <= NF; i++) print $i
    }' loaded "$_rm_root/modules.dep" | sort -u >modules
  _rm_real=$(readlink -f "$_rm_root")
  sed "s|^|$_rm_real/|" modules >>"$rescue_files"
  for _rm_index in modules.dep.bin modules.alias.bin modules.symbols.bin modules.builtin.bin modules.builtin.alias.bin modules.softdep \
    modules.devname modules.order modules.builtin modules.builtin.modinfo modules.dep modules.alias; do
    [ ! -f "$_rm_real/$_rm_index" ] || printf '%s\n' "$_rm_real/$_rm_index" >>"$rescue_files"
  done
  rescue_firmware "$_rm_real"
}

# Parts of modules.dep: what each rescue system has, whatever the hardware: file systems that every machine may boot from, checksums, virtual machines.
RESCUE_ALWAYS='kernel/fs/(ext4|jbd2|fat|isofs|efivarfs|nls/nls_(cp437|iso8859-1|ascii|utf8))|kernel/fs/mbcache|kernel/crypto/crc|kernel/lib/(crc|libcrc)|kernel/arch/[^/]*/(crypto/crc|lib)|kernel/drivers/(virtio|block/(virtio|loop)|scsi/(virtio|sd_mod|sr_mod|scsi_mod|sg\.)|char/hw_random/virtio|char/virtio)|kernel/net/(802|8021q|llc|core/failover|packet)|kernel/drivers/net/(bonding|net_failover|virtio_net)|(updates|extra)/|kernel/drivers/cdrom'
# And what a replacement may have: disks, the controllers before them (NVMe behind Intel's VMD, what a hypervisor hands through), network cards,
# USB, keyboards, serial lines, virtual machines of other makers. NVMe over a fabric and iSCSI in software are reached by nobody here, so
# what serves them is left out, with the InfiniBand that the first needs; nor does anybody need tapes, or a disk that is none. What a running host
# has loaded for guests, containers, sound and firewalls serves no recovery.
RESCUE_NEVER='((kernel/(arch/[^/]*/kvm|virt|sound|fs/fuse|fs/overlayfs|net/(netfilter|bridge|bluetooth|wireless|ipv[46]/netfilter))|kernel/drivers/(vhost|bluetooth|vfio))/|kernel/drivers/scsi/(scsi_debug|iscsi_tcp|iscsi_boot_sysfs|libiscsi|scsi_transport_iscsi|cxgbi/|bnx2i/|qedi/|st\.|ch\.|osst\.))'
RESCUE_COMMON='kernel/drivers/(ata|scsi/[^/]*(\.ko|/)|nvme/host/nvme(-core|-apple)?\.ko|nvme/common|ufs|message|mmc/(core|host)|nvdimm|acpi/nfit|firewire/firewire-(core|ohci|sbp2)|block/(xen-blkfront|mtip32xx|rsxx|skd|umem|sx8)|pci/(controller|xen-pcifront)|usb/(host|storage|core|common)|hid/(hid|hid-generic|hid-hyperv|usbhid/.*)\.ko|input/(keyboard|serio)|tty/serial/8250|hv/hv_vmbus|vmw|dca|i2c/algos|ptp|pps|net/(ethernet|phy|mdio|pcs|usb|hyperv|vmxnet3|xen-netfront|mii)|staging/qlge)'

# rescue_firmware MODULES_FOLDER: what the chosen modules name and this host has. A firmware that is not here can't be packed; what hardware
# of another kind would need may be missing, which the image's list shows.
rescue_firmware() {
  _rw_paths=$(sed "s|^|$1/|" modules)
  # shellcheck disable=SC2086 # Paths of this system's own packages.
  modinfo -F firmware $_rw_paths 2>/dev/null | sort -u >named || :
  _rw_found=0
  while IFS= read -r _rw_name; do
    for _rw_file in "/lib/firmware/$_rw_name" "/lib/firmware/$_rw_name.xz" "/lib/firmware/$_rw_name.zst"; do
      [ -e "$_rw_file" ] || continue
      printf '%s\n' "$_rw_file"
      _rw_found=$((_rw_found + 1))
    done
  done <named >found
  [ ! -s found ] || rescue_add <found
}
