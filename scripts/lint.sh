#!/bin/sh
# Lint: eslint and prettier over TypeScript and its kin, shellcheck over all shell. Goes through all and fails at the end.
set -u
cd "$(dirname "$0")/.." || exit 1
PATH=$PWD/node_modules/.bin:$PATH
failed=0

# The longest by far, and of one thread: beside the others.
eslint . &
eslint=$!
trap 'kill "$eslint" 2> /dev/null; exit 130' INT TERM
prettier --check --log-level warn . || failed=1

if command -v shellcheck > /dev/null; then
  # What one part of a program sets and another uses, shellcheck can't see from either file alone.
  between_parts=SC1090,SC1091,SC2034,SC2154
  # What a host runs, and these scripts: POSIX sh. Files without a suffix are programs.
  find hostkit -type f \( -name '*.sh' -o ! -name '*.*' \) -print0 | xargs -0 -r shellcheck -s sh -e "$between_parts" || failed=1
  shellcheck -s sh -x scripts/*.sh .ci/run || failed=1
  # Elsewhere the first line names the shell.
  find test -name '*.sh' -print0 | xargs -0 -r shellcheck -e "$between_parts" || failed=1
elif [ "${CI:-}" = true ]; then
  echo 'shellcheck is missing, and CI=true allows no skip: sh scripts/setup.sh' >&2
  failed=1
else
  echo 'Skipped: shellcheck over the shell files (not installed)'
fi
wait "$eslint" || failed=1
exit "$failed"
