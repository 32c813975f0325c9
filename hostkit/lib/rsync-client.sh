# The rsync client: one pinned connection into a peer's jail (S28), rsync's flags, its progress and what its exit codes mean.
# Runs in a job's own folder. The jail's modules are `data` (the one tree) and `meta` (the listing that goes with it).

# Set or read elsewhere:
: "${arg_dial-}" "${arg_grant-}" "${arg_peer-}" "${arg_peer_host-}" "${arg_peer_key-}" "${arg_peer_port-}" "${arg_peer_user-}" "${arg_run-}"
: "${arg_max_delete-}" "${arg_signature-}" "${ciphers-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/grants.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/ciphers.sh"

# What rsync may not carry over: attributes that belong to a file system and not to the data.
client_private_xattrs='btrfs.* trusted.SGI_ACL_*'
# ACLs and extended attributes. Asking for them costs a twentieth of a first copy, so a job that knows of none on either side may do without.
client_attributes=AX

# client_connect: writes ./ssh, which ignores its arguments: the connection is this one and no other. Uses $arg_peer_host
# $arg_peer_port $arg_peer_user $arg_peer_key and the key that grant.key made for $arg_grant. That the host key is $arg_peer's must be
# signed by that host's identity, or who has only the director's keys could have the data sent to himself (S27, S28).
client_connect() {
  if [ "$arg_dial" = in ]; then
    # The peer dials (job `dial`): the bridge takes one of the connections that it holds open.
    printf '#!/bin/sh\nexec /bin/sh %s/bridge %s %s\n' "$RESURGO_LIB" "$arg_run" "$arg_grant" >ssh
    chmod 0700 ssh
    return
  fi
  for client_needed in "$arg_peer" "$arg_peer_host" "$arg_peer_user" "$arg_peer_key" "$arg_signature"; do
    [ -n "$client_needed" ] || job_fail bad-request 'dial=out needs peer, peer_host, peer_user, peer_key and signature'
  done
  client_key=$RESURGO_VAR/runs/$arg_run/grants/$arg_grant/key
  [ -f "$client_key" ] || job_fail not-found "this run has no key for grant $arg_grant on this host; call grant.key first"
  case $arg_peer_host in -*) job_fail bad-request 'the peer is not a host name or address' ;; esac
  grant_verify_host
  ciphers_choose
  printf 'resurgo-peer %s\n' "$arg_peer_key" >known_hosts
  cat >ssh <<SSH
#!/bin/sh
exec ssh -F /dev/null -T -x -a -p '$arg_peer_port' -l '$arg_peer_user' -i '$client_key' \\
  -o BatchMode=yes -o IdentitiesOnly=yes -o IdentityAgent=none -o PreferredAuthentications=publickey \\
  -o StrictHostKeyChecking=yes -o UserKnownHostsFile='$PWD/known_hosts' -o GlobalKnownHostsFile=/dev/null \\
  -o HostKeyAlias=resurgo-peer -o CheckHostIP=no -o UpdateHostKeys=no -o ClearAllForwardings=yes -o Compression=no \\
  -o LogLevel=ERROR -o ConnectTimeout=20 -o ServerAliveInterval=15 -o ServerAliveCountMax=4 \\
  -o Ciphers=$ciphers \\
  -- '$arg_peer_host' 'rsync --server --daemon .'
SSH
  chmod 0700 ssh known_hosts
}

# client_rsync NAME ARG…: one rsync with the flags that every pass has; output to NAME.out, errors to NAME.err, exit code to NAME.rc.
# Local paths only: the peer is named by client_data, and no argument of ours is read by a shell.
client_rsync() {
  client_name=$1
  shift
  client_limit=$((${arg_bandwidth_kib:-0} / ${client_share:-1}))
  [ "${arg_bandwidth_kib:-0}" = 0 ] || [ "$client_limit" -gt 0 ] || client_limit=1
  set -- "-a${client_attributes}S" --numeric-ids --modify-window=-1 --timeout=300 --contimeout=0 --no-human-readable \
    --outbuf=L --info=progress2,stats2 --bwlimit="$client_limit" -e "$PWD/ssh" "$@"
  for client_private in $client_private_xattrs; do set -- "--filter=-x $client_private" "$@"; done
  client_code=0
  rsync "$@" >"$client_name.out" 2>"$client_name.err" </dev/null || client_code=$?
  [ "${view_live-no}" = no ] || ! view_vanished "$client_code" "$client_name.err" || client_code=0
  printf '%s\n' "$client_code" >"$client_name.rc"
  return "$client_code"
}

# client_verdict NAME: ends the job by what rsync's exit code means ($client_program is another one that has the same); returns only for success.
client_verdict() {
  read -r client_code <"$1.rc" || client_code=255
  [ "$client_code" != 0 ] || return 0
  client_peer="the host that dials"
  [ -z "${arg_peer_host-}" ] || client_peer="host $arg_peer_host"
  client_said=$(tail -c 1500 "$1.err" | tr '\r' '\n' | sed '/^$/d' | tail -n 8)
  case $client_said in
    *'Host key verification failed'* | *'host key for'*'has changed'* | *'No '*' host key is known'*)
      job_fail identity-changed "$client_peer shows another ssh host key than the one that came with the grant: $client_said" ;;
    *'No space left on device'* | *'Disk quota exceeded'*)
      job_fail no-space "the receiving host${arg_peer_host:+ $arg_peer_host} has no space left where the data goes: make room there, then repeat the step; what was sent stays. $client_said" ;;
    *'Permission denied (publickey'* | *'@ERROR: '*)
      job_fail not-allowed "$client_peer refuses this transfer (grant closed, expired, or another scope): $client_said" ;;
  esac
  case $client_code in
    10 | 12 | 30 | 35 | 255)
      job_fail interrupted "the connection to $client_peer broke (${client_program-rsync} exit $client_code); repeat the step, what was sent stays: $client_said" ;;
    23 | 24)
      [ -z "${view_shown-}" ] || view_blame
      job_fail failed "${client_program-rsync} could not copy everything (exit $client_code), so nothing of this is sealed: $client_said" ;;
    25) job_fail too-many-deletions "more would be deleted there than the plan's approval covers: something has written there since. $arg_max_delete entries were deleted, the rest still lies there: $client_said" ;;
    *) job_fail failed "${client_program-rsync} ended with exit $client_code: $client_said" ;;
  esac
}

# client_stat FILE LABEL: sets $stat to the number in rsync's statistics, 0 where there is none.
client_stat() {
  stat=$(tr '\r' '\n' <"$1" | LC_ALL=C awk -v label="$2:" 'index($0, label) == 1 { v = substr($0, length(label) + 1); gsub(/,/, "", v); split(v, part, " "); print part[1]; exit }')
  stat=${stat:-0}
}

# client_watch TOTAL NAME…: while those passes run, their progress every two seconds as the job's.
client_watch() {
  client_total=$1
  shift
  while :; do
    client_busy=no
    client_bytes=0
    client_files=0
    for client_each in "$@"; do
      [ -f "$client_each.rc" ] || client_busy=yes
      [ -f "$client_each.out" ] || continue
      client_line=$(tail -c 300 "$client_each.out" | tr '\r' '\n' | LC_ALL=C awk '
        $2 ~ /%$/ { gsub(/,/, "", $1); bytes = $1; if (match($0, /xfr#[0-9]+/)) files = substr($0, RSTART + 4, RLENGTH - 4) }
        END { printf "%.0f %d", bytes, files }')
      client_bytes=$((client_bytes + ${client_line% *}))
      client_files=$((client_files + ${client_line#* }))
    done
    job_progress "\"step\":\"copy\",\"bytes\":$((client_base + client_bytes)),\"totalBytes\":$client_total,\"files\":$client_files"
    [ "$client_busy" = yes ] || break
    # The watcher is killed when the pass ends; what it waits in must hold nothing of the job's open.
    sleep "$client_pace" >/dev/null 2>&1 9>&-
    client_pace=2
  done
}
# The first looks come quickly, so that a short copy isn't held up by its own watcher.
client_pace=0.2
client_base=0

# client_run TOTAL NAME ARG…: one pass with its progress; sets nothing, leaves NAME.rc.
client_run() {
  client_run_total=$1
  client_run_name=$2
  shift 2
  client_watched "$client_run_total" "$client_run_name" client_rsync "$client_run_name" "$@"
}

# client_watched TOTAL NAME COMMAND…: the same for a pass that COMMAND makes.
client_watched() {
  client_run_total=$1
  client_run_name=$2
  rm -f "$2.rc" "$2.out"
  shift 2
  "$@" &
  client_pid=$!
  client_watch "$client_run_total" "$client_run_name" &
  client_watcher=$!
  wait "$client_pid" || :
  kill "$client_watcher" 2>/dev/null || :
  wait "$client_watcher" 2>/dev/null || :
  [ -s "$client_run_name.rc" ] || echo 255 >"$client_run_name.rc"
}
