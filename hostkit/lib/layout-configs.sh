#!/bin/sh
# Facts of configuration files: those that name disks, tell how the machine boots, or set up its network. What may be a secret stays
# here: the director asks for a layout with the key that a thief may have.

: "${facts_dir-}"

# Of one file, in bytes, and how many of them.
CONFIG_MOST=65536
CONFIGS_MOST=300

layout_configs() {
  configs_count=0
  for config_at in /etc/fstab /etc/crypttab; do layout_config table; done
  for config_at in /etc/mdadm.conf /etc/mdadm/mdadm.conf /etc/multipath.conf /etc/default/grub /etc/default/grub.d/*.cfg \
    /etc/kernel/cmdline /etc/kernel/install.conf /boot/loader/loader.conf /boot/loader/entries/*.conf /boot/efi/loader/loader.conf \
    /boot/efi/loader/entries/*.conf /efi/loader/loader.conf /efi/loader/entries/*.conf /boot/grub2/grubenv /boot/extlinux/extlinux.conf \
    /etc/initramfs-tools/initramfs.conf /etc/initramfs-tools/modules /etc/initramfs-tools/conf.d/* /etc/dracut.conf /etc/dracut.conf.d/*.conf \
    /etc/mkinitcpio.conf /etc/hostname /etc/hosts /etc/resolv.conf /etc/network/interfaces /etc/network/interfaces.d/* /etc/netplan/*.yaml \
    /etc/systemd/network/*.network /etc/systemd/network/*.netdev /etc/systemd/network/*.link /etc/NetworkManager/NetworkManager.conf \
    /etc/udev/rules.d/70-persistent-net.rules /etc/sysconfig/network /etc/sysconfig/network-scripts/ifcfg-* \
    /etc/sysconfig/network-scripts/route* /etc/sysconfig/network/config /etc/sysconfig/network/routes /etc/sysconfig/network/ifcfg-* \
    /etc/sysconfig/network/ifroute-* /etc/sysconfig/bootloader /etc/selinux/config; do
    layout_config lines
  done
  for config_at in /etc/NetworkManager/system-connections/*; do layout_config keyfile; done
  [ "$configs_count" -lt "$CONFIGS_MOST" ] || fact_made configs-left-out false
}

# layout_config HOW: the file $config_at, without what may be a secret.
layout_config() {
  [ -f "$config_at" ] && [ -r "$config_at" ] && [ "$configs_count" -lt "$CONFIGS_MOST" ] || return 0
  configs_count=$((configs_count + 1))
  fact_made "config:$config_at" layout_without_secrets "$1"
}

layout_without_secrets() {
  head -c "$CONFIG_MOST" -- "$config_at" >"$facts_dir/config"
  case $1 in
    # These name key files, which are no secrets, and must be whole; only a password among mount options goes.
    table) sed 's/\([Pp][Aa][Ss][Ss][A-Za-z0-9_]*=\)[^,[:space:]]*/\1LEFT-OUT/g' "$facts_dir/config" ;;
    lines) awk "$CONFIG_LINES" "$facts_dir/config" ;;
    keyfile) awk "$CONFIG_KEYFILE" "$facts_dir/config" ;;
  esac
  [ "$(wc -c <"$config_at")" -le "$CONFIG_MOST" ]
}

# A line that looks like a secret gives way to a comment.
# shellcheck disable=SC2016 # awk's own.
CONFIG_LINES='
  {
    low = tolower($0)
    if (low ~ /psk|passw|passphrase|secret|private.?key|shared.?key|wep.?key|wireless.?key|client.?key|auth.?key/ ||
        low ~ /^[ \t]*-?[ \t]*"?(key|keys|private|shared)"?[ \t]*:/ || low ~ /^[ \t]*key[0-9a-z_]*[ \t]*=/)
      print "# left out by Resurgo: this line may hold a secret"
    else print
  }'

# A connection may be a VPN or a wireless network with any kind of secret, so only the sections that hold none are told, and of these
# no line that looks like one.
# shellcheck disable=SC2016 # awk's own.
CONFIG_KEYFILE='
  /^[ \t]*\[/ {
    name = $0
    gsub(/^[ \t]*\[|\][ \t]*$/, "", name)
    told = name ~ /^(connection|ethernet|802-3-ethernet|infiniband|ipv4|ipv6|bond|bond-port|bridge|bridge-port|team|team-port|vlan|match|link|user|proxy)$/
    if (!told) print "# left out by Resurgo: section " name
  }
  told {
    if (tolower($0) ~ /psk|passw|secret|private.?key|wep.?key/) print "# left out by Resurgo: this line may hold a secret"
    else print
  }'
