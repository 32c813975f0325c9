#!/bin/sh
# Builds the production Temporal server and its schema tool from the Go module proxy (about 4 minutes the first time) and
# prints the folder that holds them. Usage: build-server.sh [CACHE_FOLDER]
set -eu
version=${TEMPORAL_SERVER_VERSION:-v1.32.0}
cache=${1:-${RESURGO_LAB_CACHE:-/var/cache/resurgo-lab}}
bin=$cache/temporal-server-$version
mkdir -p "$bin"
# Two test runs that start at once must not build twice: the second waits for the first.
exec 9>"$bin/.lock"
flock 9
for tool in cmd/server cmd/tools/sql; do
  [ -x "$bin/${tool##*/}" ] || GOBIN="$bin" nice -n 19 go install "go.temporal.io/server/$tool@$version" >&2
done
echo "$bin"
