#!/bin/sh
# What this host is and has: versions, clocks, tools, stores, groups, dead-men, identities.
# keys:

: "${time-}" "${uptime-}" "${boot-}" "${line-}" "${json-}" "${config_host-}" "${deadmen-}" "${kit_sum-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/kit.sh"

probe_tools='rsync ssh ssh-keygen sshd sudo flock setsid unshare ionice timeout gzip base64 awk od find stat sync getfattr setfattr getfacl
setfacl fsfreeze findmnt btrfs zfs zpool docker systemctl systemd-run'

verb_main() {
  config_host
  read_uptime
  read_time
  read_boot
  probe_version
  probe_os=
  probe_system
  read_line /proc/sys/kernel/osrelease
  probe_kernel=$line
  probe_systemd=false
  [ ! -d /run/systemd/system ] || probe_systemd=true
  probe_cgroup=1
  [ ! -e /sys/fs/cgroup/cgroup.controllers ] || probe_cgroup=2
  probe_tool_list
  probe_stores=
  config_each store '' probe_take_store
  probe_groups=' '
  probe_group_json=
  for probe_kind in source containers unit hook workload health max-pause; do config_each "$probe_kind" '' probe_take_group; done
  config_each accept '' probe_take_accept
  deadmen=
  if own_part "$RESURGO_LIB/lib/deadman.sh"; then
    # shellcheck source=/dev/null
    . "$RESURGO_LIB/lib/deadman.sh"
    deadmen_list
  fi
  probe_identities
  probe_body=
  probe_text version "$probe_number"
  probe_text hash "$probe_hash"
  probe_text host "$config_host"
  probe_text os "$probe_os"
  probe_text kernel "$probe_kernel"
  probe_text bootId "$boot"
  probe_body="$probe_body,\"timeMs\":$time,\"uptimeMs\":$uptime,\"systemd\":$probe_systemd,\"cgroup\":\"$probe_cgroup\""
  probe_mark
  reply "$probe_body,\"recovered\":$json,\"tools\":{$probe_found},\"stores\":[$probe_stores],\"groups\":[$probe_group_json],\"deadmen\":[$deadmen]$probe_known"
}

probe_text() {
  json_quote "$2"
  probe_body="$probe_body${probe_body:+,}\"$1\":$json"
}

# probe_mark: sets $json to the run that has made this system again last; null where none has.
probe_mark() {
  json=null
  read_line "$RESURGO_ETC/recovered" && check_type run "$line" || return 0
  json_quote "$line"
}

# VERSION is `VERSION HASH`, written when the hostkit was installed. The hash is told only of a hostkit that still has it (`damaged` if
# not) and that nobody but root may write to (`loose`).
probe_version() {
  probe_number=0
  probe_hash=
  [ -r "$RESURGO_LIB/VERSION" ] || return 0
  read -r probe_number probe_hash _ <"$RESURGO_LIB/VERSION" || :
  if ! kit_sum "$RESURGO_LIB" || [ "$kit_sum" != "$probe_hash" ]; then probe_hash=damaged; fi
  [ -z "$(find "$RESURGO_LIB" ! -user 0 -o ! -group 0 -o -perm /022 -o ! -type d ! -type f)" ] || probe_hash=loose
}

probe_system() {
  [ -r /etc/os-release ] || return 0
  while IFS= read -r line; do
    case $line in
      PRETTY_NAME=*)
        probe_os=${line#PRETTY_NAME=}
        probe_os=${probe_os#\"}
        probe_os=${probe_os%\"}
        ;;
    esac
  done </etc/os-release
}

probe_tool_list() {
  probe_found=
  while read -r probe_row; do
    # Names of programs of ours: they split cleanly.
    while [ -n "$probe_row" ]; do
      probe_tool=${probe_row%% *}
      case $probe_row in *' '*) probe_row=${probe_row#* } ;; *) probe_row= ;; esac
      json=false
      for probe_place in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
        [ -x "$probe_place/$probe_tool" ] || continue
        json="\"$probe_place/$probe_tool\""
        break
      done
      probe_found="$probe_found${probe_found:+,}\"$probe_tool\":$json"
    done
  done <<EOF
$probe_tools
EOF
}

# probe_identities: sets $probe_known: this host's identity, its fingerprint, and those of its peers. What can't be told is left out.
probe_identities() {
  probe_known=
  probe_keys=
  probe_own=
  if read_line "$RESURGO_ETC/host.key.pub"; then
    # Type, key and whatever comment it has; `=` is no host's name.
    read -r probe_type probe_key _ <<EOF
$line
EOF
    probe_keys="$probe_type $probe_key =
"
    probe_own="$probe_type $probe_key"
  fi
  [ -r "$RESURGO_ETC/peers" ] || return 0
  while read -r probe_peer _ probe_type probe_key _; do
    case $probe_peer in '' | '#'*) continue ;; esac
    probe_keys="$probe_keys$probe_type $probe_key $probe_peer
"
  done <"$RESURGO_ETC/peers"
  probe_prints=
  if [ -n "$probe_keys" ]; then probe_prints=$(printf '%s' "$probe_keys" | ssh-keygen -lf - 2>/dev/null) || return 0; fi
  probe_peers=
  while read -r _ probe_print probe_peer _; do
    [ -n "$probe_peer" ] || continue
    json_quote "$probe_print"
    if [ "$probe_peer" = = ]; then
      probe_known=",\"identity\":$json"
      if check_type pubkey "$probe_own"; then
        json_quote "$probe_own"
        probe_known="$probe_known,\"identityKey\":$json"
      fi
      continue
    fi
    probe_print=$json
    json_quote "$probe_peer"
    probe_peers="$probe_peers${probe_peers:+,}$json:$probe_print"
  done <<EOF
$probe_prints
EOF
  probe_known="$probe_known,\"peers\":{$probe_peers}"
}

probe_take_store() {
  json_quote "$1"
  probe_store="{\"name\":$json"
  json_quote "$2"
  probe_store="$probe_store,\"kind\":$json"
  json_quote "$3"
  probe_stores="$probe_stores${probe_stores:+,}$probe_store,\"place\":$json}"
}

probe_take_accept() { probe_take_group "$2"; }

probe_take_group() {
  case $probe_groups in *" $1 "*) return 0 ;; esac
  probe_groups="$probe_groups$1 "
  json_quote "$1"
  probe_group_json="$probe_group_json${probe_group_json:+,}$json"
}
