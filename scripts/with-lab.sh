#!/bin/sh
# with-lab.sh CMD…: runs a command that needs simulated hosts, sweeping dead fleets before and after. Where the lab can't run
# it says which suites are skipped and why; with CI=true that is a failure.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source-path=SCRIPTDIR source=lib.sh
. scripts/lib.sh

obstacle=$(lab_obstacle)
if [ -n "$obstacle" ]; then
  echo "Skipped, because the lab can't run here ($obstacle):"
  lab_suites | sed 's/^/  /'
  if [ "${CI:-}" = true ]; then
    echo 'CI=true: a skip is a failure.' >&2
    exit 1
  fi
  exit 0
fi

sh scripts/lab-sweep.sh
status=0
PATH=$PWD/node_modules/.bin:$PATH "$@" || status=$?
sh scripts/lab-sweep.sh || status=1
exit "$status"
