# What a host's network is captured as for its rescue system: rescue.net, whose form hostkit/rescue/network.sh has.

capture_sys=/sys/class/net
capture_proc=/proc/net

# capture_ip WORD…: the host's `ip`, also where the shell is a busybox that prefers its own, which says less.
capture_ip() {
  for _ci_path in /usr/sbin/ip /sbin/ip /usr/bin/ip /bin/ip; do
    [ -x "$_ci_path" ] || continue
    "$_ci_path" "$@"
    return
  done
  ip "$@"
}

# rescue_capture_network: prints it from the network as it is now.
rescue_capture_network() {
  # What others stand on comes first.
  for _cn_kind in bond vlan tagged; do capture_links "$_cn_kind"; done
  for _cn_kind in card bond vlan tagged other; do capture_cards "$_cn_kind"; done
  capture_routes
  sed -n 's/^nameserver[[:space:]]*\([^[:space:]]*\).*/dns \1/p' /etc/resolv.conf 2>/dev/null | grep -v '^dns 127\.' || :
}

# capture_kind NAME: sets $_ck_kind: bond, vlan (`tagged`: one that stands on another), card, other.
capture_kind() {
  if [ -d "$capture_sys/$1/bonding" ]; then
    _ck_kind=bond
  elif [ -r "$capture_proc/vlan/$1" ]; then
    _ck_kind=vlan
    capture_known "$(capture_parent "$1")" || return 0
    [ ! -r "$capture_proc/vlan/$_cw_known" ] || _ck_kind=tagged
  elif [ -e "$capture_sys/$1/device" ]; then
    _ck_kind=card
  else
    _ck_kind=other
  fi
}

capture_parent() { sed -n 's/^Device: //p' "$capture_proc/vlan/$1"; }

# capture_mac NAME: sets $_cm_mac to the one that the card has when nobody has given it another.
capture_mac() {
  _cm_mac=$(capture_ip -o link show dev "$1" 2>/dev/null | sed -n 's/.* permaddr \([0-9a-f:]*\).*/\1/p')
  [ -n "$_cm_mac" ] || read -r _cm_mac <"$capture_sys/$1/address"
}

# capture_known NAME: sets $_cw_known to what the rescue system knows a device by: a card by its MAC, a bond and a VLAN by name; a bridge, and
# whatever else stands on one of these, by the first that it stands on: what hangs on a bridge is not there yet. 1 where there is none.
capture_known() {
  _cw_known=$1
  if [ -d "$capture_sys/$1/bonding" ] || [ -r "$capture_proc/vlan/$1" ]; then return 0; fi
  if [ -e "$capture_sys/$1/device" ]; then
    capture_mac "$1"
    _cw_known=$_cm_mac
    return 0
  fi
  for _cw_lower in "$capture_sys/$1"/lower_*; do
    [ -e "$_cw_lower" ] || continue
    ! capture_known "${_cw_lower##*/lower_}" || return 0
  done
  return 1
}

# capture_links bond|vlan|tagged: prints the devices of that kind.
capture_links() {
  for _cl_path in "$capture_sys"/*; do
    _cl_name=${_cl_path##*/}
    capture_kind "$_cl_name"
    [ "$_ck_kind" = "$1" ] || continue
    if [ "$1" = bond ]; then
      read -r _cl_mode _ <"$_cl_path/bonding/mode"
      printf 'bond %s %s' "$_cl_name" "$_cl_mode"
      read -r _cl_members <"$_cl_path/bonding/slaves" || :
      for _cl_member in $_cl_members; do
        # A member wears the bond's MAC; its own is the permanent one.
        printf ' %s' "$(sed -n "/^Slave Interface: $_cl_member\$/,/^Slave queue/s/^Permanent HW addr: //p" "$capture_proc/bonding/$_cl_name")"
      done
      printf '\n'
    else
      capture_known "$(capture_parent "$_cl_name")" || continue
      printf 'vlan %s %s %s\n' "$_cl_name" "$(sed -n 's/.*VID: \([0-9]*\).*/\1/p' "$capture_proc/vlan/$_cl_name")" "$_cw_known"
    fi
  done
}

# capture_cards KIND: prints addresses and MTU of the devices of that kind.
capture_cards() {
  for _cc_path in "$capture_sys"/*; do
    _cc_name=${_cc_path##*/}
    [ "$_cc_name" != lo ] || continue
    capture_kind "$_cc_name"
    [ "$_ck_kind" = "$1" ] || continue
    _cc_addresses=$(capture_ip -o addr show dev "$_cc_name" scope global 2>/dev/null | awk '
      / (temporary|deprecated|dadfailed)( |$)/ { next }
      { printf " %s", $5 == "peer" ? $4 "," $6 : $4 }')
    # What a VLAN stands on must let as much through as it does.
    read -r _cc_mtu <"$_cc_path/mtu"
    [ -n "$_cc_addresses" ] || { [ "$1" != other ] && [ "$_cc_mtu" != 1500 ] && [ ! -e "$_cc_path/master" ]; } || continue
    capture_known "$_cc_name" || continue
    printf 'card %s %s%s\n' "$_cw_known" "$_cc_mtu" "$_cc_addresses"
  done
}

# capture_routes: of several gateways of one route each becomes a route, the later ones for when the first has no card.
capture_routes() {
  for _cr_family in 4 6; do
    capture_ip "-$_cr_family" route show 2>/dev/null | awk -v all="$([ "$_cr_family" = 4 ] && echo default || echo ::/0)" '
      function word(name,  i) { for (i = 1; i < NF; i++) if ($i == name) return $(i + 1); return "-" }
      function gateway(  by, i) {
        by = word("via")
        if (by == "inet" || by == "inet6") for (i = 1; i < NF; i++) if ($i == by) return $(i + 1)
        return by
      }
      $1 == "nexthop" {
        if (to == "") next
        print to, gateway(), word("dev"), (more ? metric + more : metric), from
        more++
        next
      }
      {
        to = ""
        # What has no device leads nowhere; what the kernel makes of an address comes with the address.
        if ($1 ~ /^[a-z]/ && $1 != "default") next
        if (word("proto") == "kernel") next
        to = $1 == "default" ? all : $1
        metric = word("metric"); from = word("src"); more = 0
        if (word("dev") == "-") next
        print to, gateway(), word("dev"), metric, from
        to = ""
      }'
  done | while read -r _cr_to _cr_by _cr_device _cr_metric _cr_from; do
    capture_known "$_cr_device" || continue
    printf 'route %s %s %s %s %s\n' "$_cr_to" "$_cr_by" "$_cw_known" "$_cr_metric" "$_cr_from"
  done
}
