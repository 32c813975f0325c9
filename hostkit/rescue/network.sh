# The rescue system's network: as it was on the host at the build, by MAC; or DHCP; or as the kernel's command line says.
#
# /etc/resurgo/rescue.net, written at the build (lib/rescue-network.sh), one fact a line, in an order in which each can be made:
#   bond NAME MODE MAC MAC…
#   vlan NAME ID DEVICE
#   card DEVICE MTU ADDRESS…                      ADDRESS: ADDRESS/PREFIX, or ADDRESS,PEER/PREFIX
#   route DESTINATION GATEWAY DEVICE METRIC SOURCE
#                                                 DESTINATION: `default`, or ADDRESS/PREFIX; `-`: no gateway, metric or source
#   dns ADDRESS
# DEVICE: the MAC of a card, or the name of a bond or VLAN above.
#
# Name servers are gathered in /run/resurgo/dns.*: first those of the command line, then what was captured, then each lease's.

: "${rescue_dns-}" "${rescue_host-}" "${rescue_ip-}" "${rescue_vlan-}"

net_captured_file=/etc/resurgo/rescue.net
net_run=/run/resurgo
net_resolv_file=/etc/resolv.conf
net_dhcp_script=/usr/local/lib/resurgo/rescue/dhcp
# Without an end: five times two seconds apart, again after ten.
net_dhcp_words='-t 5 -T 2 -A 10'
# In tenths of a second: how long a card that was named, a link, and an address by DHCP are waited for.
net_wait_card=50 net_wait_link=50 net_wait_lease=200

# This shell is a busybox, which may prefer its own `ip`; that knows no bonds.
net_ip=ip
for net_path in /usr/sbin/ip /sbin/ip /usr/bin/ip /bin/ip; do
  [ -x "$net_path" ] || continue
  net_ip=$net_path
  break
done
ip() { command "$net_ip" "$@"; }

# net_is_card NAME: a network card, and no part of another device: a bond's member, the hidden half of a virtual machine's.
net_is_card() { [ -e "/sys/class/net/$1/device" ] && [ ! -e "/sys/class/net/$1/master" ]; }

# net_cards: sets $net_cards to all of them.
net_cards() {
  net_cards=
  for net_path in /sys/class/net/*; do
    ! net_is_card "${net_path##*/}" || net_cards="$net_cards ${net_path##*/}"
  done
}

# net_device MAC_OR_NAME: sets $net_device; 1 where no card has it.
net_device() {
  net_device=
  case $1 in
    *:*:*:*:*:*) ;;
    *) [ -d "/sys/class/net/$1" ] && net_device=$1 && return 0 || return 1 ;;
  esac
  # The card of other hardware that takes its place.
  if [ "$1" = "${net_lost-}" ]; then net_device=$net_heir && return 0; fi
  net_cards
  for net_card in $net_cards; do
    read -r net_mac <"/sys/class/net/$net_card/address" || continue
    [ "$net_mac" = "$1" ] || continue
    net_device=$net_card
    return 0
  done
  return 1
}

# net_wait MAC…: until there are cards with all of these: some show up late, by USB or in a virtual machine.
net_wait() {
  net_tries=0
  while [ "$net_tries" -lt "$net_wait_card" ]; do
    net_late=''
    for net_wanted in "$@"; do net_device "$net_wanted" || net_late=yes; done
    [ -n "$net_late" ] || return 0
    net_tries=$((net_tries + 1))
    sleep 0.1
  done
  return 1
}

# net_linked: sets $net_device to the first card that has a link; 1 where none has.
net_linked() {
  net_cards
  for net_card in $net_cards; do
    ip link set "$net_card" up 2>/dev/null
    read -r net_carrier 2>/dev/null <"/sys/class/net/$net_card/carrier" || continue
    [ "$net_carrier" = 1 ] || continue
    net_device=$net_card
    return 0
  done
  return 1
}

# net_first: sets $net_device to the first card that has a link, or to the first at all. Waits some seconds for a link.
net_first() {
  net_tries=0
  while [ "$net_tries" -lt "$net_wait_link" ]; do
    ! net_linked || return 0
    net_tries=$((net_tries + 1))
    sleep 0.1
  done
  net_device=${net_cards# }
  net_device=${net_device%% *}
  [ -n "$net_device" ]
}

# net_tagged: where the command line names a VLAN, sets $net_device to it on that device.
net_tagged() {
  [ -n "$rescue_vlan" ] || return 0
  case " ${net_vlans-} " in *" $net_device "*) return 0 ;; esac
  ip link set "$net_device" up
  [ -d "/sys/class/net/$net_device.$rescue_vlan" ] || net_vlan "$net_device.$rescue_vlan" "$rescue_vlan" "$net_device" || return 1
  net_device=$net_device.$rescue_vlan
}

# net_vlan NAME ID DEVICE
net_vlan() {
  modprobe 8021q 2>/dev/null
  ip link add link "$3" name "$1" type vlan id "$2"
}

# net_route DESTINATION GATEWAY METRIC SOURCE: on $net_device. The gateway is taken to be on that device, whatever the address says of it:
# at many hosters it lies outside of the address's network.
net_route() {
  net_family=-4
  case $1 in *:*) net_family=-6 ;; esac
  net_source=''
  [ "${4:--}" = - ] || net_source="src $4"
  set -- "$1" "$2" "${3:--}"
  if [ "$3" = - ]; then net_metric=''; else net_metric="metric $3"; fi
  # An address that is being looked for twins (IPv6) can't be named as the source yet; an old kernel may not know `onlink`.
  case $net_family/$2 in
    */-) net_via='' ;;
    -4/*:*) net_via="via inet6 $2" ;;
    *) net_via="via $2" ;;
  esac
  for net_how in "$net_source onlink" onlink "$net_source" ''; do
    [ -n "$net_via" ] || net_how=${net_how%onlink}
    # shellcheck disable=SC2086 # Words.
    ip "$net_family" route replace "$1" $net_via dev "$net_device" $net_metric $net_how 2>/dev/null && return 0
  done
  return 1
}

# net_address ADDRESS: adds ADDRESS/PREFIX or ADDRESS,PEER/PREFIX to $net_device.
net_address() {
  case $1 in
    *,*) ip addr replace "${1%%,*}" peer "${1#*,}" dev "$net_device" ;;
    *) ip addr replace "$1" dev "$net_device" ;;
  esac
}

# net_servers NAME ADDRESS…: name servers by that name, in their place in resolv.conf.
net_servers() {
  net_name=$1
  shift
  : >"$net_run/dns.$net_name"
  for net_one in "$@"; do printf 'nameserver %s\n' "$net_one" >>"$net_run/dns.$net_name"; done
  cat "$net_run"/dns.* >"$net_resolv_file"
}

# rescue_network: notes in /run/resurgo/net how it came out: `up`; `dhcp`, where leases may come later; `missing`, where the card that was
# named is not there.
rescue_network() {
  ip link set lo up
  net_vlans='' net_state=up
  # shellcheck disable=SC2046 # Words.
  net_servers 0 $(printf '%s' "$rescue_dns" | tr , ' ')
  case $rescue_ip in
    none) ;;
    dhcp) net_dhcp ;;
    '') net_captured || net_dhcp ;;
    *) net_given || net_state=missing ;;
  esac
  printf '%s\n' "$net_state" >"$net_run/net"
}

# rescue_network_again: for cards that have shown up since.
rescue_network_again() {
  [ -e "$net_run/net" ] || return 0
  read -r net_state <"$net_run/net"
  case $net_state in
    dhcp) net_dhcp_start ;;
    missing)
      net_wait_card=1 net_wait_link=1
      rescue_network
      rescue_banner_again
      ;;
  esac
}

net_given() {
  net_address=${rescue_ip%%,*} net_rest=${rescue_ip#"${rescue_ip%%,*}"}
  net_rest=${net_rest#,}
  net_gateway=${net_rest%%,*} net_mac_wanted=${net_rest#"${net_rest%%,*}"}
  net_mac_wanted=${net_mac_wanted#,}
  if [ -n "$net_mac_wanted" ]; then net_wait "$net_mac_wanted"; else net_first; fi || {
    [ -e "$net_run/net" ] || rescue_say "no network card for resurgo.ip=$rescue_ip"
    return 1
  }
  ip link set "$net_device" up
  net_tagged || rescue_say "resurgo.vlan=$rescue_vlan can not be made on $net_device"
  ip link set "$net_device" up
  net_address "$net_address"
  case $net_gateway in
    '') ;;
    *:*) net_route ::/0 "$net_gateway" ;;
    *) net_route default "$net_gateway" ;;
  esac
}

# net_captured: 1 where none of the host's cards is here, as on other hardware.
net_captured() {
  [ -s "$net_captured_file" ] || return 1
  # shellcheck disable=SC2046 # Words.
  net_wait $(tr ' ' '\n' <"$net_captured_file" | grep -xE '([0-9a-f]{2}:){5}[0-9a-f]{2}' | sort -u) || :
  net_up=0 net_found=''
  while read -r net_word net_1 net_2 net_rest; do
    case $net_word in
      bond) net_bond "$net_1" "$net_2" "$net_rest" ;;
      vlan)
        net_device "$net_rest" || continue
        ip link set "$net_device" up
        net_vlan "$net_1" "$net_2" "$net_device" && net_vlans="$net_vlans $net_1"
        ;;
      card)
        net_device "$net_1" || continue
        [ "$net_2" = 1500 ] || ip link set "$net_device" mtu "$net_2"
        ip link set "$net_device" up
        net_tagged || continue
        ip link set "$net_device" up
        for net_each in $net_rest; do
          net_address "$net_each" && net_up=$((net_up + 1))
        done
        ;;
      route)
        # shellcheck disable=SC2086 # Words.
        set -- $net_rest
        if ! net_device "${1-}" || ! net_tagged; then continue; fi
        net_route "$net_1" "$net_2" "${2-}" "${3-}" || rescue_say "no way to $net_1 by $net_2 on $net_device"
        ;;
      dns) net_found="$net_found $net_1" ;;
    esac
  done <"$net_captured_file"
  # shellcheck disable=SC2086 # Words.
  net_servers 1 $net_found
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

# net_dhcp: asks on every card, without an end: what gets a lease renews it, and what has none may get a link, or a server that comes back.
# Waits some seconds for the first lease.
net_dhcp() {
  net_state=dhcp net_tries=0
  while [ "$net_tries" -lt "$net_wait_lease" ]; do
    net_dhcp_start
    [ ! -e "$net_run/bound" ] || return 0
    # Without any link none will come soon.
    [ "$net_tries" -lt "$net_wait_link" ] || net_linked || break
    net_tries=$((net_tries + 1))
    sleep 0.1
  done
  ! net_stand_in || return 0
  rescue_say "no address by DHCP yet (${net_cards:- no network card}); it is asked for on. Or give one on the kernel's command line (resurgo.ip=ADDRESS/PREFIX,GATEWAY)"
}

# net_stand_in: on other hardware, where no server gives an address: the one card that has a link takes the place of the one card that was
# captured, and its addresses, unless somebody answers to one of them. DHCP goes on asking. 1 where it can't be told which card that is.
net_stand_in() {
  [ -s "$net_captured_file" ] && ! grep -qE '^(bond|vlan) ' "$net_captured_file" || return 1
  net_lost=$(sed -n 's/^card \([0-9a-f:]*\) [0-9]* ..*/\1/p' "$net_captured_file" | sort -u)
  case $net_lost in '' | *[!0-9a-f:]*) net_lost='' && return 1 ;; esac
  net_heir=''
  net_cards
  for net_card in $net_cards; do
    read -r net_carrier 2>/dev/null <"/sys/class/net/$net_card/carrier" || continue
    [ "$net_carrier" = 1 ] || continue
    [ -z "$net_heir" ] || { net_lost='' && return 1; }
    net_heir=$net_card
  done
  [ -n "$net_heir" ] || { net_lost='' && return 1; }
  # shellcheck disable=SC2013 # Words.
  for net_each in $(sed -n 's/^card [0-9a-f:]* [0-9]* //p' "$net_captured_file"); do
    net_each=${net_each%%[,/]*}
    case $net_each in *:*) continue ;; esac
    busybox arping -D -q -c 3 -w 3 -I "$net_heir" "$net_each" >/dev/null 2>&1 && continue
    rescue_say "$net_each, the address of $rescue_host, is another machine's on $net_heir: it is not taken"
    net_lost=''
    return 1
  done
  net_captured || return 1
  rescue_say "no address by DHCP: $net_heir has the addresses of $rescue_host, as the only card with a link"
}

# net_dhcp_start: on each card where nobody asks yet.
net_dhcp_start() {
  net_cards
  for net_card in $net_cards; do
    [ ! -e "$net_run/dhcp.$net_card" ] || continue
    : >"$net_run/dhcp.$net_card"
    ip link set "$net_card" up
    net_device=$net_card
    net_tagged || { rescue_say "resurgo.vlan=$rescue_vlan can not be made on $net_device"; continue; }
    ip link set "$net_device" up
    # shellcheck disable=SC2086 # Words.
    busybox udhcpc -f $net_dhcp_words -O staticroutes -O mtu -i "$net_device" -s "$net_dhcp_script" </dev/null >/dev/null 2>&1 &
  done
}
