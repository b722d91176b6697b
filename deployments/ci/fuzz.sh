#!/bin/sh
# Runs every fuzz target of the module for FUZZTIME. A found input stays in the package's testdata/fuzz: keep it as
# a regression test together with the fix.
set -eu

go=${GO:-go}
fuzztime=${FUZZTIME:-30s}
found=0

for file in $(grep -rl --include='*_test.go' '^func Fuzz' adapters cmd configs core plugins ports 2>/dev/null | sort); do
  for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
    found=$((found + 1))
    echo "--- $target ($(dirname "$file"), $fuzztime)"
    $go test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" "./$(dirname "$file")"
  done
done

if [ "$found" -eq 0 ]; then
  echo "fuzz: no fuzz target found" >&2
  exit 1
fi
echo "fuzz: $found targets, nothing found"
