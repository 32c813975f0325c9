#!/bin/sh
# The types of a request's values. check_type TYPE VALUE: 0 if the value is one; decode VALUE: sets $decoded.
# Patterns count bytes, as LC_ALL=C holds in the whole hostkit.

# decode VALUE: undoes the percent-encoding into $decoded; 1 if it isn't written as the contract says.
# A value with escapes may be 64 KiB long: the loop copies the rest at each one.
decode() {
  decoded=$1
  case $1 in
    *[!A-Za-z0-9._/@:=,+%-]*) return 1 ;;
    *%*) ;;
    *) return 0 ;;
  esac
  [ "${#1}" -le 65536 ] || return 1
  decode_rest=$1
  decode_out=
  while :; do
    case $decode_rest in
      *%*) ;;
      *) break ;;
    esac
    decode_out=$decode_out${decode_rest%%\%*}
    decode_rest=${decode_rest#*%}
    case $decode_rest in
      00*) return 1 ;;
      [0-9A-F][0-9A-F]*) ;;
      *) return 1 ;;
    esac
    decode_tail=${decode_rest#??}
    decode_byte=$((0x${decode_rest%"$decode_tail"}))
    decode_out="$decode_out\\0$((decode_byte / 64))$((decode_byte / 8 % 8))$((decode_byte % 8))"
    decode_rest=$decode_tail
  done
  # %b alone understands the octal escapes; no backslash can have been there before. The x keeps a last line feed.
  decoded=$(printf '%bx' "$decode_out$decode_rest")
  decoded=${decoded%x}
}

# encode VALUE: sets $encoded, the contract's percent-encoding.
encode() {
  encoded=$1
  case $1 in
    *[!A-Za-z0-9._/@:=,+-]*)
      encoded=$(printf '%s' "$1" | od -An -v -tu1 | awk '{ for (i = 1; i <= NF; i++) { c = sprintf("%c", $i + 0)
        if ($i < 128 && c ~ "[A-Za-z0-9._/@:=,+-]") printf "%s", c; else printf "%%%02X", $i } }')
      ;;
  esac
  : "$encoded"
}

check_type() {
  case $1 in
    int) check_length "$2" 15 && case $2 in *[!0-9]* | 0?*) return 1 ;; esac ;;
    seconds) check_length "$2" 6 && case $2 in *[!0-9]* | 0*) return 1 ;; esac ;;
    bool) case $2 in 0 | 1) ;; *) return 1 ;; esac ;;
    name) check_length "$2" 64 && case $2 in [!A-Za-z0-9]* | *[!A-Za-z0-9._-]*) return 1 ;; esac ;;
    group) check_length "$2" 40 && case $2 in [!a-z0-9]* | *[!a-z0-9-]*) return 1 ;; esac ;;
    # What excludes each other: the runs of a group, or those of its rescue media, which have a lease of their own.
    series) check_type group "${2%.rescue}" ;;
    run) check_length "$2" 48 && case $2 in ??????? | ?????? | ????? | ???? | ??? | ?? | ? | [!a-z0-9]* | *[!a-z0-9-]*) return 1 ;; esac ;;
    step) check_length "$2" 640 && case $2 in ' '* | *' ' | *[!\ -~]*) return 1 ;; esac ;;
    grant | job) check_length "$2" 96 && case $2 in [!a-z0-9]* | *[!a-z0-9.-]* | *..*) return 1 ;; esac ;;
    id) case $2 in [0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]_[0-9][0-9][0-9][0-9][0-9][0-9]) ;; *) return 1 ;; esac ;;
    tree) check_tree "$2" ;;
    path) check_length "$2" 4096 && case $2 in / ) ;; [!/]* | */) return 1 ;; *) check_parts "$2/" ;; esac ;;
    subpath) check_length "$2" 4096 && case $2 in /* | */) return 1 ;; *) check_parts "/$2/" ;; esac ;;
    host) check_length "$2" 255 && case $2 in [!A-Za-z0-9:]* | *[!A-Za-z0-9.:-]*) return 1 ;; esac ;;
    b64) check_length "$2" 262144 && case $2 in *[!A-Za-z0-9+/=]* | *=[!=]*) return 1 ;; esac ;;
    hex) check_length "$2" 128 && case $2 in *[!0-9a-f]*) return 1 ;; esac ;;
    pubkey) check_pubkey "$2" ;;
    text) check_length "$2" 4096 && case $2 in *[[:cntrl:]]*) return 1 ;; esac ;;
    lines) check_lines "$2" ;;
    'word('*')') check_word "${1#word}" "$2" ;;
    *) fail internal "the hostkit declares a type '$1' that it doesn't know" ;;
  esac
}

check_length() { [ -n "$1" ] && [ "${#1}" -le "$2" ]; }

check_parts() {
  case $1 in *//* | */../* | */./* | *[[:cntrl:]]*) return 1 ;; esac
}

check_tree() {
  check_length "$1" 512 || return 1
  case ${1%%@*} in '' | *[!A-Za-z0-9._-]*) return 1 ;; esac
  case $1 in *@*) ;; *) return 1 ;; esac
  case ${1#*@} in '' | *[!A-Za-z0-9._%+-]*) return 1 ;; esac
}

check_pubkey() {
  check_length "$1" 200 || return 1
  case $1 in
    'ssh-ed25519 AAAA'*) case ${1#ssh-ed25519 } in *[!A-Za-z0-9+/=]*) return 1 ;; esac ;;
    *) return 1 ;;
  esac
}

# Lines of printable text, one item each; no empty one.
check_lines() {
  check_length "$1" 65536 || return 1
  check_lines_ok=yes
  while IFS= read -r check_line; do
    case $check_line in '' | *[[:cntrl:]]*) check_lines_ok=no ;; esac
  done <<EOF
$1
EOF
  [ "$check_lines_ok" = yes ]
}

# check_word (a|b|c) VALUE
check_word() {
  case $2 in '' | *[!a-z0-9-]*) return 1 ;; esac
  case $1 in
    "($2)" | "($2|"* | *"|$2|"* | *"|$2)") ;;
    *) return 1 ;;
  esac
}
