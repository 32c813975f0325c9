# Snapshots: one interface over the kinds in snapshots/KIND.sh.
#
# A kind is a file that defines, for KIND in its name, (all work on the source in $src_name $src_kind $src_path $src_tree, as set by
# snapshot_source, which also resolves it: $real_path, and the mount it lies in: $mount_point $mount_root $mount_type $mount_device)
#   snapshot_KIND_identity         sets snap_uuid (the file system), snap_identity (the subvolume or dataset) and snap_place (where `list`
#                                  looks; empty if nowhere); fails with a reason in snap_problem
#   snapshot_KIND_filesystem       sets snap_uuid alone and mounts nothing, for who only asks where the source lies; fails likewise
#   snapshot_KIND_nested           sets snap_nested: what lies below the source and gets a snapshot of its own, one relative path a line
#   snapshot_KIND_prepare          anything slow that can be done before the pause (mounts)
#   snapshot_KIND_take  NAME       takes it; NAME is GROUP RUN FREEZE as three words; prints nothing; appends `part REL WHERE` lines to
#                                  $snap_record; sets snap_name; on failure returns 1 with the reason in snap_problem
#   snapshot_KIND_ready            after the thaw: what a view will need and only the host's own namespace can make
#   snapshot_KIND_view RECORD DIR  composes the read-only tree at DIR, inside the caller's private mount namespace
#   snapshot_KIND_live RECORD      0 when the view shows data that is in use
#   snapshot_KIND_intact RECORD    after it was read: is it still all that was taken? 1 with snap_problem when it isn't
#   snapshot_KIND_places COMMAND…  runs it (by snapshots_place) with each place open where snapshots of the source may lie
#   snapshot_KIND_list GROUP       prints `RUN FREEZE NAME CREATED_MS USED_BYTES` for each of ours, with or without a record
#   snapshot_KIND_reopen PLACE     makes `list` and `drop` look there, without a source; 1 if it isn't on this host
#   snapshot_KIND_drop GROUP RUN FREEZE   destroys; idempotent; returns 1 with snap_problem when something is left
#
# A record lies in $RESURGO_VAR/snapshots/GROUP/RUN.FREEZE/SOURCE; it holds names only: nothing that it says is believed that can be
# seen on the disk itself, and a lost record costs the view, never the removal. Its lines `exclude PATTERN` are what the kind leaves out of
# the source by itself. A source of kind `system` has a record for each of its parts, SOURCE:0, SOURCE:1… Beside the records of what a restore took of the data
# that it was about to overwrite lies the mark `safety` with the time (ms since 1970): such a snapshot outlives its run.

# Set or read elsewhere:
: "${TAB-}" "${json-}" "${line-}" "${mount_device-}" "${mount_type-}" "${snap_failed-}" "${snap_name-}" "${snap_nested-}" \
  "${snap_parts-}" "${snap_place-}" "${snap_uuid-}" "${src_kind-}" "${src_path-}" "${time-}"

SNAPSHOT_KINDS='btrfs zfs lvm lvm_thin none system'
SNAPSHOT_KINDS_WHOLE='system' # look at every mount by themselves, and tell what they leave out
# So long a safety snapshot is kept by all that removes what runs have left; only a drop that names its run takes it earlier.
SAFETY_KEEP_MS=604800000
TAB=$(printf '\t')
LF='
'
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/excludes.sh"
for _sn_kind in $SNAPSHOT_KINDS; do
  # shellcheck source=/dev/null
  . "$RESURGO_LIB/snapshots/$_sn_kind.sh"
done

# snapshot_tool_wait SECONDS COMMAND…: a bounded run; its output is kept in $tool_output (first line serves as the reason).
snapshot_tool() {
  _st_limit=$1
  shift
  tool_output=$(timeout -k 5 "$_st_limit" "$@" 2>&1 </dev/null)
  _st_code=$?
  [ "$_st_code" -eq 0 ] && return 0
  tool_output=${tool_output##*ERROR: }
  tool_output=${tool_output%%"$LF"*}
  [ "$_st_code" -ge 124 ] && tool_output="no answer within $_st_limit s from: $1"
  snap_problem=${tool_output:-"$1 failed with exit $_st_code"}
  return 1
}

# mount_of PATH: sets mount_point mount_root mount_type mount_device of the mount that PATH (real) lies in.
mount_of() {
  mount_point='' mount_root='' mount_type='' mount_device=''
  while read -r _ _ _ _mo_root _mo_point _mo_rest; do
    unescape_mount "$_mo_point"
    case $1/ in
      "${unescaped%/}"/*) ;;
      *) continue ;;
    esac
    # A later mount on the same point hides the earlier one.
    [ "${#unescaped}" -ge "${#mount_point}" ] || continue
    mount_point=$unescaped
    unescape_mount "$_mo_root"
    mount_root=$unescaped
    _mo_rest=${_mo_rest#*- }
    mount_type=${_mo_rest%% *}
    _mo_rest=${_mo_rest#* }
    unescape_mount "${_mo_rest%% *}"
    mount_device=$unescaped
  done </proc/self/mountinfo
  [ -n "$mount_point" ]
}

# path_in_mount PATH: sets $inner, the path as the file system itself counts it (`/` for its root).
path_in_mount() {
  inner=${1#"${mount_point%/}"}
  inner=${mount_root%/}$inner
  inner=${inner:-/}
}

# snapshot_source GROUP NAME: loads the configured source and resolves it; fails the request when it isn't there.
snapshot_source() {
  config_source "$1" "$2" || fail not-found "source $2 is not in the configuration of group $1 on this host: enrol the host again"
  src_name=$2 src_group=$1
  snapshot_resolve || fail not-mounted "source $src_name: $snap_problem"
}

# snapshot_resolve: sets real_path and the mount of the source in $src_path; returns 1 with snap_problem.
snapshot_resolve() {
  snap_problem=''
  real_path=$(readlink -f -- "$src_path" 2>/dev/null)
  if [ -z "$real_path" ] || [ ! -d "$real_path" ]; then
    snap_problem="$src_path is not a folder here: mount it or correct the runbook"
    return 1
  fi
  mount_of "$real_path" || {
    snap_problem="$src_path lies in no mount that this process sees"
    return 1
  }
}

# source_names GROUP: sets $source_names (one a line) from the configuration.
source_names() {
  source_names=''
  config_each source "$1" source_names_take
}
source_names_take() { source_names=$source_names$2$LF; }

# mounts_below: sets $mounts_below, the mounts under the source that its own snapshot kind doesn't cover, one relative path a line (S13).
mounts_below() {
  mounts_below=''
  case " $SNAPSHOT_KINDS_WHOLE " in *" $src_kind "*) return 0 ;; esac
  _mb_nested=$LF$snap_nested$LF
  while read -r _ _ _ _mb_root _mb_point _mb_rest; do
    unescape_mount "$_mb_point"
    case $unescaped in
      "${real_path%/}"/*) ;;
      *) continue ;;
    esac
    _mb_rel=${unescaped#"${real_path%/}"/}
    case $LF$mounts_below in *"$LF$_mb_rel$LF"*) continue ;; esac
    # A nested part that is mounted at its own place is the very thing that gets a snapshot; anything else would be missed.
    case $_mb_nested in
      *"$LF$_mb_rel$LF"*) "snapshot_${src_kind}_covers" "$_mb_rel" "$_mb_root" "${_mb_rest#*- }" && continue ;;
    esac
    source_excludes "$_mb_rel" && continue
    mounts_below=$mounts_below$_mb_rel$LF
  done </proc/self/mountinfo
  mounts_below=${mounts_below%"$LF"}
}

snapshot_record_path() { snap_record=$RESURGO_VAR/snapshots/$1/$2.$3/$4; }

# snapshots_prepare GROUP: before the pause: every source is there, of its kind, and nothing below it would be missed (S13).
snapshots_prepare() {
  snapshot_syncs=''
  source_names "$1"
  for _sp_name in $source_names; do
    snapshot_source "$1" "$_sp_name"
    "snapshot_${src_kind}_identity" || fail failed "source $src_name: $snap_problem"
    "snapshot_${src_kind}_prepare" || fail failed "source $src_name: $snap_problem"
    "snapshot_${src_kind}_nested" || fail failed "source $src_name: $snap_problem"
    mounts_below
    [ -z "$mounts_below" ] || fail failed "source $src_name: mounts below it would be missing from its snapshot: $(printf '%s' "$mounts_below" | tr '\n' ' '): make each a source of its own, or exclude it by name (/PATH) and enrol again"
    snapshots_sync_add
  done
}

# snapshots_sync_add: the file system of the source (or part) at work is among those that are flushed.
snapshots_sync_add() {
  case $LF$snapshot_syncs in
    *" $snap_uuid$LF"*) ;;
    *) snapshot_syncs=$snapshot_syncs$real_path" $snap_uuid"$LF ;;
  esac
}

# snapshots_sync LIMIT: flush each source file system once; S6: never fsfreeze.
snapshots_sync() {
  _ss_rest=$snapshot_syncs
  while [ -n "$_ss_rest" ]; do
    _ss_line=${_ss_rest%%"$LF"*}
    _ss_rest=${_ss_rest#*"$LF"}
    snapshot_tool "$1" sync -f "${_ss_line% *}" || return 1
  done
}

# snapshots_take GROUP RUN FREEZE: all sources of the group; sets $taken (JSON members) or returns 1 with snap_problem and snap_failed.
snapshots_take() {
  taken='' snap_failed=''
  mkdir -p "$RESURGO_VAR/snapshots/$1/$2.$3" || return 1
  for _sk_name in $source_names; do
    snap_failed=$_sk_name
    config_source "$1" "$_sk_name" || return 1
    src_name=$_sk_name src_group=$1
    snapshot_resolve || return 1
    snapshot_record_path "$1" "$2" "$3" "$src_name"
    snap_more=''
    snapshot_begin && "snapshot_${src_kind}_take" "$1" "$2" "$3" || return 1
    json_quote "$src_name"
    taken="$taken${taken:+,}{\"source\":$json"
    json_quote "$snap_name"
    taken="$taken,\"kind\":\"$src_kind\",\"name\":$json,\"parts\":$snap_parts$snap_more}"
  done
  snap_failed=''
}

# snapshot_begin: the first lines of $snap_record, before the snapshot is taken: what is cut off is found again although the source may leave
# the configuration meanwhile.
snapshot_begin() {
  "snapshot_${src_kind}_identity" && printf 'kind %s\nplace %s\n' "$src_kind" "$snap_place" >"$snap_record"
}

# snapshots_ready GROUP RUN FREEZE: after the thaw.
snapshots_ready() {
  for _sr_name in $source_names; do
    snap_failed=$_sr_name
    config_source "$1" "$_sr_name" || return 1
    src_name=$_sr_name src_group=$1
    snapshot_record_path "$1" "$2" "$3" "$src_name"
    "snapshot_${src_kind}_ready" || return 1
  done
  snap_failed=''
}

# safety_until GROUP RUN FREEZE: is it a safety snapshot? Sets $safety_until, the time until which it is kept, ms since 1970.
safety_until() {
  safety_until=0
  read_line "$RESURGO_VAR/snapshots/$1/$2.$3/safety" || return 1
  case $line in '' | *[!0-9]*) return 1 ;; esac
  safety_until=$((line + SAFETY_KEEP_MS))
}

# snapshots_drop_run GROUP RUN FREEZE: removes what that freeze took (FREEZE -1: all of that run; RUN `-`: every run of the group, but
# not safety snapshots whose time is not over). Sets $dropped (JSON members); returns 1 with snap_problem when something is left.
snapshots_drop_run() {
  dropped='' _sd_left=0 _sd_problem=''
  _sd_seen=' ' snap_places=$LF
  read_time
  source_names "$1"
  for _sd_name in $source_names; do
    config_source "$1" "$_sd_name" || continue
    src_name=$_sd_name src_group=$1
    { snapshot_resolve && "snapshot_${src_kind}_places" snapshots_drop_here "$@"; } || { _sd_left=1 && _sd_problem=$snap_problem; }
  done
  snapshots_lost "$1" snapshots_drop_here "$@"
  if [ "$_sd_left" -eq 0 ]; then
    for _sd_dir in "$RESURGO_VAR/snapshots/$1"/*.*; do
      _sd_base=${_sd_dir##*/}
      [ "$2" = - ] || [ "$2" = "${_sd_base%.*}" ] || continue
      [ "$3" = -1 ] || [ "$3" = "${_sd_base##*.}" ] || continue
      [ "$2" != - ] || ! safety_until "$1" "${_sd_base%.*}" "${_sd_base##*.}" || [ "$time" -gt "$safety_until" ] || continue
      [ ! -d "$_sd_dir" ] || rm -rf -- "$_sd_dir"
    done
  fi
  snap_problem=$_sd_problem
  return "$_sd_left"
}

# snapshots_place COMMAND…: runs it with the source (or part) at work open, and notes its place in $snap_places; 1 with snap_problem when it
# can't be opened.
snapshots_place() {
  "snapshot_${src_kind}_identity" || return 1
  snap_places=$snap_places$snap_place$LF
  "$@"
  "snapshot_${src_kind}_close"
}

# snapshots_drop_here GROUP RUN FREEZE: the same, of the source or place that its kind has open.
snapshots_drop_here() {
  _sd_list=$("snapshot_${src_kind}_list" "$1")
  while read -r _sd_run _sd_freeze _sd_what _; do
    [ -n "$_sd_run" ] || continue
    [ "$2" = - ] || [ "$2" = "$_sd_run" ] || continue
    [ "$3" = -1 ] || [ "$3" = "$_sd_freeze" ] || continue
    [ "$2" != - ] || ! safety_until "$1" "$_sd_run" "$_sd_freeze" || [ "$time" -gt "$safety_until" ] || continue
    case $_sd_seen in *" $_sd_what "*) continue ;; esac
    _sd_seen="$_sd_seen$_sd_what "
    if "snapshot_${src_kind}_drop" "$_sd_what"; then
      json_quote "$_sd_what"
      dropped="$dropped${dropped:+,}$json"
    else
      _sd_left=1 _sd_problem=$snap_problem
    fi
  done <<EOF
$_sd_list
EOF
}

# snapshots_lost GROUP COMMAND…: runs it for each place, not among $snap_places, where a record says that snapshots were taken: of a source
# that has left the configuration, or is another one now. src_kind and src_name are set, and the kind has the place open as if it were a
# source's. A place that is no longer on this host holds nothing of ours here.
snapshots_lost() {
  _sl_group=$1
  shift
  for _sl_record in "$RESURGO_VAR/snapshots/$_sl_group"/*.*/*; do
    [ -f "$_sl_record" ] || continue
    src_kind='' snap_place=''
    while read -r _sl_word _sl_value; do
      case $_sl_word in
        kind) src_kind=$_sl_value ;;
        place) snap_place=$_sl_value ;;
      esac
    done <"$_sl_record"
    [ -n "$snap_place" ] || continue
    case $snap_places in *"$LF$snap_place$LF"*) continue ;; esac
    case " $SNAPSHOT_KINDS " in *" $src_kind "*) ;; *) continue ;; esac
    snap_places=$snap_places$snap_place$LF
    src_name=${_sl_record##*/} src_group=$_sl_group
    "snapshot_${src_kind}_reopen" "$snap_place" || continue
    "$@"
    "snapshot_${src_kind}_close"
  done
}
