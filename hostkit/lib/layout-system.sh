#!/bin/sh
# Facts of the system, of how it boots and of its network.

: "${facts_dir-}" "${line-}" "${tool_at-}"

layout_system() {
  fact_file os-release /etc/os-release
  fact_file hostname /proc/sys/kernel/hostname
  fact_made uname uname -rm
  fact_file machine-id /etc/machine-id
  fact_file meminfo /proc/meminfo
  fact_file modules /proc/modules
  fact_made dmi layout_dmi
  fact virt systemd-detect-virt
  fact_file selinux /sys/fs/selinux/enforce
}

layout_dmi() {
  for dmi_name in sys_vendor product_name board_vendor bios_vendor chassis_asset_tag; do
    ! read_line "/sys/class/dmi/id/$dmi_name" || printf '%s=%s\n' "$dmi_name" "$line"
  done
}

layout_boot() {
  fact_file cmdline /proc/cmdline
  fact_file efi /sys/firmware/efi/fw_platform_size
  if [ -d /sys/firmware/efi ]; then
    fact secure-boot od -An -v -tx1 -N5 /sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c
    fact efibootmgr efibootmgr -v
  fi
  fact_made boot-files layout_boot_files
  fact_made boot-tools layout_boot_tools
  fact_made boot-modules layout_boot_modules
  fact_made grub-platforms layout_grub_platforms
}

# The modules, fonts and translations of GRUB are hundreds and tell nothing.
layout_boot_files() {
  for boot_at in /boot /efi; do
    [ ! -d "$boot_at" ] || timeout -s KILL 20 find "$boot_at" -maxdepth 5 \( -type f -o -type l \) \
      ! -name '*.mod' ! -name '*.mo' ! -name '*.pf2' ! -name '*.lst' ! -name '*.png' -print
  done
}

layout_boot_tools() {
  for boot_tool in update-initramfs dracut mkinitrd mkinitcpio mkinitfs booster lsinitramfs lsinitrd update-grub grub-install \
    grub2-install grub-mkconfig grub2-mkconfig bootctl extlinux kernel-install efibootmgr; do
    ! tool_path "$boot_tool" || printf '%s %s\n' "$boot_tool" "$tool_at"
  done
}

# Versions of kernels whose modules are there, as a recovery looks for them (rescue/lib/new.sh).
layout_boot_modules() {
  modules_at=/usr/lib/modules
  [ -d "$modules_at" ] || modules_at=/lib/modules
  for modules_of in "$modules_at"/*; do
    if [ -d "$modules_of/kernel" ] || [ -f "$modules_of/modules.dep" ]; then printf '%s\n' "${modules_of##*/}"; fi
  done
}

# The firmwares that GRUB can be installed for; by this file grub-install knows one.
layout_grub_platforms() {
  for platform_at in /usr/lib/grub/* /usr/lib/grub2/* /usr/share/grub/* /usr/share/grub2/*; do
    [ ! -f "$platform_at/modinfo.sh" ] || printf '%s\n' "${platform_at##*/}"
  done
}

layout_network() {
  fact ip-link ip -j -d link show
  fact ip-addr ip -j addr show
  fact ip-route ip -j route show
  fact ip-route6 ip -j -6 route show
  fact_made drivers layout_drivers
  # What systemd-resolved asks; its own file names only itself.
  if [ -r /run/systemd/resolve/resolv.conf ]; then
    fact_file resolv /run/systemd/resolve/resolv.conf
  else
    fact_file resolv /etc/resolv.conf
  fi
  fact_made net-managers layout_net_managers
}

# `NAME DRIVER` of the interfaces that are hardware (or the hypervisor's).
layout_drivers() {
  for driver_at in /sys/class/net/*/device; do
    [ -e "$driver_at" ] || continue
    driver_of=${driver_at%/device}
    driver_of=${driver_of##*/}
    driver_link=$(readlink "$driver_at/driver") || driver_link=-
    printf '%s %s\n' "$driver_of" "${driver_link##*/}"
  done
}

# Which of them runs here.
layout_net_managers() {
  [ ! -d /run/NetworkManager ] || printf 'networkmanager\n'
  [ ! -d /run/systemd/netif/links ] || printf 'systemd-networkd\n'
  [ ! -d /run/wicked ] || printf 'wicked\n'
}
