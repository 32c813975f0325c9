#!/bin/sh
# `npm run demo`: set-up, then the whole product once on this machine: on a fleet of simulated hosts, or without root on this machine alone.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source-path=SCRIPTDIR source=lib.sh
. scripts/lib.sh
sh scripts/setup.sh
obstacle=$(lab_obstacle)
if [ -z "$obstacle" ]; then exec node scripts/demo/fleet.js "$@"; fi
headline 'This machine alone'
echo "No fleet can be simulated here ($obstacle), so the demo backs up and restores a folder of this machine."
exec node scripts/demo/one-machine.js "$@"
