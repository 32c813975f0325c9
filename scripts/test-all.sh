#!/bin/sh
# `npm test`: set-up, lint, types, unit, workflow, lab. Every part runs, any failure fails at the end; the last line counts.
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source-path=SCRIPTDIR source=lib.sh
. scripts/lib.sh
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
trap 'exit 130' INT TERM
failed=0

# Runs one part, says how long it took and keeps its verdict for the count.
part() { # NAME COMMAND…
  name=$1
  shift
  headline "$name"
  started=$(date +%s)
  verdict=passed
  "$@" || verdict=failed
  [ "$verdict" = passed ] || failed=1
  echo "$verdict" > "$results/$name.part"
  echo "-- $name: $verdict, $(($(date +%s) - started)) s"
}

jest_part() { # NAME WRAPPER… : the wrapper runs the command that follows it
  name=$1
  shift
  part "$name" "$@" --ci --json --outputFile="$results/$name.json"
}

sh scripts/setup.sh || {
  echo 'The set-up failed, so no test was run.' >&2
  echo '0 passed, 1 failed, 0 skipped'
  exit 1
}
PATH=$PWD/node_modules/.bin:$PATH
part lint sh scripts/lint.sh
part types tsc --noEmit
jest_part unit jest --selectProjects unit
jest_part hosts jest --selectProjects hosts
jest_part engine jest --selectProjects engine --runInBand
jest_part workflow jest --selectProjects workflow --runInBand --passWithNoTests
if [ -n "$(lab_obstacle)" ]; then lab_suites | wc -l > "$results/lab.skipped"; fi
jest_part lab sh scripts/with-lab.sh jest --selectProjects lab --runInBand

headline 'Result'
node scripts/test-summary.js "$results" || failed=1
exit "$failed"
