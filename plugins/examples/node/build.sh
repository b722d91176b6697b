#!/bin/sh
# build.sh VERSION OUT
#
# Builds the example as one static file OUT/payrack-provider-nodepay, with its conformance.json beside it. Needs Go, Node
# 20 or newer with npm, and zip; packages come from the npm registry that npm is set up for. It leaves nothing in this
# folder.
set -eu

version=$1
out=$2
here=$(cd "$(dirname "$0")" && pwd)
go=${GO:-go}

for tool in node npm zip sha256sum; do
  command -v "$tool" >/dev/null || { echo "build.sh: $tool is missing" >&2; exit 1; }
done
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp -R "$here/src" "$here/build.mjs" "$here/package.json" "$here/package-lock.json" "$work"
(cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
mkdir "$work/zip"
(cd "$work" && node build.mjs "$version" "$here/../../proto" "$work/program.js")
mv "$work/program.js" "$work/zip/program"

node=$(readlink -f "$(command -v node)")
digest=$(sha256sum "$node" | cut -d' ' -f1)
# The program lies in memory and has no path that could be followed.
printf '{"interpreter":"%s","sha256":"%s","args":["--preserve-symlinks-main"]}\n' "$node" "$digest" >"$work/zip/manifest.json"

(cd "$here/launcher" && CGO_ENABLED=0 "$go" build -trimpath -buildvcs=false -ldflags '-s -w' -o "$work/launcher" .)
(cd "$work/zip" && zip -q -X "$work/program.zip" manifest.json program)
cat "$work/launcher" "$work/program.zip" >"$work/binary"
chmod 0755 "$work/binary"
mv "$work/binary" "$out/payrack-provider-nodepay"
cp "$here/conformance.json" "$out/payrack-provider-nodepay.conformance.json"
echo "$out/payrack-provider-nodepay $version"
