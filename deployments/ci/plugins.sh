#!/bin/sh
# plugins.sh VERSION OUT PROVIDER...
#
# Builds provider binaries as static files. A PROVIDER is payrack-provider-<name>. An empty VERSION gives each
# binary a version made of its content, 0.0.0-dev.<hash>: equal sources give an equal version and equal bytes,
# so that a rebuild is a new release exactly when something changed. POSIX sh and coreutils only.
set -eu

version=$1
out=$2
shift 2
go=${GO:-go}
flags=${BUILD_FLAGS:--trimpath -buildvcs=false}
stamp=github.com/payrack/payrack/plugins/sdk/provider.Version
export CGO_ENABLED=0

if [ $# -eq 0 ]; then
  echo "make plugins: no folder plugins/providers/*/cmd/payrack-provider-* found" >&2
  exit 1
fi
if [ -n "$version" ] && ! printf '%s\n' "$version" | grep -Eq '^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?$'; then
  echo "make plugins: VERSION=$version is not a version such as 1.2.3 or 1.2.3-rc.1" >&2
  exit 2
fi

# What goes into the binary: its own files of this module, the pinned modules, the compiler and its target.
content_version() {
  list=$(mktemp)
  # -e keeps a broken file in the list, so that the compiler reports it, not this script.
  $go list -e -deps -f '{{if not .Standard}}{{if .Module}}{{if .Module.Main}}{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}{{range .EmbedFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}{{end}}{{end}}{{end}}' "$1" |
    sed -e '/^$/d' -e "s|^$(pwd -P)/||" -e "s|^$(pwd -L)/||" | LC_ALL=C sort -u >"$list"
  hash=$(
    {
      $go env GOVERSION GOOS GOARCH GOAMD64 GOARM64 GOFLAGS
      echo "$flags"
      xargs sha256sum <"$list"
      sha256sum go.mod go.sum
    } | sha256sum | cut -c1-16 | sed 's/^0\([0-9]*\)$/a\1/' # semantic versions know no number with a leading zero
  )
  rm -f "$list"
  echo "0.0.0-dev.$hash"
}

mkdir -p "$out"
for binary in "$@"; do
  package=./plugins/providers/${binary#payrack-provider-}/cmd/$binary
  v=$version
  [ -n "$v" ] || v=$(content_version "$package")
  # shellcheck disable=SC2086 # the flags are words
  $go build $flags -ldflags "-s -w -X $stamp=$v" -o "$out/$binary" "$package"
  echo "$out/$binary $v"
done
