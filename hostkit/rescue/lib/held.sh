# What the rescue system itself has of device mapper, md and swap: live media may lie on them (a Ventoy stick, an installed LVM). Noted before a
# disk is written to, when none of it is on a disk of the plan, since those are not in use then; and left alone at the end.

# Set or read elsewhere:
: "${line-}"

# Of the boot and not of a run: what undoes a run comes when its folder is gone.
HELD_FILE=$RESURGO_VAR/held

held_note() { held_now | atomic_write "$HELD_FILE" || job_fail no-space "$HELD_FILE can not be written: is the memory of the rescue system full?"; }

# held_now: prints a line for each.
held_now() {
  for _hn_path in /sys/block/dm-* /sys/block/md*; do
    ! held_device "$_hn_path" || printf '%s\n' "$held_line"
  done
  while read -r _hn_swap _; do
    case $_hn_swap in /*) printf 'swap %s\n' "$_hn_swap" ;; esac
  done </proc/swaps
}

# held_device PATH: sets $held_name to what its tools call it, and $held_line to what tells it from one that gets its place later: the kernel's
# number (Linux 5.15 has one) and its UUID. 1 where it holds nothing.
held_device() {
  case ${1##*/} in
    dm-*)
      read_line "$1/dm/name" || return 1
      held_name=$line
      read_line "$1/dm/uuid" || line=-
      ;;
    *)
      [ -e "$1/md/array_state" ] && read_line "$1/md/array_state" && [ "$line" != clear ] || return 1
      held_name=${1##*/}
      read_line "$1/md/uuid" || line=-
      ;;
  esac
  held_line="${1##*/} $line $held_name"
  ! read_line "$1/diskseq" || held_line="$held_line $line"
}

# held_has LINE: was it there before?
held_has() { grep -qsxF -e "$1" "$HELD_FILE"; }

# held_groups: prints a selection of all volume groups but those; nothing where there was none. Device mapper has LVM's UUIDs without dashes.
held_groups() {
  [ -f "$HELD_FILE" ] || return 0
  sed -n 's/^dm-[0-9]* LVM-\(.\{6\}\)\(....\)\(....\)\(....\)\(....\)\(....\)\(.\{6\}\).*/vg_uuid!=\1-\2-\3-\4-\5-\6-\7/p' "$HELD_FILE" | sort -u | tr '\n' ' ' | sed 's/ $//; s/ / \&\& /g'
}
