#!/bin/sh
# Everything that is checked, in order; stops at nothing, so that one run shows all that is wrong.
# The last line is `N passed, N failed`: tests, plus one for each of lint and types.
set -u
cd "$(dirname -- "$0")/.."
./holdfast --install-only || exit 1
PATH=$PWD/node_modules/.bin:$PATH
export PATH
reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT

check() {
  name=$1
  shift
  printf '\n== %s: %s\n' "$name" "$*"
  if "$@"; then printf 'passed\n' >"$reports/$name.status"; else printf 'failed\n' >"$reports/$name.status"; fi
}

tests() {
  check "$1" node node_modules/vitest/vitest.mjs run --project "$1" \
    --reporter=default --reporter=json --outputFile.json="$reports/$1.json"
}

printf 'Node %s\n' "$(node --version)"
# Many tests run the real things; on a new machine these are built first, which takes its time.
./holdfast assets fetch || exit 1
check lint biome check .
check types tsc --noEmit
tests unit
if [ "${HOLDFAST_TEST_E2E:-1}" = 1 ]; then
  node scripts/install-for-tests.ts || exit 1
  tests e2e
  tests cluster
fi
node scripts/sum-reports.ts "$reports"
