#!/bin/sh
# failpoints.sh
#
# Proves that a release binary cannot be killed by a failpoint (core/failpoint): it has neither their code nor the name of
# the variable that arms them. The same search must find both in a binary that was built with -tags failpoint, or it
# proves nothing.
set -eu

go=${GO:-go}
package=github.com/payrack/payrack/core/failpoint
variable=PAYRACK_FAILPOINT
export CGO_ENABLED=0

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# traces FILE prints how many symbols of the package the binary has, and how often it spells the variable.
traces() {
  symbols=$($go tool nm "$1" | grep -c " $package\." || true)
  names=$(grep -c -a "$variable" "$1" || true)
  echo "$symbols $names"
}

# Without -s: a stripped binary has no symbols to search.
$go build -trimpath -buildvcs=false -o "$dir/release" ./cmd/payrack
$go build -trimpath -buildvcs=false -tags failpoint -o "$dir/failing" ./cmd/payrack

release=$(traces "$dir/release")
failing=$(traces "$dir/failing")
if [ "${failing% *}" = 0 ] || [ "${failing#* }" = 0 ]; then
  echo "failpoints: the search finds nothing in a binary with failpoints ($failing): it proves nothing" >&2
  exit 1
fi
if [ "$release" != "0 0" ]; then
  echo "failpoints: the release binary has traces of failpoints: symbols and names $release" >&2
  exit 1
fi
echo "failpoints: none in the release binary (with the tag: ${failing% *} symbols)"
