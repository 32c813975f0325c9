# Which of a host's mounts are its own file systems, and which are not and why: what a source of kind `system` goes by.
#
# Paths are kept as /proc/self/mountinfo writes them, blanks and the like in octal, so that a list may have one a line.

# Set or read elsewhere:
: "${LF-}" "${TAB-}" "${exclude_pattern-}" "${line-}" "${src_group-}" "${src_name-}" "${unescaped-}"

# What firmware and boot loader read: no kind of snapshot knows it, and it hardly ever changes.
MOUNT_PARTS_BOOT='/boot /boot/efi /efi /boot/firmware'

MOUNT_TABLE=/proc/self/mountinfo

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/mount-choice.sh"

# mount_parts: sets
#   $mount_parts     `POINT TYPE DEVICE_NUMBER SOURCE` of each part, what holds others before them, `/` first
#   $mount_twice     `POINT REASON`: what shows a part, or a piece of one, once more
#   $mount_skipped   `POINT REASON` of all else
#   $mount_apart     paths below `/` that a part would hold although another part shows them
# Returns 1 with snap_problem where `/` itself is none.
mount_parts() {
  # What mounts at the first look is looked at.
  for _mp_at in $MOUNT_PARTS_BOOT; do [ -d "$_mp_at/." ] || :; done
  mount_parts='' mount_twice='' mount_skipped='' mount_apart='' _mp_table='' _mp_root=''
  mount_parts_stores
  mount_disks_of_root
  while read -r _mp_id _mp_parent _mp_dev _mp_top _mp_point _mp_rest <&7; do
    # What the hostkit itself looks at meanwhile.
    case $_mp_point in "$RESURGO_RUN"/*) continue ;; esac
    _mp_rest=${_mp_rest#*- }
    _mp_type=${_mp_rest%% *} _mp_rest=${_mp_rest#* }
    _mp_source=${_mp_rest%% *}
    mount_why
    [ "$_mp_point" != / ] || _mp_root="$_mp_type${mount_why:+, $mount_why}"
    _mp_table="$_mp_table$_mp_id$TAB$_mp_parent$TAB$_mp_dev$TAB$_mp_top$TAB$_mp_point$TAB$_mp_type$TAB$_mp_source$TAB$mount_why$LF"
  done 7<"$MOUNT_TABLE"
  while IFS="$TAB" read -r _mp_word _mp_point _mp_rest <&7; do
    case $_mp_word in
      part)
        mount_parts="$mount_parts$_mp_point $(printf '%s' "$_mp_rest" | tr '\t' ' ')$LF"
        ;;
      twice) mount_twice="$mount_twice$_mp_point $_mp_rest$LF" ;;
      skip) mount_skipped="$mount_skipped$_mp_point $_mp_rest$LF" ;;
      store)
        unescape_mount "$_mp_point"
        mount_places=$mount_places$unescaped$LF
        mount_skipped="$mount_skipped$_mp_point $_mp_rest$LF"
        ;;
      apart)
        mount_apart=$mount_apart$_mp_point$LF
        mount_skipped="$mount_skipped$_mp_point $_mp_rest$LF"
        ;;
    esac
  done 7<<TABLE
$(printf '%s' "$_mp_table" | MOUNT_LEFT=$mount_left awk -F "$TAB" "$MOUNT_PARTS_AWK")
TABLE
  case $mount_parts in
    '/ '*) return 0 ;;
  esac
  snap_problem="/ lies on ${_mp_root:-no mount that this process sees}, not on a file system of this host's own disks: a source of kind system is a machine that was installed on a disk. Name its folders as sources instead"
  return 1
}

# mount_why: sets $mount_why, the reason for which a mount of $_mp_type from $_mp_source can't be a part; empty if it can.
mount_why() {
  case $_mp_type in
    proc | sysfs | devtmpfs | devpts | cgroup | cgroup2 | securityfs | debugfs | tracefs | pstore | bpf | mqueue | hugetlbfs | configfs | \
      fusectl | efivarfs | binfmt_misc | autofs | rpc_pipefs | nfsd | nsfs | selinuxfs | smackfs | resctrl)
      mount_why="the kernel's own ($_mp_type), there again at each boot"
      return
      ;;
    tmpfs | ramfs) mount_why="in memory ($_mp_type), gone at each boot" && return ;;
    overlay | aufs | fuse.fuse-overlayfs | unionfs)
      mount_why="an $_mp_type of a container: what it shows lies in other folders"
      return
      ;;
    nfs | nfs4 | cifs | smb3 | smbfs | ncpfs | afs | 9p | virtiofs | vboxsf | vmhgfs | ceph | lustre | glusterfs | beegfs | orangefs | ocfs2 | gfs2)
      mount_why="a network file system ($_mp_type): its data lies on another machine"
      return
      ;;
    fuse.zfs) ;;
    fuse.* | fuse) mount_why="$_mp_type: a program shows data that lies elsewhere" && return ;;
    iso9660 | udf | squashfs | erofs | cramfs | romfs) mount_why="a read-only image ($_mp_type)" && return ;;
  esac
  case $_mp_type:$_mp_source in
    zfs:*@*)
      mount_why='a snapshot of ZFS'
      return
      ;;
    zfs:* | fuse.zfs:*)
      mount_why=''
      case $mount_datasets in *"$LF$_mp_source$LF"*) mount_why='a backup store lies there' ;; esac
      mount_stored "$_mp_source"
      ;;
    btrfs:*)
      mount_block "$_mp_source"
      mount_disks "$mount_block"
      ;;
    *)
      case $_mp_dev in 0:*) mount_why="$_mp_type: no disk of its own" && return ;; esac
      mount_disks "/sys/dev/block/$_mp_dev"
      ;;
  esac
  [ -z "$mount_why" ] || return 0
  case $_mp_point in
    *\\012*) mount_why="the name of its place holds a line's end" ;;
    *)
      unescape_mount "$_mp_point"
      mount_is_folder "$unescaped" || mount_why='mounted over a single file'
      ;;
  esac
}

mount_is_folder() { [ -d "$1" ]; }

# mount_stored DATASET: a dataset below that of a store is the store's.
mount_stored() {
  _ms_rest=${mount_datasets#"$LF"}
  while [ -n "$_ms_rest" ]; do
    case $1/ in "${_ms_rest%%"$LF"*}"/*) mount_why='a backup store lies there' ;; esac
    _ms_rest=${_ms_rest#*"$LF"}
  done
}

# mount_block DEVICE: sets $mount_block, its folder in /sys. A name of the device mapper is a link.
mount_block() {
  mount_block=/sys/class/block/${1##*/}
  [ -e "$mount_block" ] || mount_block=/sys/class/block/$(readlink -f -- "$1" | sed 's|.*/||')
}

# mount_disks FOLDER: sets $mount_why by what lies below the block device of that folder in /sys: an image whose file is in the backup, or a
# medium that may be drawn out.
mount_disks() {
  mount_why='' mount_disks='' mount_image='' mount_removable=''
  mount_disk "$1"
  if [ -n "$mount_image" ] && [ -f "$mount_image" ]; then mount_why="an image file shows it ($mount_image), and that file is copied where it lies"; fi
  [ -n "$mount_removable" ] || return 0
  for _md_each in $mount_removable; do
    case " $mount_disks_root " in *" $_md_each "*) return 0 ;; esac
  done
  mount_why="on a removable medium ($mount_removable)"
}

# mount_disk FOLDER: adds the disks below that device to $mount_disks, removable ones to $mount_removable too.
mount_disk() {
  _mk_todo=$1$LF
  while [ -n "$_mk_todo" ]; do
    _mk_at=${_mk_todo%%"$LF"*}
    _mk_todo=${_mk_todo#*"$LF"}
    [ ! -e "$_mk_at/partition" ] || _mk_at=$_mk_at/..
    _mk_below=no
    for _mk_each in "$_mk_at"/slaves/*; do
      [ ! -e "$_mk_each" ] || _mk_below=yes _mk_todo=$_mk_todo$_mk_each$LF
    done
    if [ "$_mk_below" = yes ] || [ ! -r "$_mk_at/uevent" ]; then continue; fi
    _mk_name=''
    while read -r _mk_word; do
      case $_mk_word in DEVNAME=*) _mk_name=${_mk_word#DEVNAME=} ;; esac
    done <"$_mk_at/uevent"
    mount_disks="$mount_disks $_mk_name"
    ! read_line "$_mk_at/loop/backing_file" || mount_image=$line
    ! read_line "$_mk_at/removable" || [ "$line" != 1 ] || mount_removable="${mount_removable:+$mount_removable }$_mk_name"
  done
}

# mount_disks_of_root: sets $mount_disks_root; what lies on them is the machine's own, whatever they are.
mount_disks_of_root() {
  mount_disks_root=''
  while read -r _ _ _mp_dev _ _mp_point _mp_rest <&7; do
    [ "$_mp_point" = / ] || continue
    _mp_rest=${_mp_rest#*- }
    mount_disks='' mount_image='' mount_removable=''
    case $_mp_dev:$_mp_rest in
      0:*:btrfs\ *)
        _mp_rest=${_mp_rest#* }
        mount_block "${_mp_rest%% *}"
        mount_disk "$mount_block"
        ;;
      0:*) ;;
      *) mount_disk "/sys/dev/block/$_mp_dev" ;;
    esac
    mount_disks_root=$mount_disks
  done 7<"$MOUNT_TABLE"
}

# mount_parts_stores: sets $mount_left, `PATH TAB REASON` of what is left out by name: the folders of backup stores on this host, and what the
# configuration of the source excludes; $mount_places, the former alone (mount_parts adds where else a store is seen); and $mount_datasets, the datasets of stores.
mount_parts_stores() {
  mount_left='' mount_places='' mount_datasets=$LF
  config_each store '' mount_parts_store
  config_each exclude "$src_group" mount_parts_exclude
}
mount_parts_store() {
  case $3 in
    /*)
      _ps_place=$(readlink -f -- "$3" 2>/dev/null)
      case $_ps_place in '' | / | *"$LF"*) return 0 ;; esac
      mount_places=$mount_places$_ps_place$LF
      mount_escape "$_ps_place"
      mount_left="$mount_left$escaped${TAB}the backup store $1 lies there$LF"
      ;;
    *) mount_datasets=$mount_datasets$3$LF ;;
  esac
}
mount_parts_exclude() {
  [ "$2" = "$src_name" ] || return 0
  source_literal "$3" || return 0
  mount_escape "/$exclude_pattern"
  mount_left="$mount_left$escaped${TAB}excluded by the runbook$LF"
}

# mount_escape PATH: sets $escaped, the path as mountinfo writes it.
mount_escape() {
  case $1 in
    *[\\\ "$TAB"]*) escaped=$(printf '%s' "$1" | sed 's/\\/\\134/g; s/ /\\040/g; s/\t/\\011/g') ;;
    *) escaped=$1 ;;
  esac
}
