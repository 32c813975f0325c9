#!/bin/sh
# Reads one request and checks it against a declaration before anything else happens.
#
# A verb's (or job kind's) file opens with comment lines that are read, never run:
#   # keys: group:group source:name path:path? depth:int=3 mode:word(full|quick)=full
#   # fenced: yes            adds group run term step attempt, and the fence is checked (S3) before verb_main runs
#   # more: jobs kind        the rest of the keys is declared by jobs/<value of key kind>.sh
#   # by: grant              reached only through a grant's key
# `?` = may be missing (then empty), `=X` = may be missing (then X). Checked values arrive as $arg_<key>.

: "${decoded-}"

request_limit=1048576
request_line_limit=262144
request_count_limit=64
fence_keys='group:series run:run term:int step:step attempt:int'

# read_request: sets $request_verb and $request_pairs (lines `key encoded-value`). `read` takes a pipe byte by byte, so
# what follows the closing dot stays there for a session.
read_request() {
  # A line without an end can't fill the memory: the shell gives up at 16 MiB, which the trap reports.
  memory_limit -Sv 16384 || :
  request_line || request_refuse 'the request is empty'
  case $request_line in
    'resurgo 1 '*) request_verb=${request_line#resurgo 1 } ;;
    'resurgo '*) fail bad-request 'this hostkit speaks version 1 of the protocol; update whichever side is older' ;;
    *) request_refuse 'the first line is not "resurgo 1 VERB"' ;;
  esac
  case $request_verb in '' | [!a-z]* | *[!a-z.-]* | *..* | *.) request_refuse 'the verb is not a name' ;; esac
  [ "${#request_verb}" -le 40 ] || request_refuse 'the verb is not a name'
  request_pairs=
  request_size=0
  request_count=0
  while :; do
    request_line || request_refuse 'the request ended before its closing dot'
    [ "$request_line" != . ] || break
    request_count=$((request_count + 1))
    request_size=$((request_size + ${#request_line}))
    [ "$request_count" -le "$request_count_limit" ] || request_refuse 'the request has too many keys'
    [ "$request_size" -le "$request_limit" ] || request_refuse 'the request is over 1 MiB'
    request_pairs="$request_pairs$request_line
"
  done
  memory_limit -Sv unlimited || memory_limit -Sv hard
}

# dash and ash both know -S and -v, which POSIX leaves open.
memory_limit() { ulimit "$1" "$2" 2>/dev/null; }

request_line() {
  IFS= read -r request_line || return 1
  [ "${#request_line}" -le "$request_line_limit" ] || request_refuse 'a line is over 256 KiB'
}

request_refuse() { fail bad-request "refused before anything was done: $1; compare director and hostkit versions (resurgo doctor)"; }

# read_declaration FILE: sets $declared_keys, $declared_fenced, $declared_more, $declared_by. The file is not run.
read_declaration() {
  declared_keys=
  declared_fenced=no
  declared_more=
  declared_by=director
  while IFS= read -r declared_line; do
    case $declared_line in
      '# keys: '*) declared_keys="$declared_keys ${declared_line#\# keys: }" ;;
      '# fenced: '*) declared_fenced=${declared_line#\# fenced: } ;;
      '# more: '*) declared_more=${declared_line#\# more: } ;;
      '# by: '*) declared_by=${declared_line#\# by: } ;;
      '#'*) ;;
      *) break ;;
    esac
  done <"$1"
  [ "$declared_fenced" = no ] || declared_keys="$fence_keys $declared_keys"
  : "$declared_more" "$declared_by"
}

# own_part FILE: is this part of the hostkit there, a plain file, and root's?
own_part() { [ -f "$1" ] && [ ! -h "$1" ] && [ -O "$1" ]; }

# load_declaration FOLDER NAME: reads the declaration of that verb (with what `more:` adds) and sets $request_file.
load_declaration() {
  request_file=$RESURGO_LIB/$1/$2.sh
  own_part "$request_file" || request_refuse "there is no '$2' in $1 here"
  read_declaration "$request_file"
  [ -n "$declared_more" ] || return 0
  more_folder=${declared_more%% *}
  more_key=${declared_more##* }
  more_fenced=$declared_fenced
  more_by=$declared_by
  more_keys=$declared_keys
  request_value "$more_key" || request_refuse "verb $request_verb needs the key '$more_key'"
  check_type name "$value" || request_refuse "the value of '$more_key' is not a name"
  own_part "$RESURGO_LIB/$more_folder/$value.sh" || request_refuse "there is no $more_key '$value' here"
  read_declaration "$RESURGO_LIB/$more_folder/$value.sh"
  declared_keys="$more_keys $declared_keys"
  declared_fenced=$more_fenced
  declared_by=$more_by
}

# request_value KEY: sets $value to the raw value of that key in $request_pairs; 1 if it is missing.
request_value() {
  value=
  while read -r request_key request_raw <&8; do
    [ "$request_key" != "$1" ] || {
      value=$request_raw
      return 0
    }
  done 8<<EOF
$request_pairs
EOF
  : "$value"
  return 1
}

# check_request: checks $request_pairs against $declared_keys and sets $arg_<key> for each declared key.
check_request() {
  request_spec=" $declared_keys "
  request_seen=' '
  while IFS= read -r request_pair <&8; do
    [ -n "$request_pair" ] || continue
    request_key=${request_pair%% *}
    case $request_key in '' | [!a-z]* | *[!a-z0-9_]*) request_refuse 'a key is not a name' ;; esac
    case $request_pair in "$request_key "*) ;; *) request_refuse "key '$request_key' has no value" ;; esac
    case $request_seen in *" $request_key "*) request_refuse "key '$request_key' is given twice" ;; esac
    case $request_spec in *" $request_key:"*) ;; *) request_refuse "verb $request_verb has no key '$request_key'" ;; esac
    request_seen="$request_seen$request_key "
    request_type=${request_spec#*" $request_key:"}
    request_type=${request_type%% *}
    request_type=${request_type%%=*}
    request_type=${request_type%\?}
    decode "${request_pair#* }" || request_refuse "the value of '$request_key' is not percent-encoded as it must be"
    check_type "$request_type" "$decoded" || request_refuse "the value of '$request_key' is not a $request_type"
    set_arg "$request_key" "$decoded"
  done 8<<EOF
$request_pairs
EOF
  request_rest=$declared_keys
  while :; do
    request_rest=${request_rest# }
    [ -n "$request_rest" ] || break
    request_item=${request_rest%% *}
    case $request_rest in *' '*) request_rest=${request_rest#* } ;; *) request_rest= ;; esac
    [ -n "$request_item" ] || continue
    case $request_seen in *" ${request_item%%:*} "*) continue ;; esac
    case $request_item in
      *\?) set_arg "${request_item%%:*}" '' ;;
      *=*) set_arg "${request_item%%:*}" "${request_item#*=}" ;;
      *) request_refuse "verb $request_verb needs the key '${request_item%%:*}'" ;;
    esac
    request_seen="$request_seen${request_item%%:*} "
  done
}

# set_arg KEY VALUE: an assignment by name without eval; what was checked can't be changed afterwards.
set_arg() { readonly "arg_$1=$2"; }
