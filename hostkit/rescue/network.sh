# The rescue system's network: as it was on the host at the build, by MAC; or DHCP; or as the kernel's command line says.
#
# /etc/resurgo/rescue.net, written at the build, one fact a line:
#   card MAC MTU ADDRESS/PREFIX…        a plain card
#   bond NAME MODE MAC MAC…             then `card` with the bond's name in the place of a MAC
#   vlan NAME ID PARENT                 PARENT: a MAC or a bond's name; then `card` with the vlan's name
#   route DESTINATION GATEWAY           DESTINATION: `default` or ADDRESS/PREFIX
#   dns ADDRESS

: "${rescue_dns-}" "${rescue_ip-}" "${rescue_vlan-}"

# net_device MAC_OR_NAME: sets $net_device; 1 where no card has it.
net_device() {
  net_device=
  case $1 in
    *:*:*:*:*:*) ;;
    *) [ -d "/sys/class/net/$1" ] && net_device=$1 && return 0 || return 1 ;;
  esac
  for net_path in /sys/class/net/*; do
    [ -e "$net_path/device" ] || continue
    read -r net_mac <"$net_path/address" || continue
    [ "$net_mac" = "$1" ] || continue
    net_device=${net_path##*/}
    return 0
  done
  return 1
}

# net_first: sets $net_device to the first real card that has a link, or to the first at all. Waits some seconds for a link.
net_first() {
  net_tries=0 net_device=
  while [ "$net_tries" -lt 50 ]; do
    for net_path in /sys/class/net/*; do
      [ -e "$net_path/device" ] || continue
      net_device=${net_device:-${net_path##*/}}
      ip link set "${net_path##*/}" up 2>/dev/null
      read -r net_carrier <"$net_path/carrier" 2>/dev/null || continue
      [ "$net_carrier" = 1 ] || continue
      net_device=${net_path##*/}
      return 0
    done
    net_tries=$((net_tries + 1))
    sleep 0.1
  done
  [ -n "$net_device" ]
}

rescue_network() {
  ip link set lo up
  case $rescue_ip in
    none) return 0 ;;
    dhcp) net_first && net_dhcp ;;
    '') net_captured || { net_first && net_dhcp; } ;;
    *) net_given ;;
  esac
  for net_one in $(printf '%s' "$rescue_dns" | tr , ' '); do printf 'nameserver %s\n' "$net_one" >>/etc/resolv.conf; done
}

net_given() {
  net_address=${rescue_ip%%,*} net_rest=${rescue_ip#"${rescue_ip%%,*}"}
  net_rest=${net_rest#,}
  net_gateway=${net_rest%%,*} net_mac_wanted=${net_rest#"${net_rest%%,*}"}
  net_mac_wanted=${net_mac_wanted#,}
  if [ -n "$net_mac_wanted" ]; then net_device "$net_mac_wanted"; else net_first; fi || { rescue_say "no network card for resurgo.ip=$rescue_ip"; return 1; }
  ip link set "$net_device" up
  if [ -n "$rescue_vlan" ]; then
    ip link add link "$net_device" name "vlan$rescue_vlan" type vlan id "$rescue_vlan"
    net_device=vlan$rescue_vlan
    ip link set "$net_device" up
  fi
  ip addr add "$net_address" dev "$net_device"
  [ -z "$net_gateway" ] || ip route add default via "$net_gateway"
}

# net_captured: 1 where none of the host's cards is here, as on other hardware.
net_captured() {
  [ -s /etc/resurgo/rescue.net ] || return 1
  net_up=0
  while read -r net_word net_1 net_2 net_rest; do
    case $net_word in
      bond) net_bond "$net_1" "$net_2" "$net_rest" ;;
      vlan)
        net_device "$net_rest" || continue
        ip link set "$net_device" up
        ip link add link "$net_device" name "$net_1" type vlan id "$net_2"
        ;;
      card)
        net_device "$net_1" || continue
        [ "$net_2" = 1500 ] || ip link set "$net_device" mtu "$net_2"
        ip link set "$net_device" up
        for net_address in $net_rest; do
          ip addr add "$net_address" dev "$net_device" && net_up=$((net_up + 1))
        done
        ;;
      route) ip route add "$net_1" via "$net_2" ;;
      dns) printf 'nameserver %s\n' "$net_1" >>/etc/resolv.conf ;;
    esac
  done </etc/resurgo/rescue.net
  [ "$net_up" -gt 0 ]
}

net_bond() {
  modprobe bonding max_bonds=0 2>/dev/null
  ip link add "$1" type bond mode "$2" miimon 100
  for net_member in $3; do
    net_device "$net_member" || continue
    ip link set "$net_device" down
    ip link set "$net_device" master "$1"
  done
  ip link set "$1" up
}

net_dhcp() {
  ip link set "$net_device" up
  busybox udhcpc -q -n -t 8 -T 2 -i "$net_device" -s /usr/local/lib/resurgo/rescue/dhcp >/dev/null 2>&1 ||
    rescue_say "no address by DHCP on $net_device: give one on the kernel's command line (resurgo.ip=ADDRESS/PREFIX,GATEWAY)"
}
