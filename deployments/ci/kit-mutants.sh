#!/usr/bin/env bash
# The conformance kit, proven. First it passes on the unmutated providers, TIMES in a row (20): a kit that fails now
# and then is switched off. Then bugs are planted, one at a time (deployments/ci/mutants), and at least LEAST (24) have
# to be found. The working tree is not touched.
#   kit-mutants.sh [pass|mutants]    one half only
set -euo pipefail

cd "$(dirname "$0")/../.."
GO=${GO:-go}
export CGO_ENABLED=0 GO
half=${1:-all}

pass() {
  local provider tests
  tests=(./plugins/providers/*/conformance_test.go)
  [ -e "${tests[0]}" ] || { echo "kit-mutants: no provider has a conformance_test.go" >&2; exit 1; }
  for provider in "${tests[@]%/conformance_test.go}"; do
    "$GO" test -trimpath -c -o "$scratch/$(basename "$provider").test" "$provider"
    for i in $(seq "${TIMES:-20}"); do
      (cd "$provider" && "$scratch/$(basename "$provider").test" -test.run '^TestConformance$') >"$scratch/out" 2>&1 ||
        { cat "$scratch/out"; echo "kit-mutants: $provider failed in run $i" >&2; exit 1; }
    done
    echo "kit-mutants: $provider passed ${TIMES:-20} times in a row"
  done
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
case $half in
  pass) pass ;;
  mutants) "$GO" run -trimpath ./deployments/ci/mutants -least "${LEAST:-24}" ;;
  all) pass; "$GO" run -trimpath ./deployments/ci/mutants -least "${LEAST:-24}" ;;
  *) echo "kit-mutants.sh [pass|mutants]" >&2; exit 2 ;;
esac
