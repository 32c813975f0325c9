#!/bin/sh
# Runs one verb or job of the hostkit for the stores' tests, without the entry: `sh stores-job.sh ROOT job|verb KIND key=value…`.
# ROOT holds etc/ var/ lib/ (the hostkit, with the snapshot's view and the grants replaced) and takes jobs/. Values are percent-encoded.
ROOT=$1 SORT=$2 KIND=$3
shift 3
export LC_ALL=C
set -eu
umask 077
RESURGO_LIB=$ROOT/lib
. "$RESURGO_LIB/lib/base.sh"
RESURGO_ETC=$ROOT/etc RESURGO_VAR=$ROOT/var RESURGO_RUN=$ROOT/run
. "$RESURGO_LIB/lib/types.sh"
. "$RESURGO_LIB/lib/request.sh"
. "$RESURGO_LIB/lib/config.sh"
job_progress() { printf '{%s}\n' "$1" >>progress; }
job_result() { printf '{"ok":true,%s}\n' "$1" >result; }
job_fail() { fail "$1" "$2"; }
request_verb=$KIND
request_pairs=
for pair do request_pairs="$request_pairs${pair%%=*} ${pair#*=}
"; done
if [ "$SORT" = verb ]; then
  read_declaration "$RESURGO_LIB/verbs/$KIND.sh"
  check_request
  . "$RESURGO_LIB/verbs/$KIND.sh"
  verb_main
  exit
fi
read_declaration "$RESURGO_LIB/jobs/$KIND.sh"
declared_keys="$fence_keys job:job? $declared_keys"
check_request
mkdir -p "$ROOT/jobs"
JOB=$ROOT/jobs/${arg_job:-$KIND.$$}
mkdir -p "$JOB"
cd "$JOB" || exit 1
. "$RESURGO_LIB/jobs/$KIND.sh"
fail() { json_quote "$2"; printf '{"ok":false,"code":"%s","message":%s}\n' "$1" "$json"; exit 1; }
job_main
cat result
