#!/bin/sh
# generate.sh [ROOT]
#
# Writes what is generated below ROOT (this tree): Go code from the plugin contract, and plugins/sdk/deps.txt, the
# checked list of every package that a provider links in with the SDK.
set -eu

root=${1:-.}
go=${GO:-go}
cd "$root"

(cd plugins/proto && "$BUF" generate)
$go list -deps -f '{{if not .Standard}}{{.ImportPath}}{{end}}' ./plugins/sdk/... | LC_ALL=C sort -u >plugins/sdk/deps.txt
