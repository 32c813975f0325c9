#!/bin/sh
# What this host allows: /etc/resurgo/host.conf, written at enrolment, root's alone. A request can't widen it.

: "${decoded-}"
config_loaded=no
config_text=

# own_file FILE: refuses a file that isn't root's, is a link, or that others may write (or whose folder they may).
own_file() {
  own_dir_of=${1%/*}
  own_facts=$(stat -c '%u %A %F' "$own_dir_of" "$1" 2>/dev/null) ||
    fail not-found "$1 is missing on this host; enrol the host (resurgo enroll)"
  while read -r own_uid own_mode own_kind <&8; do
    case $own_uid/$own_mode in
      0/?????-??-?) ;;
      *) fail not-allowed "$1 or its folder is not root's alone; as root: chown root: and chmod go-w $1 $own_dir_of" ;;
    esac
    case $own_kind in
      'symbolic link') fail not-allowed "$1 is a symbolic link; put the file itself there" ;;
    esac
  done 8<<EOF
$own_facts
EOF
}

config_load() {
  [ "$config_loaded" = no ] || return 0
  own_file "$RESURGO_ETC/host.conf"
  config_text=$(cat "$RESURGO_ETC/host.conf")
  config_loaded=yes
}

# config_each KIND FIRST CALLBACK: calls CALLBACK with the decoded fields behind KIND, for each line of that kind whose
# first field is FIRST ('' = any), in the file's order and in this shell (the loop reads fd 8, so stdin stays the session's).
config_each() {
  config_load
  while read -r config_kind config_1 config_2 config_3 config_4 config_5 config_6 config_7 _ <&8; do
    [ "$config_kind" = "$1" ] || continue
    config_decode "$config_1"
    [ -z "$2" ] || [ "$decoded" = "$2" ] || continue
    config_call "$3" "$decoded" "$config_2" "$config_3" "$config_4" "$config_5" "$config_6" "$config_7"
  done 8<<EOF
$config_text
EOF
}

config_call() {
  config_callback=$1
  config_first=$2
  config_2=$3 config_3=$4 config_4=$5 config_5=$6 config_6=$7 config_7=$8
  set -- "$config_first"
  for config_field in "$config_2" "$config_3" "$config_4" "$config_5" "$config_6" "$config_7"; do
    [ -n "$config_field" ] || break
    config_decode "$config_field"
    set -- "$@" "$decoded"
  done
  "$config_callback" "$@"
}

config_decode() {
  decode "$1" || fail internal "$RESURGO_ETC/host.conf holds a value that is not percent-encoded; write it again (resurgo enroll --update)"
}

# config_lines KIND [FIRST]: prints those lines without KIND, values still percent-encoded (so one `read` splits them).
config_lines() {
  config_load
  while read -r config_kind config_rest <&8; do
    [ "$config_kind" = "$1" ] || continue
    [ -z "${2-}" ] || [ "${config_rest%% *}" = "$2" ] || continue
    printf '%s\n' "$config_rest"
  done 8<<EOF
$config_text
EOF
}

# config_host: sets $config_host, the name under which this host is enrolled.
config_host() {
  config_host=
  config_each host '' config_take_host
  [ -n "$config_host" ] || fail not-found "$RESURGO_ETC/host.conf names no host; enrol it again (resurgo enroll --update)"
}
config_take_host() { config_host=$1; }

# config_source GROUP NAME: sets $src_kind $src_path $src_tree $src_room $src_headers; 1 if this host allows no such source.
config_source() {
  src_name=$2
  src_kind=
  src_path=
  src_tree=
  src_room=
  src_headers=
  config_each source "$1" config_take_source
  [ -n "$src_kind" ]
}
config_take_source() {
  [ "$2" = "$src_name" ] || return 0
  src_kind=$3
  src_path=$4
  src_tree=$5
  src_room=${6-}
  src_headers=${7-}
  : "$src_path" "$src_tree" "$src_room" "$src_headers"
}

# config_store NAME: sets $store_kind $store_place $store_compression $store_reserve; 1 if this host has no such store.
config_store() {
  store_kind=
  config_each store "$1" config_take_store
  [ -n "$store_kind" ]
}
config_take_store() {
  store_kind=$2
  store_place=$3
  store_compression=$4
  store_reserve=$5
  : "$store_place" "$store_compression" "$store_reserve"
}

# config_accepts STORE GROUP TREE: does the store take that tree? TREE '' asks for any tree of the group.
# Sets $accept_peer to the host that alone may send it ('' = any enrolled peer).
config_accepts() {
  accept_group=$2
  accept_tree=$3
  accept_found=no
  accept_peer=
  config_each accept "$1" config_take_accept
  [ "$accept_found" = yes ]
}
config_take_accept() {
  [ "$2" = "$accept_group" ] || return 0
  [ -z "$accept_tree" ] || [ "$3" = "$accept_tree" ] || return 0
  accept_found=yes
  accept_peer=${4-}
  : "$accept_peer"
}

# config_accepts_host STORE GROUP HOST PEER: does the store take trees of HOST, and from PEER? PEER '' asks for any.
config_accepts_host() {
  accept_group=$2
  accept_host=$3
  accept_from=$4
  accept_found=no
  config_each accept "$1" config_take_host_of
  [ "$accept_found" = yes ]
}
config_take_host_of() {
  [ "$2" = "$accept_group" ] && [ "${3%%@*}" = "$accept_host" ] || return 0
  [ -z "$accept_from" ] || [ -z "${4-}" ] || [ "$4" = "$accept_from" ] || return 0
  accept_found=yes
}

# config_machine STORE GROUP TREE HOST: is the tree of the machine whose trees the store takes from HOST, and from no other? Where a line
# names no peer nobody can tell.
config_machine() {
  accept_group=$2
  accept_host=${3%%@*}
  accept_from=$4
  accept_found=no
  config_each accept "$1" config_take_machine
  [ "$accept_found" = yes ]
}
config_take_machine() {
  [ "$2" = "$accept_group" ] && [ "${3%%@*}" = "$accept_host" ] && [ "$accept_found" != other ] || return 0
  if [ "${4-}" = "$accept_from" ]; then accept_found=yes; else accept_found=other; fi
}

# config_value KIND GROUP: sets $config_value to the first field behind GROUP of that kind's line; 1 if there is none.
config_value() {
  config_value=
  config_each "$1" "$2" config_take_value
  [ -n "$config_value" ]
}
config_take_value() { config_value=${2-}; }
