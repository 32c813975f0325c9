# system: all of a host's own file systems as one source, whose path is `/`. Each is a part, held by the kind that fits it, with a record of
# its own, SOURCE:N, as if it were a source: so it is found and dropped as one. What no kind fits is read live, as `none` does. The record
# of the source itself has a line for each part, and the view puts the parts together at their places.
#
#   mount N KIND POINT SOURCE     a part; POINT and SOURCE as mountinfo writes them
#   watch N SHA256                a part that is read live: names, sizes and times of all its files at the instant
#   exclude PATTERN

# Set or read elsewhere:
: "${escaped-}" "${json-}" "${lvm_free-}" "${lvm_group-}" "${lvm_pool-}" "${lvm_room-}" "${mount_apart-}" "${mount_device-}" "${mount_parts-}" \
  "${mount_places-}" "${mount_point-}" "${mount_skipped-}" "${mount_twice-}" "${real_path-}" "${snap_identity-}" "${snap_more-}" "${snap_name-}" \
  "${snap_nested-}" "${snap_parts-}" "${snap_place-}" "${snap_problem-}" "${snap_record-}" "${snap_uuid-}" "${src_apart-}" "${src_below-}" \
  "${src_room-}" "${unescaped-}" "${view_changed-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/system-parts.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/luks-headers.sh"

# What does not come back with a machine. Below the hostkit's own folder that is what belongs to runs of the past: their jobs, keys and
# grants, the lease that the backup itself holds, snapshots that are not in the backup. What ends a freeze (`deadman`), what a restore or a
# person has stopped (`workloads`) and the terms that fence off old runs (`fence`) do come back: the disk is as after a power cut.
SYSTEM_EXCLUDES="/tmp/* /var/tmp/* /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*"
SYSTEM_STATE='grants jobs leases lock runs sent snapshots started'

snapshot_system_filesystem() { snapshot_system_identity; }
snapshot_system_identity() {
  [ "$real_path" = / ] || {
    snap_problem="$real_path is not /, which a source of kind system is: correct the runbook"
    return 1
  }
  system_look || return 1
  system_each system_root
  # It stops at the first, which is `/`.
  [ -n "$system_uuid" ] || return 1
  snap_uuid=$system_uuid snap_identity=/ snap_place='' snap_problem=''
}
system_root() {
  system_uuid=''
  "snapshot_${src_kind}_filesystem" && system_uuid=$snap_uuid
  return 1
}

snapshot_system_nested() {
  snap_nested=''
  for _sn_point in $system_points; do
    case $LF$system_parts in *" $_sn_point "*) unescape_mount "$_sn_point" && snap_nested=$snap_nested${unescaped#/}$LF ;; esac
  done
  snap_nested=${snap_nested%"$LF"}
}
snapshot_system_covers() { return 0; }

# The room of all classic LVM snapshots in a volume group must be free there together.
snapshot_system_prepare() {
  system_rooms=' ' system_prepared=$system_parts
  system_each system_prepare && luks_headers_place
}
system_prepare() {
  "snapshot_${src_kind}_identity" && "snapshot_${src_kind}_prepare" && "snapshot_${src_kind}_nested" || return 1
  snapshots_sync_add
  [ "$src_kind" = lvm ] || return 0
  _sp_had=0
  case $system_rooms in *" $lvm_group="*) _sp_had=${system_rooms#*" $lvm_group="} && _sp_had=${_sp_had%% *} ;; esac
  system_rooms=" $lvm_group=$((_sp_had + lvm_room))$system_rooms"
  [ "$lvm_free" -ge $((_sp_had + lvm_room)) ] || {
    snap_problem="volume group $lvm_group has $lvm_free bytes free, and the snapshots of this host's volumes there want $((_sp_had + lvm_room)) so far: free some there, or lower snapshot_room of this source (0%: such volumes are read live)"
    return 1
  }
}

snapshot_system_take() {
  [ "$system_parts" = "${system_prepared:-$system_parts}" ] || {
    snap_problem='file systems were mounted or unmounted since this freeze was prepared: take it again'
    return 1
  }
  system_record=$snap_record system_held='' system_live='' system_watched='' system_left=''
  system_take_group=$1 system_take_run=$2 system_take_freeze=$3
  system_each system_take || return 1
  system_excludes >>"$system_record" || return 1
  system_tell "$mount_skipped"
  system_tell "$mount_twice"
  snap_record=$system_record snap_name="$system_n file systems" snap_parts=$system_n
  snap_more=",\"held\":[$system_held],\"live\":[$system_live],\"watched\":[$system_watched],\"skipped\":[$system_left]"
}
system_take() {
  snap_record=$system_record:$system_n
  snapshot_begin && "snapshot_${src_kind}_take" "$system_take_group" "$system_take_run" "$system_take_freeze" || return 1
  printf 'mount %s %s %s %s\n' "$system_n" "$src_kind" "$system_point" "$system_from" >>"$system_record" || return 1
  if [ "$src_kind" != none ]; then
    json_quote "$real_path ($(printf %s "$src_kind" | tr _ -))"
    system_held=$system_held${system_held:+,}$json
    return 0
  fi
  json_quote "$real_path"
  case " $MOUNT_PARTS_BOOT " in
    *" $real_path "*)
      system_state "$real_path" || return 1
      printf 'watch %s %s\n' "$system_n" "$system_state" >>"$system_record" || return 1
      system_watched=$system_watched${system_watched:+,}$json
      ;;
    *) system_live=$system_live${system_live:+,}$json ;;
  esac
}

# system_tell LINES: adds `POINT REASON` lines to $system_left (JSON members).
system_tell() {
  _sw_rest=$1
  while [ -n "$_sw_rest" ]; do
    _sw_line=${_sw_rest%%"$LF"*}
    _sw_rest=${_sw_rest#*"$LF"}
    unescape_mount "${_sw_line%% *}"
    json_quote "$unescaped"
    system_left="$system_left${system_left:+,}{\"path\":$json"
    json_quote "${_sw_line#* }"
    system_left="$system_left,\"reason\":$json}"
  done
}

# system_state FOLDER: sets $system_state, the sum over the names, kinds, owners, sizes and times of all that lies in that file system.
system_state() {
  # By its path: busybox's shell would take its own, which lacks what is asked of it here.
  system_find=/usr/bin/find
  [ -x "$system_find" ] || system_find=/bin/find
  system_state=$("$system_find" "$1" -xdev -printf '%P\t%y\t%m\t%U\t%G\t%s\t%T@\t%C@\t%l\0' 2>&1 | LC_ALL=C sort -z | sha256sum)
  system_state=${system_state%% *}
}

# system_excludes: prints the lines of what the kind leaves out by itself, apart from mounts.
system_excludes() {
  set -f
  # shellcheck disable=SC2086 # Words.
  printf 'exclude %s\n' $SYSTEM_EXCLUDES
  set +f
  for _sx_each in $SYSTEM_STATE; do printf 'exclude %s/%s/*\n' "$RESURGO_VAR" "$_sx_each"; done
  # A recovery makes a swap file anew.
  while read -r _sx_at _sx_type _ <&7; do
    [ "$_sx_type" = file ] || continue
    unescape_mount "$_sx_at"
    pattern_literal "$unescaped"
    printf 'exclude %s\n' "$pattern"
  done 7</proc/swaps
  _sx_rest=$mount_places
  while [ -n "$_sx_rest" ]; do
    pattern_literal "${_sx_rest%%"$LF"*}"
    printf 'exclude %s/*\n' "$pattern"
    _sx_rest=${_sx_rest#*"$LF"}
  done
}

snapshot_system_ready() {
  system_record=$snap_record
  system_parts_of "$snap_record" && system_each system_ready || return 1
  snap_record=$system_record
}
system_ready() {
  snap_record=$system_record:$system_n
  "snapshot_${src_kind}_ready"
}

snapshot_system_view() {
  system_record=$1 system_view=$2
  system_parts_of "$1" && system_each system_view && luks_headers_view "$2"
}
system_view() {
  if [ "$src_kind" = none ]; then
    system_same || return 1
  else
    # The source of a snapshot need not be mounted any more.
    while read -r _sv_word _sv_value; do
      [ "$_sv_word" != place ] || "snapshot_${src_kind}_reopen" "$_sv_value" || {
        snap_problem="its snapshot lies in $_sv_value, which is not on this host any more"
        return 1
      }
    done <"$system_record:$system_n"
  fi
  _sv_at=$system_view
  [ "$real_path" = / ] || _sv_at=$system_view$real_path
  "snapshot_${src_kind}_view" "$system_record:$system_n" "$_sv_at"
}

# system_same: is what is read live still the file system that was there at the instant?
system_same() {
  mount_escape "$mount_device"
  if [ "$mount_point" = "$real_path" ] && [ "$escaped" = "$system_from" ]; then return 0; fi
  snap_problem="it was $system_from at the instant of this backup, and is $mount_device now: is its disk mounted?"
  return 1
}

snapshot_system_live() {
  system_parts_of "$1" || return 0
  _sv_count=0
  _sv_rest=$system_parts
  while [ -n "$_sv_rest" ]; do
    case $_sv_rest in
      'none '*) case "$system_watch " in *" $_sv_count="*) ;; *) return 0 ;; esac ;;
    esac
    _sv_count=$((_sv_count + 1))
    _sv_rest=${_sv_rest#*"$LF"}
  done
  return 1
}

# Of what was read live and has changed since the instant, $view_changed tells (JSON members): it is in the backup, and not of one instant.
snapshot_system_intact() {
  system_record=$1
  system_parts_of "$1" && system_each system_intact
}
system_intact() {
  "snapshot_${src_kind}_intact" "$system_record:$system_n" || return 1
  case "$system_watch " in *" $system_n="*) ;; *) return 0 ;; esac
  system_same && system_state "$real_path" || return 1
  case "$system_watch " in *" $system_n=$system_state "*) return 0 ;; esac
  json_quote "$real_path"
  view_changed=$view_changed${view_changed:+,}$json
}

# One place that can't be opened keeps nothing from the others.
snapshot_system_places() {
  snapshot_system_identity || return 1
  system_unopened=''
  system_each system_place "$@"
  snap_problem=$system_unopened
  [ -z "$system_unopened" ]
}
system_place() {
  [ "$src_kind" != none ] || return 0
  snapshots_place "$@" || system_unopened="$real_path: $snap_problem"
}
# What it has taken lies at its parts' places.
snapshot_system_list() { :; }
snapshot_system_drop() { :; }
snapshot_system_reopen() { return 1; }
snapshot_system_close() { :; }
