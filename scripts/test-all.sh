#!/bin/sh
# `npm test`: set-up, lint, types, unit, processes (hosts, engine, workflow), lab (with crash and faults), metal (two recoveries in virtual machines; not with RESURGO_METAL=no). Every part runs, any failure fails at the end; the last line counts.
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

# One that needs the lab.
lab_part() { # NAME COMMAND…
  name=$1
  shift
  if [ -n "$(lab_obstacle)" ]; then lab_suites | wc -l > "$results/$name.skipped"; fi
  jest_part "$name" sh scripts/with-lab.sh "$@"
}

metal=no
if [ "${RESURGO_METAL:-yes}" = yes ] && [ -z "$(lab_obstacle)" ]; then
  metal=yes
  # shellcheck disable=SC2086 # Words.
  set -- $METAL_PACKAGES
fi
sh scripts/setup.sh "$@" || {
  echo 'The set-up failed, so no test was run.' >&2
  echo '0 passed, 1 failed, 0 skipped'
  exit 1
}
PATH=$PWD/node_modules/.bin:$PATH
trees=
if [ "$metal" = yes ]; then
  # What the machines are made of comes over the network: it is there when they are due.
  { test/lab/vm/support/tree.sh tools && test/lab/vm/support/tree.sh boot; } > "$results/trees" 2>&1 &
  trees=$!
fi
part lint sh scripts/lint.sh
part types tsc --noEmit
# Several suites at a time, as they share nothing; of those that wait for sockets and timers more than they work, three.
jest_part unit jest --selectProjects unit --maxWorkers=2
jest_part processes jest --selectProjects hosts engine workflow --maxWorkers=3

# Of the crash matrices a few cases each time, and a few rounds of the fault campaign: which ones follows from this number.
RESURGO_CRASH_SEED=${RESURGO_CRASH_SEED:-$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')}
RESURGO_CRASH_CHOICE=${RESURGO_CRASH_CHOICE:-1}
export RESURGO_CRASH_SEED RESURGO_CRASH_CHOICE
lab_part lab jest --selectProjects lab crash --maxWorkers=2
echo "-- to repeat the same crashes: RESURGO_CRASH_CHOICE=$RESURGO_CRASH_CHOICE RESURGO_CRASH_SEED=$RESURGO_CRASH_SEED npm run test:crash"
echo "-- to repeat the same faults: npm run test:faults -- --rounds 3 --seed $RESURGO_CRASH_SEED"
# Side by side, with nothing else beside them: each machine is emulated on one processor.
if [ -n "$trees" ]; then
  wait "$trees" || cat "$results/trees"
  # shellcheck disable=SC2046 # One word each.
  jest_part metal sh scripts/with-lab.sh jest --maxWorkers=2 $(metal_suites)
  echo "-- to repeat the same machines: RESURGO_CRASH_CHOICE=$RESURGO_CRASH_CHOICE RESURGO_CRASH_SEED=$RESURGO_CRASH_SEED npm run test:metal -- $(metal_suites | tr '\n' ' ')"
fi

headline 'Result'
node scripts/test-summary.js "$results" || failed=1
exit "$failed"
