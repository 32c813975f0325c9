#!/bin/sh
# `npm run test:metal`: what needs virtual machines (QEMU without hardware help): the virtual lab, LVM, the whole matrix of recoveries.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source-path=SCRIPTDIR source=lib.sh
. scripts/lib.sh
# shellcheck disable=SC2086 # Words.
sh scripts/setup.sh $METAL_PACKAGES
# Which machines of the matrix: all, unless told otherwise (test/crash/support/choice.ts).
RESURGO_CRASH_CHOICE=${RESURGO_CRASH_CHOICE:-all}
RESURGO_METAL_TABLE=$(mktemp)
export RESURGO_CRASH_CHOICE RESURGO_METAL_TABLE
trap 'rm -f "$RESURGO_METAL_TABLE"' EXIT
status=0
[ "$#" -gt 0 ] || set -- test/lab/vm
# At most one suite at a time: two machines are all that two cores bear.
sh scripts/with-lab.sh jest --runInBand "$@" || status=$?
printf '| firmware | machine | came back | seconds | seconds of the recovery |\n|---|---|---|---|---|\n'
cat "$RESURGO_METAL_TABLE"
exit "$status"
