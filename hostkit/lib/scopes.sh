#!/bin/sh
# Scopes of a grant: which one place it opens. Checked against this host's own configuration when the grant is made, and again when
# it is used; no component below the allowed root may be a symbolic link, or a container could lead the data elsewhere (S22).

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/destination.sh"

: "${arg_host-}" "${grant_host-}" "${grant_id-}" "${grant_peer-}" "${store_rescue-}"
: "${RESURGO_LIB?}" "${arg_group-}" "${arg_scope-}" "${arg_store-}" "${arg_tree-}" "${arg_source-}" "${arg_path-}" "${arg_id-}" "${arg_peer-}"
: "${src_path-}" "${src_tree-}" "${accept_peer-}" "${store_current-}" "${store_open_run-}"
: "${grant_scope-}" "${grant_group-}" "${grant_run-}" "${grant_store-}" "${grant_tree-}" "${grant_source-}" "${grant_subpath-}" "${grant_path-}"

# scope_check PURPOSE: may $arg_scope with its keys be opened for that (receive|send)? Ends the request if not.
scope_check() {
  case $1/$arg_scope in
    receive/store)
      scope_need store "$arg_store" tree "$arg_tree"
      config_accepts "$arg_store" "$arg_group" "$arg_tree" ||
        fail not-allowed "store $arg_store of this host takes no tree $arg_tree of group $arg_group; enrol it again with the runbook that names it"
      [ -z "$accept_peer" ] || [ "$accept_peer" = "$arg_peer" ] ||
        fail not-allowed "tree $arg_tree is taken from $accept_peer alone, not from $arg_peer"
      ;;
    receive/restore | send/snapshot)
      scope_need source "$arg_source" source "$arg_source"
      config_source "$arg_group" "$arg_source" ||
        fail not-allowed "this host has no source $arg_source in group $arg_group; enrol it again with the runbook that names it"
      # Sending from a system path is the configuration's affair; writing there needs more (S23).
      [ "$1" = send ] || { destination_writable && destination_armed "$src_path"; }
      ;;
    receive/folder)
      scope_need path "$arg_path" tree "$arg_tree"
      scope_folder_root "$arg_path"
      destination_armed "$arg_path"
      ;;
    receive/rescue)
      scope_need store "$arg_store" host "$arg_host"
      scope_need id "$arg_id" id "$arg_id"
      scope_rescue_from "$arg_store" "$arg_group" "$arg_host" "$arg_peer"
      ;;
    # What is sent is what this run's job rescue-build has made here: there is nothing to choose.
    send/rescue) ;;
    send/backup)
      scope_need store "$arg_store" id "$arg_id"
      scope_need tree "$arg_tree" tree "$arg_tree"
      # Any tree of the group's backups, not today's alone: one that has left the runbook, or that staging keeps elsewhere, comes back too.
      config_accepts "$arg_store" "$arg_group" '' ||
        fail not-allowed "store $arg_store of this host holds nothing of group $arg_group"
      scope_rescue_gets "$arg_store" "$arg_group" "$arg_tree" "$arg_peer"
      ;;
    *) fail bad-request "scope $arg_scope can't be granted for $1" ;;
  esac
}

scope_need() {
  [ -n "$2" ] || request_refuse "scope $arg_scope needs the key '$1'"
  [ -n "$4" ] || request_refuse "scope $arg_scope needs the key '$3'"
}

# scope_rescue_from STORE GROUP HOST PEER: rescue media of a host come from the host whose trees the store takes, and from no other.
scope_rescue_from() {
  config_accepts_host "$1" "${2%.rescue}" "$3" "$4" ||
    fail not-allowed "store $1 of this host takes no rescue media of $3 from $4: it takes no tree of it in group ${2%.rescue}; enrol it again with the runbook that names a source there"
}

# scope_rescue_gets STORE GROUP TREE PEER: a rescue system was let in to make one machine again: it gets no other machine's data, or who boots
# a medium of the least of them would have all of the group's (S27). A machine's trees begin with its short name, also one that has left the
# runbook.
scope_rescue_gets() {
  case $4 in *.rescue) ;; *) return 0 ;; esac
  config_machine "$1" "$2" "$3" "${4%.rescue}" ||
    fail not-allowed "tree $3 is not known here as one of ${4%.rescue}, and its rescue system gets that machine's trees alone; enrol this target again with the runbook that names a source of it in group $2"
}

# scope_folder_root PATH: sets $scope_root to the configured restore-to folder at or above PATH.
scope_folder_root() {
  scope_root=
  scope_wanted=$1
  config_each restore-to '' scope_take_root
  [ -n "$scope_root" ] || fail not-allowed "this host allows no restore into $1; add it to restore_to of this host in the runbook, then run: resurgo enroll HOST --update"
}
scope_take_root() {
  case $scope_wanted/ in "${1%/}"/*) scope_root=${1%/} ;; esac
}

# scope_path: goes into the folder that the loaded grant receives into, made where it may be, and sets $scope_path to its name, and
# $scope_meta to the folder for the listing that comes along. Only the working folder is sure to be the one that was checked.
scope_path() {
  case $grant_scope in
    store) scope_store ;;
    rescue) scope_rescue ;;
    restore)
      config_source "$grant_group" "$grant_source" || fail not-allowed "this host has no source $grant_source in group $grant_group any more"
      [ -d "$src_path" ] || fail not-mounted "$src_path is not there; mount it"
      destination_writable
      scope_descend "$src_path" "$grant_subpath" restored
      destination_armed "$scope_path"
      scope_tree=$src_tree
      ;;
    folder)
      scope_folder_root "$grant_path"
      [ -d "$scope_root" ] || fail not-found "$scope_root, below which this host allows restores, is not there; make it"
      scope_new
      scope_below=${grant_path#"$scope_root"}
      scope_below=${scope_below#/}
      scope_descend "$scope_root" "${scope_below:+$scope_below/}$grant_tree${grant_subpath:+/$grant_subpath}" own
      destination_armed "$scope_path"
      scope_tree=$grant_tree
      ;;
    *) fail not-allowed 'this grant receives nothing' ;;
  esac
  scope_meta=$RESURGO_VAR/runs/$grant_run/incoming/$scope_tree
  own_dir "$RESURGO_VAR/runs" "$RESURGO_VAR/runs/$grant_run" "$RESURGO_VAR/runs/$grant_run/incoming" "$scope_meta"
  [ -e "$RESURGO_VAR/runs/$grant_run/group" ] || atomic_put "$RESURGO_VAR/runs/$grant_run/group" "$grant_group"
}

# scope_new: a rescue system receives into what is mounted for a new system, never into its own memory.
scope_new() {
  [ -f "$RESURGO_LIB/lib/new.sh" ] || return 0
  mountpoint -q "${grant_path%/}/$grant_tree" ||
    fail not-mounted "nothing is mounted at ${grant_path%/}/$grant_tree: the plan's steps that make and mount the new system have not been done since this rescue system was booted"
}

scope_store() {
  config_accepts "$grant_store" "$grant_group" "$grant_tree" || fail not-allowed "store $grant_store takes no tree $grant_tree any more"
  # shellcheck source=/dev/null
  . "$RESURGO_LIB/lib/stores.sh"
  stores_load "$grant_store" "$grant_group"
  if ! stores_marked || [ "$store_open_run" != "$grant_run" ]; then
    fail fenced "store $grant_store is not open for run $grant_run; open it (job store-open) before data is sent"
  fi
  scope_descend "$store_current" "$grant_tree" own
  scope_tree=$grant_tree
}

# scope_rescue: the folder that verb rescue.open has made for this medium, until job rescue-keep gives it its name.
scope_rescue() {
  scope_rescue_from "$grant_store" "$grant_group" "$grant_host" "$grant_peer"
  # shellcheck source=/dev/null
  . "$RESURGO_LIB/lib/rescue-store.sh"
  rescue_store_load "$grant_store" "$grant_group" "$grant_host"
  [ -d "$store_rescue/$grant_host/$grant_id.part" ] ||
    fail fenced "store $grant_store has no rescue medium $grant_id of $grant_host open; open it (verb rescue.open) before data is sent"
  scope_descend "$store_rescue" "$grant_host/$grant_id.part" own
  scope_tree=$grant_host
}

# scope_descend ROOT SUBPATH own|restored: walks there without following a link and sets $scope_path. Of what is restored only the last
# folder may be missing.
scope_descend() {
  cd -P "$1" || fail not-found "$1 can't be entered"
  scope_here=$(pwd -P)
  scope_rest=$2
  while [ -n "$scope_rest" ]; do
    scope_part=${scope_rest%%/*}
    case $scope_rest in */*) scope_rest=${scope_rest#*/} ;; *) scope_rest= ;; esac
    [ ! -h "./$scope_part" ] || fail not-allowed "$scope_here/$scope_part is a symbolic link; nothing is written through links"
    if [ ! -e "./$scope_part" ]; then
      [ "$3" = own ] || [ -z "$scope_rest" ] || fail not-found "$scope_here/$scope_part is missing; restore what is above it first"
      mkdir "./$scope_part" || fail no-space "$scope_here/$scope_part can't be made"
    fi
    [ -d "./$scope_part" ] || fail exists "$scope_here/$scope_part is no folder; name a folder, or move away what is there"
    cd -P "./$scope_part" || fail not-allowed "$scope_here/$scope_part can't be entered"
    scope_here=${scope_here%/}/$scope_part
    # Whoever swapped the folder for a link after the look is found out here.
    [ "$(pwd -P)" = "$scope_here" ] || fail not-allowed "$scope_here changed while it was entered; stop what writes there"
  done
  scope_path=$scope_here
  : "$scope_path"
}
