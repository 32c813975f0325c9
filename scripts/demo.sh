#!/bin/sh
# `npm run demo`: set-up, then the whole product once on this machine, on a fleet of simulated hosts.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source-path=SCRIPTDIR source=lib.sh
. scripts/lib.sh
sh scripts/setup.sh
obstacle=$(lab_obstacle)
if [ -n "$obstacle" ]; then
  echo "The demo can't run here: $obstacle" >&2
  exit 1
fi
exec node scripts/demo/fleet.js "$@"
