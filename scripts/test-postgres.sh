#!/bin/sh
# `npm run test:postgres`: the production topology for real, set-up included: PostgreSQL, the real Temporal server (built on
# the first run, some minutes), workers, and backups of simulated hosts while each of them is killed or restarted.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh postgresql
exec sh scripts/with-lab.sh jest --selectProjects postgres --runInBand "$@"
