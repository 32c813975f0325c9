#!/bin/sh
# Facts of block devices: what each is, its partition table, what lies on it, and what that says of itself.

: "${disk_bytes-}" "${disk_serial-}" "${disk_word-}" "${disk_wwn-}" "${encoded-}" "${fact_out-}" "${facts_dir-}" "${field-}" "${line-}" "${tool_at-}"

LAYOUT_COLUMNS=NAME,KNAME,PKNAME,MAJ:MIN,SIZE,RO,RM,ROTA,LOG-SEC,PHY-SEC,TYPE,TRAN,WWN,MODEL,SERIAL,VENDOR,SUBSYSTEMS

layout_devices() {
  layout_held=' '
  fact lsblk lsblk -J -b -o "$LAYOUT_COLUMNS"
  fact_made disks layout_disks
  fact_made slaves layout_slaves
  fact_made dm layout_dm
  fact_made links layout_links
  fact_file mdstat /proc/mdstat
  tool_path lsblk || return 0
  # Kernel names only: those of device-mapper may be anything.
  timeout -s KILL 20 "$tool_at" -nrpo KNAME,TYPE 2>/dev/null | sort -u >"$facts_dir/devices"
  while read -r device_at device_type <&6; do
    case $device_at:$device_type in
      /dev/zram* | /dev/ram* | /dev/fd[0-9]* | *:loop | *:rom) continue ;;
      /dev/*) layout_device ;;
    esac
  done 6<"$facts_dir/devices"
}

# `NAME BYTES SERIAL WWN [THIS_BOOT]` of each disk, percent-encoded, `-` for none: in the very words that a recovery's steps know a disk by, and without
# udev, which lsblk asks.
layout_disks() {
  for disk_at in /sys/block/*; do
    disk_is "${disk_at##*/}" || continue
    disk_facts "${disk_at##*/}"
    encode "$disk_serial"
    disk_said=$encoded
    encode "$disk_wwn"
    disk_said="$disk_said $encoded"
    if [ "$disk_said" = '- -' ]; then
      disk_this_boot "${disk_at##*/}"
      disk_said="$disk_said${disk_word:+ $disk_word}"
    fi
    printf '%s %s %s\n' "${disk_at##*/}" "$disk_bytes" "$disk_said"
  done
}

layout_device() {
  case $device_type in
    part | lvm | crypt) ;;
    *)
      fact "sfdisk:$device_at" sfdisk --json "$device_at"
      fact "sector:$device_at" od -An -v -tx1 -N512 "$device_at"
      ;;
  esac
  case $device_type in
    raid* | linear | md)
      fact "mdadm-export:$device_at" mdadm --detail --export "$device_at"
      fact "mdadm-detail:$device_at" mdadm --detail "$device_at"
      ;;
  esac
  # `udev` is the one form that writes every byte of a label so that it can be read back.
  fact "blkid:$device_at" blkid -p -o udev "$device_at"
  fact_field ID_FS_TYPE
  layout_held="$layout_held$field "
  case $field in
    linux_raid_member) fact "mdadm-examine:$device_at" mdadm --examine "$device_at" ;;
    crypto_LUKS)
      fact "luks-dump:$device_at" cryptsetup luksDump "$device_at"
      ! grep -q '^Version:[[:space:]]*2' "$fact_out" ||
        fact "luks-json:$device_at" cryptsetup luksDump --dump-json-metadata "$device_at"
      ;;
    ext2 | ext3 | ext4) fact "dumpe2fs:$device_at" dumpe2fs -h "$device_at" ;;
    xfs) fact "xfs-info:$device_at" xfs_info "$device_at" ;;
    btrfs) fact "btrfs-super:$device_at" btrfs inspect-internal dump-super "$device_at" ;;
    vfat) fact "sector:$device_at" od -An -v -tx1 -N512 "$device_at" ;;
  esac
}

# What lies below md and device-mapper devices, one `HOLDER SLAVE` a line.
layout_slaves() {
  for slave_at in /sys/block/*/slaves/*; do
    [ -e "$slave_at" ] || [ -L "$slave_at" ] || continue
    slave_of=${slave_at#/sys/block/}
    printf '%s %s\n' "${slave_of%%/*}" "${slave_at##*/}"
  done
}

# `dm-0 UUID NAME`, `-` for no UUID: the UUID's first part says who made the mapping.
layout_dm() {
  for dm_at in /sys/block/dm-*; do
    read_line "$dm_at/dm/name" || continue
    dm_name=$line
    read_line "$dm_at/dm/uuid" || line=-
    printf '%s %s %s\n' "${dm_at##*/}" "$line" "$dm_name"
  done
}

# Further names of devices, as `stat` writes links: '/dev/disk/by-id/X' -> '../../sda'.
layout_links() {
  timeout -s KILL 20 find /dev -xdev -type l ! -path '/dev/char/*' ! -path '/dev/block/*' ! -path '/dev/fd' ! -path '/dev/std*' \
    ! -path '/dev/core' ! -path '/dev/input/*' ! -path '/dev/snd/*' -exec stat -c %N {} +
}

layout_lvm() {
  # Where no device holds LVM, nothing is asked: on a host without it the tools may be missing, and that is as it should be.
  case $layout_held in *' LVM2_member '*) ;; *) return 0 ;; esac
  fact lvm-vgs vgs --reportformat json --units b --nosuffix \
    -o vg_name,vg_uuid,vg_extent_size,vg_extent_count,vg_tags,vg_missing_pv_count,vg_shared,vg_exported
  fact lvm-pvs pvs --reportformat json --units b --nosuffix \
    -o pv_name,pv_uuid,vg_name,pe_start,pv_pe_count,pv_tags,pv_allocatable,pv_missing,pv_duplicate
  # -a: also the hidden parts, which say where a RAID or a pool lies. One row for each segment.
  fact lvm-lvs lvs -a --reportformat json --units b --nosuffix --segments \
    -o vg_name,lv_name,lv_uuid,lv_size,lv_attr,lv_tags,lv_permissions,lv_active,lv_layout,lv_role,segtype,seg_start_pe,seg_size_pe,stripes,data_stripes,data_copies,stripe_size,region_size,chunk_size,devices,metadata_devices,pool_lv,data_lv,metadata_lv,origin,discards,zero,lv_metadata_size
}

layout_zfs() {
  # A call of zpool loads the module: only where there is ZFS.
  case $layout_held in *' zfs_member '*) ;; *) [ -e /dev/zfs ] || return 0 ;; esac
  fact zpool-list zpool list -Hp -o name,guid,size,allocated,health
  fact zpool-status zpool status -P
  fact zpool-get zpool get -Hp all
  fact zfs-list zfs list -Hp -t filesystem,volume -o name,type,mountpoint,volsize,used,mounted
  fact zfs-get zfs get -Hp -t filesystem,volume -s local,received all
  # Chosen at the making: none of it is called local. An old ZFS knows none of encryption.
  fact zfs-made zfs get -Hp -t filesystem,volume casesensitivity,normalization,utf8only,volblocksize,encryption,origin
}
