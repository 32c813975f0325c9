#!/bin/sh
# Removes what dead test processes left of their simulated fleets; with `all` also fleets kept standing on purpose.
set -eu
cd "$(dirname "$0")/.."
exec test/lab/support/fleet.sh sweep "$@"
