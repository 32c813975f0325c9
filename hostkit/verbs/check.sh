# keys: group:group
# What a freeze and a copy of this group would meet on this host, and what they would not cover. Changes nothing.

# Set or read elsewhere:
: "${arg_group-}" "${check_parts-}" "${config_text-}" "${encoded-}" "${covered_mounts-}" "${line-}" "${mount_point-}" "${mount_root-}" "${real_path-}" "${rescue_lacks-}" "${scope-}" "${snap_problem-}" "${source_names-}" \
  "${src_group-}" "${src_kind-}" "${src_path-}" "${tool_output-}" "${unescaped-}"

# shellcheck source=lib/freeze.sh
. "$RESURGO_LIB/lib/freeze.sh"
# shellcheck source=lib/check-system.sh
. "$RESURGO_LIB/lib/check-system.sh"
# shellcheck source=lib/rescue-files.sh
. "$RESURGO_LIB/lib/rescue-files.sh"
# shellcheck source=lib/rescue-outputs.sh
. "$RESURGO_LIB/lib/rescue-outputs.sh"
# shellcheck source=lib/rescue-needs.sh
. "$RESURGO_LIB/lib/rescue-needs.sh"

verb_main() {
  set +e
  sources='' covered='' covered_mounts='' units='' containers='' unprotected='' listed=$LF
  check_restore
  check_config
  source_names "$arg_group"
  check_machine=no
  for name in $source_names; do check_source "$name"; done
  check_rescue
  # What any group of this host covers counts as protected.
  config_each source '' check_covered
  check_file_systems
  check_containers
  check_databases
  config_each unit "$arg_group" check_unit
  reply "\"problems\":[$group_problems],\"sources\":[$sources],\"containers\":[$containers],\"units\":[$units],\"unprotected\":[$unprotected],\"config\":{$config_sums},\"exempt\":[$config_exempt]$check_rescue"
}

# check_config: sets $config_sums, by the lines' first word, of what this host's configuration has of the group, and $config_exempt, of each
# label whose containers are never paused: a director whose runbook says something else tells it apart, and who has only its keys learns nothing.
check_config() {
  config_load
  encode "$arg_group"
  config_sums=
  # As text: names of groups may look like numbers.
  for config_word in source exclude containers unit hook workload max-pause health; do
    config_sum=$(printf '%s\n' "$config_text" | awk -v word="$config_word" -v group="$encoded" '$1 == word && ($2 "") == (group "")' | sha256sum)
    config_sums="$config_sums${config_sums:+,}\"$config_word\":\"${config_sum%% *}\""
  done
  config_exempt=$(printf '%s\n' "$config_text" | while read -r config_word config_label _; do
    [ "$config_word" = exempt-label ] || continue
    config_sum=$(printf '%s' "$config_label" | sha256sum)
    printf '"%s"\n' "${config_sum%% *}"
  done | paste -sd, -)
}

problem_add() {
  json_quote "$1"
  problems="$problems${problems:+,}$json"
}

# What a restore has stopped and not started again may be half restored: a backup of it would be a whole backup of mixed data (S21).
check_restore() {
  problems=''
  if read_line "$RESURGO_VAR/workloads/$arg_group/run"; then
    problem_add "run $line stopped this group for a restore that is not finished, so its data may be half restored: finish it (\`resurgo retry\`), restore the group again, or take the data as it is with \`resurgo start $arg_group --as-it-is\`"
  fi
  group_problems=$problems
}

check_source() {
  problems='' snap_uuid='' snap_identity='' snap_nested='' mounts_below='' mount_device='' mount_type='' check_parts='' system_left='' system_parts=''
  btrfs_list=unknown used=0 least=0 free=0 mounted=false
  config_source "$arg_group" "$1"
  src_group=$arg_group
  if snapshot_resolve; then
    mounted=true
    # A whole machine leaves the store out.
    [ "$src_kind" = system ] || config_each store '' check_store_apart
    if "snapshot_${src_kind}_identity" && "snapshot_${src_kind}_nested"; then
      mounts_below
      [ -z "$mounts_below" ] || problem_add "mounts below it would be missing from its snapshot: $(printf '%s' "$mounts_below" | tr '\n' ' '): make each a source of its own, or exclude it by name (/PATH) and enrol again"
      "snapshot_${src_kind}_close"
      [ "$src_kind" != system ] || check_system
    else
      problem_add "$snap_problem"
    fi
    check_space
  else
    problem_add "$snap_problem"
  fi
  json_quote "$1"
  sources="$sources${sources:+,}{\"name\":$json"
  json_quote "$src_path"
  sources="$sources,\"path\":$json"
  json_quote "$real_path"
  sources="$sources,\"realPath\":$json,\"kind\":\"$src_kind\",\"fsType\":\"$mount_type\",\"fsUuid\":\"$snap_uuid\""
  json_quote "$snap_identity"
  case $src_kind in
    btrfs) sources="$sources,\"subvolume\":$json" ;;
    zfs) sources="$sources,\"dataset\":$json" ;;
    system)
      check_machine=yes
      sources="$sources,\"parts\":[$check_parts],\"skipped\":[$system_left]"
      ;;
  esac
  json_quote "$mount_device"
  sources="$sources,\"device\":$json,\"mounted\":$mounted"
  json_lines "$snap_nested"
  sources="$sources,\"nested\":[$json]"
  json_lines "$mounts_below"
  sources="$sources,\"mountsBelow\":[$json],\"usedBytes\":$used,\"leastBytes\":$least,\"freeBytes\":$free,\"problems\":[$problems]}"
}

# check_rescue: sets $check_rescue, what a host that is backed up as a whole machine lacks for rescue media: for any, and for each kind.
check_rescue() {
  check_rescue=''
  [ "$check_machine" = yes ] || return 0
  rescue_lacks
  json_lines "${rescue_lacks%"$LF"}"
  check_rescue="\"any\":[$json]"
  for _cr_kind in $OUTPUT_KINDS; do
    rescue_lacks "$_cr_kind"
    json_lines "${rescue_lacks%"$LF"}"
    check_rescue="$check_rescue,\"$_cr_kind\":[$json]"
  done
  check_rescue=",\"rescue\":{$check_rescue}"
}

# check_store_apart NAME KIND PLACE…: a source in the group's store, or around it, would be copied into itself. The runbook's words are
# compared when it is read; here what they lead to.
check_store_apart() {
  (config_accepts "$1" "$arg_group" '') || return 0
  _cs_place=$3
  case $3 in /*) ;; *) _cs_place=$(zfs get -H -o value mountpoint "$3" 2>/dev/null) ;; esac
  _cs_place=$(readlink -f -- "$_cs_place" 2>/dev/null)
  case $_cs_place in '' | /) return 0 ;; esac
  case $real_path/ in
    "$_cs_place"/*) problem_add "$src_path leads to $real_path, into store $1: a backup would copy itself; correct the link or the runbook" ;;
    *)
      case $_cs_place/ in
        "${real_path%/}"/*) problem_add "$src_path leads to $real_path, which holds store $1: a backup would copy itself; correct the link or the runbook" ;;
      esac
      ;;
  esac
}

# json_lines TEXT: sets json to the members of an array, one for each line.
json_lines() {
  _jl_out='' _jl_rest=$1${1:+$LF}
  while [ -n "$_jl_rest" ]; do
    json_quote "${_jl_rest%%"$LF"*}"
    _jl_out=$_jl_out${_jl_out:+,}$json
    _jl_rest=${_jl_rest#*"$LF"}
  done
  json=$_jl_out
}

# Cheap: the file system's own counts, so an upper bound where several sources share one. zfs counts by dataset.
check_space() {
  if [ "$src_kind" = system ]; then
    check_system_space
    return
  fi
  if [ "$src_kind" = zfs ] && snapshot_tool 20 zfs get -H -p -o value used,available "$snap_identity"; then
    used=${tool_output%%"$LF"*}
    free=$(zfs get -H -p -o value available "$snap_identity" 2>/dev/null)
    ! is_whole_mount || least=$(zfs get -H -p -o value referenced "$snap_identity" 2>/dev/null) || least=0
    return
  fi
  read -r _ _ used free _ <<EOF
$(df -Pk -- "$real_path" 2>/dev/null | tail -n 1)
EOF
  used=$((${used:-0} * 1024)) free=$((${free:-0} * 1024))
  ! is_whole_mount || least=$used
}

# is_whole_mount: is the source all of its file system, so that what is in use there is the source's own?
is_whole_mount() {
  [ "$real_path" = "$mount_point" ] || return 1
  case $src_kind:$mount_type in
    zfs:*) return 0 ;;
    btrfs:btrfs) [ "$mount_root" = / ] && [ -z "$btrfs_list" ] ;;
    none:ext[234] | none:xfs) [ "$mount_root" = / ] ;;
    *) return 1 ;;
  esac
}

unprotected_add() {
  json_quote "$1"
  unprotected="$unprotected${unprotected:+,}$json"
}

check_file_systems() {
  while read -r _ _ _ _ _fs_point _fs_rest <&7; do
    _fs_rest=${_fs_rest#*- }
    case ${_fs_rest%% *} in ext[234] | xfs | btrfs | zfs | fuse.zfs | f2fs | jfs | reiserfs | nfs | nfs4 | cifs | fuse.glusterfs) ;; *) continue ;; esac
    unescape_mount "$_fs_point"
    case $unescaped in / | /boot | /boot/* | /run/* | /proc/* | /sys/* | /dev/* | /snap/* | /etc/* | /var/lib/docker | /var/lib/docker/* | /var/lib/resurgo | "$RESURGO_LIB") continue ;; esac
    is_covered "$unescaped" && continue
    listed=$listed$unescaped$LF
    unprotected_add "file system at $unescaped (${_fs_rest%% *})"
  done 7</proc/self/mountinfo
}

CHECK_FORMAT="{{.Id}}{{\"\\t\"}}{{.Name}}{{\"\\t\"}}{{.Config.Image}}{{\"\\t\"}}{{.State.Status}}{{\"\\t\"}}{{range \$k,\$v := .Config.Labels}}{{printf \"%q\" \$k}}={{printf \"%q\" \$v}} {{end}}{{range .Mounts}}{{\"\\n\"}}{{\"\\t\"}}{{.Type}}{{\"\\t\"}}{{.Destination}}{{\"\\t\"}}{{.Source}}{{end}}"

# How many of those that don't run are looked at, the newest: each backup asks, and must not wait for what nobody has cleared away.
CHECK_STOPPED=200

# Only those that a freeze would pause are counted in the reply. What is not protected is told of all, whatever the group pauses.
check_containers() {
  containers_scope "$arg_group"
  command -v docker >/dev/null || return 0
  _kc_ids=$(docker_run 20 ps -q --no-trunc 2>/dev/null) || {
    engine_find || ! engine_absent || return 0
    unprotected_add 'docker does not answer: its containers are unknown'
    return 0
  }
  container_stopped=''
  check_these "$_kc_ids"
  # Apart, so that many of them hide none that runs.
  container_stopped=' (stopped)'
  _kc_ids=$(docker_run 20 ps -aq --no-trunc --filter status=exited --filter status=created --filter status=dead 2>/dev/null) || {
    unprotected_add 'docker does not answer: its stopped containers are unknown'
    return 0
  }
  # shellcheck disable=SC2086 # Words.
  set -- $_kc_ids
  if [ $# -gt $CHECK_STOPPED ]; then
    unprotected_add "of $# stopped containers the oldest $(($# - CHECK_STOPPED)) were not looked at: remove those that nobody needs (docker container prune)"
    _kc_ids=$(printf '%s\n' "$_kc_ids" | head -n $CHECK_STOPPED)
  fi
  check_these "$_kc_ids"
}

# check_these IDS
check_these() {
  [ -n "$1" ] || return 0
  _kc_text=$(docker_on 20 "$1" inspect --type container --format "$CHECK_FORMAT" 2>/dev/null)
  container_open='' container_own=yes container_mounts='' container_volumes=0 container_database=''
  while IFS= read -r _kc_line <&7; do
    case $_kc_line in
      "$TAB"*) [ "$container_own" = yes ] || check_mount "${_kc_line#"$TAB"}" ;;
      *)
        check_container_end
        check_container "$_kc_line"
        ;;
    esac
  done 7<<EOF
$_kc_text
EOF
  check_container_end
}

check_container() {
  _kk_id=${1%%"$TAB"*} _kk_rest=${1#*"$TAB"}
  _kk_name=${_kk_rest%%"$TAB"*} _kk_rest=${_kk_rest#*"$TAB"}
  _kk_image=${_kk_rest%%"$TAB"*} _kk_rest=${_kk_rest#*"$TAB"}
  _kk_state=${_kk_rest%%"$TAB"*}
  container_open='' container_mounts='' container_volumes=0 container_database=''
  check_own "$_kk_image" " ${_kk_rest#*"$TAB"}"
  [ "$container_own" = no ] || return 0
  container_in_scope "$_kk_image" "${_kk_rest#*"$TAB"}"
  _kk_name=${_kk_name#/}
  case ${_kk_image##*/} in
    postgres* | *postgis* | mysql* | mariadb* | percona* | mongo* | redis* | valkey* | elasticsearch* | opensearch* | solr* | influxdb* | cassandra* | couchdb* | neo4j* | clickhouse* | mssql* | timescale* | etcd*)
      container_database=${_kk_image##*/}
      ;;
  esac
  [ "$in_scope$container_stopped" = yes ] || return 0
  json_quote "$_kk_name"
  container_open="{\"id\":\"$_kk_id\",\"name\":$json"
  json_quote "$_kk_image"
  container_open="$container_open,\"image\":$json,\"state\":\"$_kk_state\""
}

# check_own IMAGE TOKENS: sets container_own. Our engine's data is no data of the operator's; of other exempt containers it is.
check_own() {
  container_own=yes
  case $1 in temporalio/* | */temporalio/*) return ;; esac
  case $2 in *' "com.resurgo.engine"='* | *' "resurgo.engine"="true" '*) return ;; esac
  container_own=no
}

check_mount() {
  _km_type=${1%%"$TAB"*} _km_rest=${1#*"$TAB"}
  _km_to=${_km_rest%%"$TAB"*} _km_from=${_km_rest#*"$TAB"}
  case $_km_from in '' | /var/run/docker.sock | /run/docker.sock | /proc | /sys | /dev | /dev/* | /etc/localtime | /etc/timezone) return 0 ;; esac
  container_volumes=$((container_volumes + 1))
  _km_real=$(readlink -f -- "$_km_from" 2>/dev/null)
  _km_in=false
  is_covered "${_km_real:-$_km_from}" && _km_in=true
  case $container_stopped$listed in
    # Once is enough: those that were run and forgotten may be many.
    ' '*"$LF${_km_real:-$_km_from}$LF"*) _km_in=true ;;
  esac
  [ "$_km_in" = true ] || {
    listed=$listed${_km_real:-$_km_from}$LF
    unprotected_add "container $_kk_name$container_stopped: ${container_database:+database }$_km_type $_km_from (at $_km_to) lies in no source"
  }
  json_quote "$_km_from"
  container_mounts="$container_mounts${container_mounts:+,}{\"type\":\"$_km_type\",\"from\":$json"
  json_quote "$_km_to"
  container_mounts="$container_mounts,\"to\":$json,\"covered\":$_km_in}"
}

check_container_end() {
  # A container's own files lie below the engine's folder, which a whole machine holds.
  [ -z "$container_database" ] || [ "$container_volumes" -gt 0 ] || is_covered /var/lib/docker || unprotected_add "container $_kk_name$container_stopped: database $container_database keeps its data in the container itself"
  [ -n "$container_open" ] || return 0
  containers="$containers${containers:+,}$container_open,\"database\":\"$container_database\",\"mounts\":[$container_mounts]}"
  container_open=''
}

# Databases of the host itself, where the distributions put their data.
check_databases() {
  for _kd_at in mysql mariadb postgresql pgsql mongodb mongo redis valkey influxdb elasticsearch opensearch cassandra couchdb neo4j \
    clickhouse etcd ldap; do
    _kd_real=$(readlink -f -- "/var/lib/$_kd_at" 2>/dev/null)
    [ -d "$_kd_real" ] || continue
    case $listed in *"$LF$_kd_real$LF"*) continue ;; esac
    is_covered "$_kd_real" && continue
    # A source of one cluster below it may be all that there is.
    case $LF$covered in *"$LF$_kd_real/"*) continue ;; esac
    [ -z "$(timeout 5 find "$_kd_real" -xdev -type f -print -quit 2>/dev/null)" ] || unprotected_add "database files in /var/lib/$_kd_at lie in no source"
  done
}

check_unit() {
  unit_active=unknown
  ! units_here || unit_state "$3"
  json_quote "$3"
  units="$units${units:+,}{\"name\":$json,\"mode\":\"$2\",\"state\":\"$unit_active\"}"
}
