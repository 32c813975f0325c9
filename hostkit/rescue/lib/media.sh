# What a recovery must never write over, however blank the plan would like it: the medium of a rescue system, and a disk with a backup store.
# Found by looking: each file system is mounted read-only, without its journal, where nobody else sees it. In the rescue system alone: a host
# in use mounts nothing for a layout.

# Set or read elsewhere:
: "${facts_dir-}" "${facts_until-}" "${line-}" "${uptime-}"

# layout_media: the fact `media`, one `KNAME rescue|store|unknown` a line for each file system that holds one of them, or could not be looked at.
layout_media() { fact_made media media_each; }

media_each() {
  mkdir -p "$facts_dir/medium"
  [ -r "$facts_dir/devices" ] || return 1
  while read -r media_at media_type <&6; do
    case $media_at:$media_type in
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
  case $(timeout -s KILL 10 blkid -p -o value -s TYPE "$media_at" 2>/dev/null) in
    ext[234]) media_look ro,noload ;;
    xfs) media_look ro,norecovery,nouuid ;;
    btrfs) media_look ro,rescue=nologreplay ;;
    iso9660 | vfat) media_look ro ;;
  esac
}

# media_look OPTIONS: a store lies some folders deep at most; whoever puts it deeper pins the disks.
media_look() {
  # shellcheck disable=SC2016 # The inner shell's own.
  media_seen=$(timeout -s KILL 10 unshare -m sh -c '
    mount -o "$1,nosuid,nodev,noexec" "$2" "$3" || exit 1
    if grep -qs Resurgo "$3/.disk/mini-info"; then echo rescue; exit; fi
    [ -z "$(find "$3" -maxdepth 5 -name .resurgo-store -print -quit)" ] || echo store' \
    sh "$1" "$media_at" "$facts_dir/medium" 2>/dev/null) || media_seen=unknown
  [ -z "$media_seen" ] || printf '%s %s\n' "${media_at##*/}" "$media_seen"
}
