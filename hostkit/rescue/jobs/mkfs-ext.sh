# Makes an ext2, ext3 or ext4 as it was: features, sizes, reserved blocks, identity.
# keys: on:text disks:lines type:word(ext2|ext3|ext4) uuid:text label:text? blocks:int block:int inode:int inodes:int reserved:int
# keys: reserved_uid:int=0 reserved_gid:int=0 features:text options:text? hash:text? stride:int=0 stripe:int=0 journal:int=0
# keys: errors:word(continue|remount-ro|panic) mounts:text=-1 interval:int=0 cluster:int=0
# tools: blkid wipefs blockdev mke2fs tune2fs

# Set or read elsewhere:
: "${arg_block-}" "${arg_blocks-}" "${arg_cluster-}" "${arg_errors-}" "${arg_features-}" "${arg_hash-}" "${arg_inode-}" "${arg_inodes-}" "${arg_interval-}" \
  "${arg_journal-}" "${arg_label-}" "${arg_mounts-}" "${arg_options-}" "${arg_reserved-}" "${arg_reserved_gid-}" "${arg_reserved_uid-}" "${arg_stride-}" \
  "${arg_stripe-}" "${arg_type-}" "${arg_uuid-}" "${device-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/make.sh"

job_main() {
  case $arg_features in *[!a-z0-9_,^-]*) job_fail bad-request 'features are names with commas' ;; esac
  case $arg_options in *[!a-z0-9_,]*) job_fail bad-request 'mount options are names with commas' ;; esac
  make_begin "$arg_type"
  ext_extended=lazy_itable_init=1,lazy_journal_init=1
  [ "$arg_stride" = 0 ] || ext_extended=$ext_extended,stride=$arg_stride
  [ "$arg_stripe" = 0 ] || ext_extended=$ext_extended,stripe_width=$arg_stripe
  set -- -q -F -t "$arg_type" -b "$arg_block" -I "$arg_inode" -N "$arg_inodes" -U "$arg_uuid" -m 0 -O "none,$arg_features" -E "$ext_extended"
  # Of bigalloc; without it mke2fs chooses, and may find room for fewer inodes.
  [ "$arg_cluster" = 0 ] || set -- "$@" -C "$arg_cluster"
  [ -z "$arg_label" ] || set -- "$@" -L "$arg_label"
  # In MiB, and only where there is a journal: the least that mke2fs takes is 1024 blocks.
  case ,$arg_features, in *,has_journal,*) [ "$arg_journal" = 0 ] || set -- "$@" -J "size=$((arg_journal / 1048576))" ;; esac
  make_run mke2fs "$@" "$device" "$arg_blocks"
  set -- -r "$arg_reserved" -u "$arg_reserved_uid" -g "$arg_reserved_gid" -e "$arg_errors" -c "$arg_mounts" -i "$arg_interval"
  [ -z "$arg_options" ] || set -- "$@" -o "$arg_options"
  [ -z "$arg_hash" ] || set -- "$@" -E "hash_alg=$arg_hash"
  make_run tune2fs "$@" "$device"
  make_end
}
