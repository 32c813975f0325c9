# The rescue system's drivers: by what each bus says that it holds. There is no udev; nobody is told of what shows up later, so it is looked
# for again.

drivers_sys=/sys
drivers_run=/run/resurgo
# This shell is a busybox, which may prefer its own modprobe; that knows less of what a module wants beside it.
drivers_modprobe=modprobe
for drivers_path in /usr/sbin/modprobe /sbin/modprobe /usr/bin/modprobe /bin/modprobe; do
  [ -x "$drivers_path" ] || continue
  drivers_modprobe=$drivers_path
  break
done

# rescue_drivers: asks for what every device names itself, unless that is what was asked for the last time.
rescue_drivers() {
  find "$drivers_sys/devices" -name modalias -exec cat {} + 2>/dev/null | sort -u >"$drivers_run/aliases.now"
  if cmp -s "$drivers_run/aliases" "$drivers_run/aliases.now"; then return 0; fi
  # A name may hold a quotation mark: some board's maker has one in its own.
  tr '\n' '\0' <"$drivers_run/aliases.now" | xargs -0 "$drivers_modprobe" -abq 2>/dev/null
  mv -f "$drivers_run/aliases.now" "$drivers_run/aliases"
}

# rescue_drivers_first: what is there now. Drivers found on the way bring further buses, so a second look follows. Then the few that wait on
# their bus for devices that are still to be named: a disk on USB, a keyboard, a card, what a hypervisor offers.
rescue_drivers_first() {
  rescue_drivers
  rescue_drivers
  drivers_wait='dm_mod md_mod sd_mod sr_mod loop ext4 vfat nls_cp437 nls_iso8859-1 nls_ascii nls_utf8 af_packet'
  while read -r drivers_bus drivers_names; do
    [ ! -d "$drivers_sys/bus/$drivers_bus" ] || drivers_wait="$drivers_wait $drivers_names"
  done <<'BUSES'
usb usb_storage uas usbhid hid_generic
mmc mmc_block
vmbus hv_storvsc hv_netvsc hid_hyperv hid_generic hyperv_keyboard pci_hyperv
xen xen_blkfront xen_netfront
nd nd_pmem
firewire firewire_sbp2
BUSES
  # shellcheck disable=SC2086 # Words.
  "$drivers_modprobe" -abq $drivers_wait 2>/dev/null
}

# rescue_drivers_late [COMMAND]: looks again for a minute, with growing pauses, and calls COMMAND after each look.
rescue_drivers_late() {
  for drivers_pause in 1 1 2 4 8 16 32; do
    sleep "$drivers_pause"
    rescue_drivers
    "${1:-:}"
  done
}
