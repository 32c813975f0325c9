# ZFS pools of the new system: imported below its place (altroot), so that nothing is mounted anywhere else, and known by the GUID that they got
# when this run made them. A pool of another run, or of disks that are left alone, is none of them, whatever its name.

# Set or read elsewhere:
: "${LF-}" "${arg_run-}" "${arg_tree-}" "${device-}" "${line-}" "${NEW_ROOT-}"

# pool_check NAME: what ZFS takes for the name of a pool or dataset, and no option.
pool_check() {
  case $1 in '' | [!A-Za-z0-9]* | *[!A-Za-z0-9_.:/\ -]* | */ | *//*) job_fail bad-request "'$1' is no name that ZFS takes" ;; esac
}

# property_check NAME: a property's name as ZFS writes it, and no option.
property_check() {
  case $1 in '' | [!a-z]* | *[!a-z0-9_.:@-]*) job_fail bad-request "'$1' is no name of a property" ;; esac
}

# pool_module: the kernel's part. Without udev nobody tells of devices, and no identifiers of theirs are asked for: the next import does so.
pool_module() {
  ZFS_VDEV_DEVID_OPT_OUT=YES
  export ZFS_VDEV_DEVID_OPT_OUT
  modprobe -q zfs 2>/dev/null || :
}

# pool_is NAME: did this run make the pool of that name that is imported here?
pool_is() {
  read_line "$RESURGO_VAR/runs/$arg_run/made/pool.$1" || return 1
  [ "$(zpool list -H -o guid,altroot "$1" 2>/dev/null)" = "$line$(printf '\t')$NEW_ROOT/$arg_tree" ]
}

# pool_must NAME: ends the job unless it did.
pool_must() {
  pool_check "$1"
  case $1 in */*) job_fail bad-request "'$1' is no pool" ;; esac
  pool_is "$1" || job_fail identity-changed "the pool $1 that this run has made is not imported here: do the plan's step that makes it first"
}

# property_args OPTION LINES: adds `OPTION NAME=VALUE` of each line to ./args, a word a line.
property_args() {
  [ -n "$2" ] || return 0
  while IFS= read -r _pa_line; do
    property_check "${_pa_line%%=*}"
    printf '%s\n%s\n' "$1" "$_pa_line" >>args
  done <<PROPERTIES
$2
PROPERTIES
}
