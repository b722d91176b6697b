#!/bin/sh
# Fails if something that is made from something else is out of date, or if a public interface broke since the last
# release. Changes no file of the tree.
set -eu

go=${GO:-go}
here=$(cd "$(dirname "$0")" && pwd)
failed=0

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

check() { # check NAME COMMAND...
  name=$1
  shift
  if "$@" >"$scratch/out" 2>&1; then
    printf '%-26s ok\n' "$name"
  else
    failed=1
    printf '%-26s FAILED\n' "$name"
    sed 's/^/    /' "$scratch/out"
  fi
}

# Generated in a copy, so that a failed check leaves nothing behind.
generated() {
  mkdir -p "$scratch/tree/plugins"
  cp go.mod go.sum "$scratch/tree/"
  cp -R plugins/. "$scratch/tree/plugins/"
  rm -rf "$scratch/tree/plugins/internal/wire/providerv1" "$scratch/tree/plugins/sdk/deps.txt"
  "$here/generate.sh" "$scratch/tree"
  diff -ru plugins/internal/wire/providerv1 "$scratch/tree/plugins/internal/wire/providerv1" &&
    diff -u plugins/sdk/deps.txt "$scratch/tree/plugins/sdk/deps.txt" ||
    { echo "run: make generate"; return 1; }
}

tidy() { $go mod tidy -diff || { echo "run: go mod tidy"; return 1; }; }

# The example names every key with its default; the test beside it compares them.
example() { $go test -count=1 ./configs/; }

compatible() {
  last=$scratch/last
  git worktree add --detach --force "$last" "$tag" || return 1
  status=0
  (cd plugins/proto && "$BUF" breaking --against "$last/plugins/proto") || status=1
  for package in plugins/sdk/provider plugins/conformance; do
    [ -d "$last/$package" ] || continue
    if (cd "$last" && "$APIDIFF" -w "$scratch/old.api" "./$package") &&
      "$APIDIFF" -incompatible "$scratch/old.api" "./$package" >"$scratch/broken"; then
      [ ! -s "$scratch/broken" ] || { echo "$package since $tag:"; cat "$scratch/broken"; status=1; }
    else
      status=1
    fi
  done
  git worktree remove --force "$last" || status=1
  return $status
}

check "generated files" generated
check "go.mod and go.sum" tidy
check "example configuration" example
if tag=$(git describe --tags --abbrev=0 2>/dev/null); then
  check "public interfaces" compatible
else
  printf '%-26s nothing to compare (no tag yet)\n' "public interfaces"
fi
exit $failed
