#!/bin/sh
# One lease per group (S4): leases/GROUP holds `TERM RUN OWNER TTL_MS UNTIL_UPTIME BOOT UNTIL_MS`, OWNER percent-encoded.
# It runs out by the monotonic clock; after a reboot it counts as taken at the boot, since nobody knows how long the host was off.
# The term itself never goes back: it is the fence's.

: "${uptime-}" "${boot-}" "${time-}" "${encoded-}" "${decoded-}" "${json-}"

# lease_read GROUP: sets $lease_term (0 = none) $lease_run $lease_owner $lease_until_ms and $lease_live (yes|no), $lease_ttl (-1: none; 0: given back).
lease_read() {
  lease_term=0
  lease_run=
  lease_owner=
  lease_until_ms=0
  lease_live=no
  lease_ttl=-1
  [ -r "$RESURGO_VAR/leases/$1" ] || return 0
  read -r lease_term lease_run lease_owner lease_ttl lease_until lease_boot lease_until_ms <"$RESURGO_VAR/leases/$1" || :
  decode "$lease_owner" && lease_owner=$decoded
  read_uptime
  read_boot
  [ "$boot" = "$lease_boot" ] || lease_until=$lease_ttl
  [ "$uptime" -ge "$lease_until" ] || lease_live=yes
  : "$lease_run" "$lease_live" "$lease_until_ms" "$lease_ttl"
}

# lease_write GROUP TERM RUN OWNER TTL_MS
lease_write() {
  read_uptime
  read_boot
  read_time
  encode "$4"
  lease_until_ms=$((time + $5))
  own_dir "$RESURGO_VAR/leases"
  atomic_put "$RESURGO_VAR/leases/$1" "$2 $3 $encoded $5 $((uptime + $5)) $boot $lease_until_ms"
}

# lease_holder: sets $lease_json, who holds it.
lease_holder() {
  json_quote "$lease_owner"
  lease_json="{\"run\":\"$lease_run\",\"owner\":$json,\"term\":$lease_term,\"untilMs\":$lease_until_ms}"
  : "$lease_json"
}
