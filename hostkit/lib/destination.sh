# The place that a restore writes to: a configured source's path or below, or a folder below a configured `restore-to` (S23).

# Set or read elsewhere:
: "${arg_group-}" "${arg_subpath-}" "${arg_tree-}" "${destination_kind-}" "${src_kind-}" "${src_name-}" "${src_path-}" "${unescaped-}"

# System folders: who may write there is root, so only the host's own root allows it (`arm-system PATH` in host.conf).
destination_system='/ /bin /boot /dev /etc /lib /lib32 /lib64 /libx32 /proc /root /run /sbin /sys /usr /var/lib/resurgo /var/spool/cron'

# destination_find: sets $destination (real, no link on the way) and $destination_root from the keys source or path, tree and subpath.
# With `source` it is in place; with `path` the tree gets a folder of its own there.
destination_find() {
  destination_kind=none
  if [ -n "$arg_source" ]; then
    config_source "$arg_group" "$arg_source" || fail not-allowed "this host has no source '$arg_source' in group $arg_group; enrol it with the runbook that names it"
    destination_writable
    destination_root=$src_path
    destination_kind=$src_kind
    destination_rest=$arg_subpath
    destination_armed "$src_path"
  else
    [ -n "$arg_path" ] || fail bad-request 'a restore needs the key source, or path'
    destination_root=
    destination_wanted=$arg_path
    config_each restore-to '' destination_take
    [ -n "$destination_root" ] || fail not-allowed "this host allows no restore into $arg_path; add it to restore_to of this host in the runbook, then run: resurgo enroll HOST --update"
    destination_rest=${arg_path#"$destination_root"}
    destination_rest=${destination_rest#/}
    destination_rest=${destination_rest:+$destination_rest/}$arg_tree${arg_subpath:+/$arg_subpath}
    destination_armed "$arg_path"
  fi
  [ -d "$destination_root" ] ||
    fail not-mounted "$destination_root is not there; mount it, or make it${arg_source:+. This host was enrolled with that path for source $arg_source: where the runbook has another, enrol it again (resurgo enroll HOST --update)}"
  destination=$(readlink -f -- "$destination_root")
  while [ -n "$destination_rest" ]; do
    destination=$destination/${destination_rest%%/*}
    case $destination_rest in */*) destination_rest=${destination_rest#*/} ;; *) destination_rest= ;; esac
    [ ! -h "$destination" ] || fail not-allowed "$destination is a symbolic link; nothing is restored through links"
    [ -d "$destination" ] || [ ! -e "$destination" ] ||
      fail exists "$destination is no folder; name a folder, or move away what is there"
  done
  destination_armed "$destination"
}
destination_take() {
  case $destination_wanted/ in "${1%/}"/*) destination_root=${1%/} ;; esac
}

# destination_writable: fails where the source that config_source has found is a whole machine.
destination_writable() {
  [ "$src_kind" != system ] || fail not-allowed "source $src_name is this whole machine, which is not written over while it runs: it comes back with \`resurgo recover\`, single files of it with \`resurgo restore --path PATH --to FOLDER\`"
}

# destination_armed PATH: fails when PATH is a system path, holds one, or lies in one, and root has not armed it here.
destination_armed() {
  destination_checked=$1
  destination_arm=no
  config_each arm-system '' destination_arm_take
  [ "$destination_arm" = no ] || return 0
  for destination_each in $destination_system; do
    case $1/ in
      "${destination_each%/}"/*) [ "$destination_each" != / ] || [ "$1" = / ] || continue ;;
      *) case $destination_each/ in "${1%/}"/*) ;; *) continue ;; esac ;;
    esac
    fail not-allowed "$1 is a system path; to allow a restore there, this host's root adds to $RESURGO_ETC/host.conf: arm-system $1"
  done
}
destination_arm_take() {
  case $destination_checked/ in "${1%/}"/*) destination_arm=yes ;; esac
}

# destination_mounts: prints filter rules for mounts below the destination: they are other file systems, and stay (S20). A rule is one
# line: what would break it is matched by a wildcard. rsync reads a backslash as an escape only where the pattern has a wildcard.
destination_mounts() {
  while read -r _ _ _ _ destination_mount _; do
    unescape_mount "$destination_mount"
    case $unescaped in
      "${destination%/}"/?*)
        destination_rule=${unescaped#"${destination%/}"}
        case $destination_rule in
          *[*?[]* | *'
'*) destination_rule=$(printf '%s' "$destination_rule" | tr '\n' '\001' | sed 's/[[*?\\]/\\&/g' | tr '\001' '?') ;;
        esac
        printf -- '- %s\n' "$destination_rule"
        ;;
    esac
  done </proc/self/mountinfo
}
