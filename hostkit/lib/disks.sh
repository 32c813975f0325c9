# What a disk says of itself, of the kernel alone: no daemon has to have seen it. One place for it, so that a layout and the step that writes
# over a disk mean the same disk by the same words, on the host and in its rescue system.

# Set or read elsewhere:
: "${boot-}" "${line-}"

# disk_facts NAME: sets disk_bytes disk_serial disk_wwn (`-` where it has none).
disk_facts() {
  disk_bytes=0 disk_serial=- disk_wwn=-
  read_line "/sys/block/$1/size" && disk_bytes=$((line * 512))
  for _dk_file in "/sys/block/$1/serial" "/sys/block/$1/device/serial"; do
    read_line "$_dk_file" || continue
    disk_trim "$line"
    [ -z "$disk_word" ] || { disk_serial=$disk_word && break; }
  done
  if [ "$disk_serial" = - ] && [ -r "/sys/block/$1/device/vpd_pg80" ]; then
    # SCSI and SATA: page 0x80 is four bytes of header and the serial number.
    disk_trim "$(tail -c +5 "/sys/block/$1/device/vpd_pg80" 2>/dev/null | tr -cd ' -~')"
    [ -z "$disk_word" ] || disk_serial=$disk_word
  fi
  [ "$disk_serial" != - ] || disk_usb_serial "$1"
  for _dk_file in "/sys/block/$1/wwid" "/sys/block/$1/device/wwid"; do
    read_line "$_dk_file" || continue
    disk_trim "$line"
    case $disk_word in
      naa.*) disk_wwn=0x${disk_word#naa.} && break ;;
      eui.* | uuid.* | nvme.*) disk_wwn=$disk_word && break ;;
    esac
  done
  [ "$disk_serial$disk_wwn" != -- ] || disk_own_designator "$1"
  : "$disk_bytes"
}

# disk_this_boot NAME: sets $disk_word to what tells a disk that says nothing of itself from all others until this system is booted anew:
# the kernel's number of it, which no disk that is attached later gets (diskseq, Linux 5.15). '' where the kernel has none.
disk_this_boot() {
  disk_word=''
  read_line "/sys/block/$1/diskseq" || return 0
  read_boot || return 0
  disk_word=this-boot:$boot:$line
}

# disk_is NAME: is it a disk, and not one of the ways to a disk? NVMe hides those (multipath): they have no node below /dev, and tell the same
# serial number.
disk_is() {
  [ -e "/sys/block/$1/device" ] || return 1
  ! read_line "/sys/block/$1/hidden" || [ "$line" != 1 ]
}

# disk_usb_serial NAME: of the USB device that the disk is in, as udev tells it too.
disk_usb_serial() {
  _du_at=$(readlink -f "/sys/block/$1/device") || return 0
  while :; do
    case $_du_at in */usb[0-9]*/*) ;; *) return 0 ;; esac
    [ ! -e "$_du_at/idVendor" ] || break
    _du_at=${_du_at%/*}
  done
  read_line "$_du_at/serial" || return 0
  disk_trim "$line"
  [ -z "$disk_word" ] || disk_serial=$disk_word
}

# disk_own_designator NAME: a name of the maker's own (page 0x83, type 0) where that is all there is: disks of virtual machines that were
# given no serial number (`drive-scsi0`).
disk_own_designator() {
  [ -r "/sys/block/$1/device/vpd_pg83" ] || return 0
  disk_trim "$(od -An -v -tu1 "/sys/block/$1/device/vpd_pg83" 2>/dev/null | awk '
    { for (i = 1; i <= NF; i++) byte[n++] = $i + 0 }
    END {
      for (at = 4; at + 4 <= n; at += 4 + byte[at + 3]) {
        if (byte[at] % 16 != 2 || byte[at + 1] % 64 != 0) continue
        for (i = 0; i < byte[at + 3]; i++) printf "%c", byte[at + 4 + i]
        exit
      }
    }')"
  [ -z "$disk_word" ] || disk_serial=$disk_word
}

# disk_trim TEXT: sets $disk_word to it without blanks around, and without what can't be printed.
disk_trim() {
  disk_word=$1
  case $disk_word in *[!\ -~]*) disk_word=$(printf '%s' "$disk_word" | tr -cd ' -~') ;; esac
  disk_word=${disk_word#"${disk_word%%[! ]*}"}
  disk_word=${disk_word%"${disk_word##*[! ]}"}
}
