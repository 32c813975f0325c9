# Which kinds of storage a rescue system serves, with what tools and modules. ext and FAT are in each; the others weigh a third of an image,
# and a host that has none of a kind has no use for it: what is recovered is its own layout.
#
# xfs btrfs lvm md luks zfs

# Set or read elsewhere:
: "${rescue_storage-}"

# rescue_storage_choose host|all: sets $rescue_storage to the kinds; `host`: those that lie on this host's disks or stand in its tables. Where
# no disk can be looked at all are taken: nothing says then which may be left out.
rescue_storage_choose() {
  rescue_storage='btrfs luks lvm md xfs zfs'
  [ "$1" = host ] || return 0
  # A fresh look, not what a cache remembers.
  blkid -c /dev/null -o value -s TYPE >storage 2>/dev/null || :
  grep -q . storage || return 0
  for _rt_file in /proc/mounts /etc/fstab; do
    [ ! -r "$_rt_file" ] || awk '$1 !~ /^#/ { print $3 }' "$_rt_file" >>storage
  done
  [ ! -r /etc/crypttab ] || awk 'NF && $1 !~ /^#/ { print "crypto_LUKS" }' /etc/crypttab >>storage
  rescue_storage=$(awk '
    $1 == "xfs" || $1 == "btrfs" { print }
    $1 == "LVM2_member" { print "lvm" }
    $1 ~ /_raid_member$/ { print "md" }
    $1 == "crypto_LUKS" { print "luks" }
    $1 == "zfs" || $1 == "zfs_member" { print "zfs" }' storage | sort -u)
}

# rescue_storage_each FUNCTION SEPARATOR: prints what FUNCTION prints of each chosen kind, each followed by SEPARATOR.
rescue_storage_each() {
  for _re_kind in $rescue_storage; do
    "$1" "$_re_kind"
    printf '%s' "$2"
  done
}

rescue_storage_tools() {
  case $1 in
    btrfs) printf 'mkfs.btrfs btrfs' ;;
    luks) printf 'cryptsetup' ;;
    lvm)
      printf '%s' 'lvm pvs vgs lvs pvcreate vgcreate lvcreate pvchange vgchange vgcfgbackup vgcfgrestore lvchange pvscan vgscan vgmknodes pvremove vgremove lvremove'
      printf '%s' ' thin_check thin_repair cache_check'
      ;;
    md) printf 'mdadm' ;;
    xfs) printf 'mkfs.xfs xfs_repair xfs_growfs' ;;
    zfs) printf 'zpool zfs mount.zfs zvol_id' ;;
  esac
}

# rescue_storage_modules KIND: parts of modules.dep, as RESCUE_ALWAYS.
rescue_storage_modules() {
  _sm_mapper='kernel/drivers/md/(dm-|md-|raid|persistent|linear|multipath)|kernel/crypto/(async|xor)|kernel/lib/raid6'
  case $1 in
    btrfs) printf 'kernel/fs/btrfs|kernel/crypto/(xxhash|blake2|sha256|xor)' ;;
    luks) printf '%s|%s' "$_sm_mapper" 'kernel/crypto/(xts|aes|cbc|ecb|essiv|sha|algif|af_alg|gf128|serpent|twofish|lrw|wp512|rmd|cryptd|authenc|chacha|adiantum|poly|nhpoly)|kernel/lib/crypto|kernel/arch/[^/]*/crypto' ;;
    lvm | md) printf '%s' "$_sm_mapper" ;;
    xfs) printf 'kernel/fs/xfs' ;;
    zfs) printf 'kernel/zfs' ;;
  esac
}

# rescue_storage_files KIND: further files that its tools read.
rescue_storage_files() {
  # The names of features that a pool's property `compatibility` stands for.
  if [ "$1" = zfs ]; then printf '%s ' /usr/share/zfs/compatibility.d/* /etc/zfs/compatibility.d/*; fi
}
