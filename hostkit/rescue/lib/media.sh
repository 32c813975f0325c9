# What a recovery must never write over, however blank the plan would like it: the medium of a rescue system, and a disk with a backup store.
# Found by looking: each file system is mounted read-only, without its journal, where nobody else sees it. In the rescue system alone: a host
# in use mounts nothing for a layout.

# Set or read elsewhere:
: "${LF-}" "${facts_dir-}" "${facts_until-}" "${line-}" "${tool_at-}" "${uptime-}"

# layout_media: the fact `media`, one `KNAME rescue|store|unknown` a line for each device that holds one of them, or that nobody could look into.
layout_media() { fact_made media media_each; }

media_each() {
  mkdir -p "$facts_dir/medium"
  [ -r "$facts_dir/devices" ] || return 1
  while read -r media_at media_kind <&6; do
    case $media_at:$media_kind in
      /dev/zram* | /dev/ram* | /dev/fd[0-9]* | *:loop | *:rom) continue ;;
    esac
    read_line "/sys/class/block/${media_at##*/}/dev" || continue
    # What is mounted is left alone for that.
    ! awk -v number="$line" '$3 == number { found = 1 } END { exit !found }' /proc/self/mountinfo || continue
    read_uptime
    # The layout's answer is waited for.
    if [ "$uptime" -lt "$facts_until" ]; then media_one; else printf '%s unknown\n' "${media_at##*/}"; fi
  done 6<"$facts_dir/devices"
}

media_one() {
  media_seen=unknown
  # By its path: busybox has a blkid of its own, which looks into nothing.
  if tool_path blkid; then
    media_exit=0
    media_said=$(timeout -s KILL 10 "$tool_at" -p -o udev "$media_at" 2>/dev/null) || media_exit=$?
    media_said=$LF$media_said$LF
    # 2: nothing is recognised.
    case $media_exit in 0 | 2) media_format ;; esac
  fi
  [ -z "$media_seen" ] || printf '%s %s\n' "${media_at##*/}" "$media_seen"
}

# media_format: sets $media_seen by what blkid has $media_said; empty where nothing of anybody's can lie there.
media_format() {
  media_type=${media_said#*"${LF}ID_FS_TYPE="}
  [ "$media_type" != "$media_said" ] || media_type=''
  case ${media_type%%"$LF"*} in
    ext[234]) media_look ro,noload ;;
    xfs) media_look ro,norecovery,nouuid ;;
    # Its top level: a default subvolume shows nothing of the others.
    btrfs) media_look ro,rescue=nologreplay,subvolid=5 ;;
    iso9660 | vfat) media_look ro ;;
    swap) media_seen='' ;;
    '') media_plain ;;
    # A part of an array, a pool or a volume group, encrypted, or of a kind that is not known here: what is in it does not show.
    *) media_seen=unknown ;;
  esac
}

# media_plain: of what has no format. A table's partitions are looked at themselves, and some hold code for the boot alone: of BIOS (GPT), PReP,
# Microsoft's reserve, an MBR's extended one. Else it may be encrypted without a header, unless it begins with nothing.
media_plain() {
  media_seen=''
  case $media_said in
    *"${LF}ID_PART_TABLE_TYPE="* | *"${LF}ID_PART_ENTRY_TYPE=21686148-6449-6e6f-744e-656564454649"* | \
      *"${LF}ID_PART_ENTRY_TYPE=9e1a2d38-c612-4316-aa26-8b49521e5a8b"* | *"${LF}ID_PART_ENTRY_TYPE=e3c9e316-0b5c-4db8-817d-f92df00215ae"* | \
      *"${LF}ID_PART_ENTRY_TYPE=0x41$LF"* | *"${LF}ID_PART_ENTRY_TYPE=0x5$LF"* | *"${LF}ID_PART_ENTRY_TYPE=0xf$LF"* | *"${LF}ID_PART_ENTRY_TYPE=0x85$LF"*)
      return
      ;;
  esac
  # Less than the limit of a file's size (lib/facts.sh).
  if timeout -s KILL 10 head -c 65536 "$media_at" >"$facts_dir/start" 2>/dev/null && [ -s "$facts_dir/start" ] &&
    [ "$(tr -d '\000' <"$facts_dir/start" | wc -c)" = 0 ]; then return; fi
  media_seen=unknown
}

# media_look OPTIONS: a store lies some folders deep at most; whoever puts it deeper pins the disks. What can't be read is not called empty.
media_look() {
  # shellcheck disable=SC2016 # The inner shell's own.
  media_seen=$(timeout -s KILL 10 unshare -m sh -c '
    mount -o "$1,nosuid,nodev,noexec" "$2" "$3" || exit 1
    if grep -qs Resurgo "$3/.disk/mini-info"; then echo rescue; exit; fi
    found=$(find "$3" -maxdepth 5 -name .resurgo-store -print -quit) || [ -n "$found" ] || exit 1
    [ -z "$found" ] || echo store' \
    sh "$1" "$media_at" "$facts_dir/medium" 2>/dev/null) || media_seen=unknown
}
