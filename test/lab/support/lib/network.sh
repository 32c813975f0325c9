# A fleet's network: one bridge in a network namespace of its own, a namespace per host, and a leg into the machine's
# namespace, so that plain processes (the director, its worker) reach the hosts.
# shellcheck shell=bash

lan_ns() { printf 'rl.%s.lan\n' "$1"; }
host_ns() { printf 'rl.%s.%s\n' "$1" "$2"; }
subnet() { cat "$(fleet_dir "$1")/subnet"; }
in_lan() { # FLEET COMMAND…
  local ns
  ns=$(lan_ns "$1")
  shift
  nsenter --net="/run/netns/$ns" "$@"
}

# The addresses by which a name is known on the fleet's network: `director` has two (outside and inside the LAN namespace).
addresses() {
  if [ "$2" = director ]; then
    printf '10.77.%s.1 10.77.%s.2\n' "$(subnet "$1")" "$(subnet "$1")"
  else
    require_host "$1" "$2"
    fact "$1" "$2" address
  fi
}

# The lowest number that no fleet and no interface of this machine uses: fleets side by side never meet.
choose_subnet() {
  local number
  for number in $(seq 1 250); do
    grep -qsx "$number" "$LAB_RUN"/*/subnet && continue
    ip -o link show "rl$number" > /dev/null 2>&1 && continue
    ip -o -4 addr show | grep -q " 10\.77\.$number\." && continue
    echo "$number"
    return 0
  done
  die 'all 250 subnets of 10.77.0.0/16 are taken: scripts/lab-sweep.sh removes what dead fleets left'
}

raise_lan() {
  local ns number chain
  ns=$(lan_ns "$1") number=$(subnet "$1")
  ip netns add "$ns"
  ip -n "$ns" link set lo up
  ip -n "$ns" link add br0 type bridge
  ip -n "$ns" addr add "10.77.$number.2/24" dev br0
  ip -n "$ns" link set br0 up
  ip link add "rl$number" type veth peer name director netns "$ns"
  ip -n "$ns" link set director master br0 up
  ip addr add "10.77.$number.1/24" dev "rl$number"
  ip link set "rl$number" up
  in_lan "$1" ebtables-nft -N CUT -P RETURN
  for chain in FORWARD INPUT OUTPUT; do in_lan "$1" ebtables-nft -A "$chain" -j CUT; done
}

# A fresh network namespace per boot: firewall rules, bridges and sockets of the former boot are gone, as on a machine.
plug_host() {
  local lan ns index
  lan=$(lan_ns "$1") ns=$(host_ns "$1" "$2") index=$(fact "$1" "$2" index)
  unplug_host "$1" "$2"
  ip netns add "$ns"
  nsenter --net="/run/netns/$ns" sh -c 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6' 2> /dev/null || true
  # The same hardware address at each boot, or the neighbours would go on sending to the old one.
  ip -n "$lan" link add "h$index" type veth peer name eth0 netns "$ns" address "$(printf '02:77:00:%02x:00:%02x' "$(subnet "$1")" "$index")"
  ip -n "$lan" link set "h$index" master br0 up
  ip -n "$ns" addr add "$(fact "$1" "$2" address)/24" dev eth0
  ip -n "$ns" link set lo up
  ip -n "$ns" link set eth0 up
}

unplug_host() {
  ip -n "$(lan_ns "$1")" link del "h$(fact "$1" "$2" index)" 2> /dev/null
  ip netns del "$(host_ns "$1" "$2")" 2> /dev/null
  return 0
}

remove_network() {
  local ns pid
  for pid in $(ip netns pids "$(lan_ns "$1")" 2> /dev/null); do kill -9 "$pid" 2> /dev/null; done
  [ -f "$(fleet_dir "$1")/subnet" ] && ip link del "rl$(subnet "$1")" 2> /dev/null
  for ns in "/run/netns/rl.$1."*; do
    [ -e "$ns" ] && ip netns del "$(basename "$ns")" 2> /dev/null
  done
  return 0
}

# Drops every packet between the two, both ways, without a word to either: a pulled cable. Both sides of a cut survive reboots.
cut_link() { # FLEET A B
  local a b
  heal_link "$1" "$2" "$3"
  for a in $(addresses "$1" "$2"); do
    for b in $(addresses "$1" "$3"); do
      in_lan "$1" ebtables-nft -A CUT -p IPv4 --ip-src "$a" --ip-dst "$b" -j DROP
      in_lan "$1" ebtables-nft -A CUT -p IPv4 --ip-src "$b" --ip-dst "$a" -j DROP
    done
  done
}

heal_link() { # FLEET [A B] : without a pair every cut of the fleet is healed
  local a b
  if [ $# -lt 3 ]; then
    in_lan "$1" ebtables-nft -F CUT
    return 0
  fi
  for a in $(addresses "$1" "$2"); do
    for b in $(addresses "$1" "$3"); do
      in_lan "$1" ebtables-nft -D CUT -p IPv4 --ip-src "$a" --ip-dst "$b" -j DROP 2> /dev/null
      in_lan "$1" ebtables-nft -D CUT -p IPv4 --ip-src "$b" --ip-dst "$a" -j DROP 2> /dev/null
    done
  done
  return 0
}

# Limits what a host sends and receives, in kbit/s; 0 lifts the limit.
set_rate() { # FLEET HOST KBIT
  local lan ns port
  lan=$(lan_ns "$1") ns=$(host_ns "$1" "$2") port=h$(fact "$1" "$2" index)
  if [ "$3" = 0 ]; then
    tc -n "$lan" qdisc del dev "$port" root 2> /dev/null
    tc -n "$ns" qdisc del dev eth0 root 2> /dev/null
    return 0
  fi
  tc -n "$lan" qdisc replace dev "$port" root tbf rate "${3}kbit" burst 64kb latency 400ms
  tc -n "$ns" qdisc replace dev eth0 root tbf rate "${3}kbit" burst 64kb latency 400ms
}
