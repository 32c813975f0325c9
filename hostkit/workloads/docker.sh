# Docker as the container files beside this one need it: bounded calls, the running engine, which containers are a group's, and the
# kernel's own freezer of each.

# Set or read elsewhere:
: "${line-}" "${starttime-}" "${stat_text-}"

docker_run() {
  _dr_limit=$1
  shift
  timeout -k 2 "$_dr_limit" docker "$@" </dev/null 9>&-
}

# docker_on LIMIT IDS COMMAND…: the command on those containers (words), in one call: the client works on them in parallel.
docker_on() {
  _do_limit=$1 _do_ids=$2
  shift 2
  for _do_id in $_do_ids; do set -- "$@" "$_do_id"; done
  docker_run "$_do_limit" "$@"
}

# engine_find: sets engine_pid and engine_start of the running dockerd; 1 (and empty) if there is none (S1, S5).
engine_find() {
  engine_pid='' engine_start=''
  for _ef_file in /run/docker.pid /var/run/docker.pid; do
    read_line "$_ef_file" || continue
    _ef_pid=$line
    engine_is "$_ef_pid" && engine_pid=$_ef_pid && break
  done
  if [ -z "$engine_pid" ]; then
    for _ef_file in /proc/[0-9]*; do
      engine_is "${_ef_file#/proc/}" && engine_pid=${_ef_file#/proc/} && break
    done
  fi
  [ -n "$engine_pid" ] && read_starttime "$engine_pid" && engine_start=$starttime
}

engine_is() {
  case $1 in '' | *[!0-9]*) return 1 ;; esac
  read_line "/proc/$1/comm" && [ "$line" = dockerd ] || return 1
  # One that was killed and not yet reaped is no engine.
  read_starttime "$1" || return 1
  case ${stat_text##*) } in Z*) return 1 ;; esac
}

# engine_absent: no docker here at all, so no containers either.
engine_absent() { [ -z "$engine_pid" ] && { ! command -v docker >/dev/null || [ ! -S /run/docker.sock ]; }; }

# containers_scope GROUP: loads which containers belong to the group: scope_all, scope_token, and the exempt tokens.
# A token is a label as docker's format prints it: "KEY"="VALUE", quoted as Go does.
containers_scope() {
  scope=none scope_token='' exempt_tokens=''
  config_each containers "$1" containers_scope_take
  config_each exempt-label '' containers_exempt_take
}
containers_scope_take() {
  case $2 in
    all) scope=all ;;
    label:*)
      scope=label
      label_token "${2#label:}"
      scope_token=$token
      ;;
  esac
}
containers_exempt_take() {
  label_token "$1"
  exempt_tokens=$exempt_tokens$token$LF
}

label_token() { token="\"${1%%=*}\"=\"${1#*=}\""; }

# container_in_scope IMAGE TOKENS: sets in_scope to yes, no or exempt. Our own engine is never touched.
container_in_scope() {
  in_scope=exempt
  case $1 in temporalio/* | */temporalio/*) return ;; esac
  case " $2" in *' "com.resurgo.engine"='*) return ;; esac
  _ci_rest=$exempt_tokens
  while [ -n "$_ci_rest" ]; do
    case " $2 " in *" ${_ci_rest%%"$LF"*} "*) return ;; esac
    _ci_rest=${_ci_rest#*"$LF"}
  done
  in_scope=no
  case $scope in
    all) in_scope=yes ;;
    label) case " $2 " in *" $scope_token "*) in_scope=yes ;; esac ;;
  esac
}

# freezer_of PID ID: sets freezer, the file that freezes this container's cgroup, in v1 or v2 form; empty if unknown.
freezer_of() {
  freezer='' _fo_unified=''
  while IFS=: read -r _ _fo_control _fo_path; do
    # A container may have moved its first process into a cgroup below its own: cut behind its id.
    case $_fo_path in
      *"$2"*)
        _fo_tail=${_fo_path#*"$2"}
        _fo_path=${_fo_path%%"$2"*}$2${_fo_tail%%/*}
        ;;
    esac
    case ,$_fo_control, in
      *,freezer,*) freezer=/sys/fs/cgroup/freezer$_fo_path/freezer.state ;;
      ,,) _fo_unified=/sys/fs/cgroup$_fo_path/cgroup.freeze ;;
    esac
  done 2>/dev/null <"/proc/$1/cgroup"
  [ -n "$freezer" ] || [ ! -e "$_fo_unified" ] || freezer=$_fo_unified
}

# freezer_read FILE: sets frozen to yes, no or gone. No fork.
freezer_read() {
  frozen=gone
  read_line "$1" || return 0
  case $line in THAWED | 0) frozen=no ;; *) frozen=yes ;; esac
}

freezer_write() {
  case $1 in
    */cgroup.freeze) [ "$2" = FROZEN ] && printf 1 >"$1" || printf 0 >"$1" ;;
    */freezer.state) printf '%s' "$2" >"$1" ;;
  esac 2>/dev/null
}
