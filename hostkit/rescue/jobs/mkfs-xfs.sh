# Makes an XFS as it was: sizes, features that this version of mkfs.xfs knows by name, identity.
# keys: on:text disks:lines uuid:text label:text? block:int sector:int inode:int directory:int log_blocks:int unit:int=0 width:int=0 features:text
# tools: blkid wipefs blockdev mkfs.xfs

# Set or read elsewhere:
: "${arg_block-}" "${arg_directory-}" "${arg_features-}" "${arg_inode-}" "${arg_label-}" "${arg_log_blocks-}" "${arg_sector-}" "${arg_unit-}" \
  "${arg_uuid-}" "${arg_width-}" "${device-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/make.sh"

# xfs_flag NAME: 1 where it is among the features, else 0.
xfs_flag() { case ,$arg_features, in *,"$1",*) printf 1 ;; *) printf 0 ;; esac; }

# xfs_words NAME…: sets $xfs_said to `,NAME=0|1` of each that this mkfs.xfs knows: what is off is told too, since a newer one may have it on by
# itself. One that it does not know can't be made.
xfs_words() {
  xfs_said=''
  for xfs_name in "$@"; do
    case $xfs_help in
      *"$xfs_name="*) xfs_said=$xfs_said,$xfs_name=$(xfs_flag "$xfs_name") ;;
      *)
        [ "$(xfs_flag "$xfs_name")" = 0 ] ||
          job_fail failed "this mkfs.xfs does not know $xfs_name, which the file system had: nothing was made. Boot media with a newer one (Debian: xfsprogs), and recover again"
        ;;
    esac
  done
}

job_main() {
  case $arg_features in *[!a-z0-9_,-]*) job_fail bad-request 'features are names with commas' ;; esac
  xfs_help=$(mkfs.xfs 2>&1 </dev/null) || :
  xfs_meta=uuid=$arg_uuid,crc=$(xfs_flag crc) xfs_inode=size=$arg_inode,projid32bit=$(xfs_flag projid32bit)
  xfs_naming=size=$arg_directory,ftype=$(xfs_flag ftype)
  # Case-insensitive names.
  [ "$(xfs_flag ascii-ci)" = 0 ] || xfs_naming=$xfs_naming,version=ci
  if [ "$(xfs_flag crc)" = 1 ]; then
    xfs_words bigtime inobtcount metadir
    xfs_meta=$xfs_meta,finobt=$(xfs_flag finobt),rmapbt=$(xfs_flag rmapbt),reflink=$(xfs_flag reflink)$xfs_said
    xfs_words nrext64 exchange
    xfs_inode=$xfs_inode,sparse=$(xfs_flag sparse)$xfs_said
    xfs_words parent
    xfs_naming=$xfs_naming$xfs_said
  else
    xfs_inode=$xfs_inode,attr=2
  fi
  make_begin xfs
  set -- -q -f -m "$xfs_meta" -i "$xfs_inode" -b "size=$arg_block" -s "size=$arg_sector" -n "$xfs_naming"
  [ "$arg_log_blocks" = 0 ] || set -- "$@" -l "size=${arg_log_blocks}b,lazy-count=$(xfs_flag lazy-count)"
  [ "$arg_unit" = 0 ] || set -- "$@" -d "sunit=$((arg_unit * arg_block / 512)),swidth=$((arg_width * arg_block / 512))"
  [ -z "$arg_label" ] || set -- "$@" -L "$arg_label"
  make_run mkfs.xfs "$@" "$device"
  make_end
}
