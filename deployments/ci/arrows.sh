#!/usr/bin/env bash
# Proves that the import rules of .golangci.yml fire. Every line of arrows.txt becomes a file in a copy of the tree,
# directly in the folder it names (a rule whose pattern misses that level would be silent there); one run of depguard
# over the copy must refuse each of them by the rule named, none of the allowed ones, and nothing of the tree itself.
# What the compiler refuses instead (internal packages) is tried after it.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
lint=${GOLANGCI_LINT:-golangci-lint}
module=github.com/payrack/payrack

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
copy=$scratch/tree
mkdir "$copy"
tar -C "$root" -c --exclude='./.git' --exclude='./bin' --exclude='./.tools' --exclude='./payrack-data' --exclude=./node_modules . | tar -C "$copy" -x

fail() { printf 'arrows: %s\n' "$*" >&2; failures=$((failures + 1)); }
failures=0

# An imported folder of ours is represented by an empty package below it: the rules look at prefixes, and a fresh
# package can be part of no import cycle, whoever imports whom in the other lines.
leaf() {
  mkdir -p "$copy/$1/zzleaf"
  echo 'package zzleaf' >"$copy/$1/zzleaf/leaf.go"
}

package_of() { # the package clause of a folder's files, or the folder's name
  local name
  name=$(find "$copy/$1" -maxdepth 1 -name '*.go' ! -name '*_test.go' -print0 2>/dev/null |
    xargs -0 -r sed -n 's/^package \([a-z0-9_]*\).*/\1/p' | head -n 1)
  echo "${name:-$(basename "$1")}"
}

rows=()
while read -r verdict rule folder kind import; do
  case $verdict in '' | '#'*) continue ;; esac
  [ -n "$import" ] || { fail "arrows.txt: a line has fewer than five columns: $verdict $rule $folder"; continue; }
  number=${#rows[@]}
  file=zz_arrow_$number.go
  name=$(package_of "$folder")
  if [ "$kind" = test ]; then
    file=zz_arrow_${number}_test.go
    name=${name}_test
  fi
  path=$import
  if [[ $import == "$module"/* ]]; then
    leaf "${import#"$module"/}"
    path=$import/zzleaf
  fi
  mkdir -p "$copy/$folder"
  printf 'package %s\n\nimport _ "%s"\n' "$name" "$path" >"$copy/$folder/$file"
  rows+=("$verdict $rule $folder/$file $import")
done <"$here/arrows.txt"

# Exit code 1 means "issues found", which is what is wanted here; anything above is trouble.
code=0
(cd "$copy" && "$lint" run --config .golangci.yml --enable-only depguard --uniq-by-line=false --issues-exit-code 1 \
  --output.text.path stdout --output.text.print-issued-lines=false --output.text.colors=false ./...) >"$scratch/report" 2>"$scratch/errors" || code=$?
if [ "$code" -gt 1 ] || ! grep -q '(depguard)' "$scratch/report"; then
  cat "$scratch/report" "$scratch/errors" >&2
  fail "the linter did not run (exit code $code)"
  exit 1
fi

fired=()
for row in "${rows[@]}"; do
  read -r verdict rule file import <<<"$row"
  hit=no
  case $verdict in
    deny)
      if grep -F "$file:" "$scratch/report" >"$scratch/lines" && grep -qF "list '$rule'" "$scratch/lines"; then
        hit=yes
        fired+=("$rule")
      else
        fail "$rule does not refuse $import in $(dirname "$file")"
      fi
      ;;
    allow)
      if grep -qF "$file:" "$scratch/report"; then
        fail "$(dirname "$file") may import $import, but: $(grep -m 1 -F "$file:" "$scratch/report")"
      else
        hit=yes
      fi
      ;;
    *) fail "arrows.txt: unknown verdict $verdict" ;;
  esac
  printf '%-6s %-34s %-36s %-62s %s\n' "$verdict" "$rule" "$(dirname "$file")" "${import#"$module"/}" \
    "$([ $hit = yes ] && echo ok || echo FAILED)"
done

# Every rule is proven by a line at least, and every adapter has a rule.
while read -r rule; do
  [[ " ${fired[*]} " == *" $rule "* ]] || fail "rule $rule of .golangci.yml is not proven by a deny line in arrows.txt"
done < <(awk '/^    depguard:/ {on = 1} /^  exclusions:/ {on = 0} on && /^        [a-z-]+:$/ {sub(":", ""); print $1}' "$root/.golangci.yml")
while read -r folder; do
  name=${folder//\//-}
  grep -q "^        adapter${name#adapters}:\$" "$root/.golangci.yml" || fail "$folder has no rule adapter${name#adapters} in .golangci.yml"
done < <(cd "$root" && find adapters -name '*.go' -print | awk -F/ '$2 == "telemetry" {print $1 "/" $2; next} $3 == "internal" {print $1 "/" $2 "/" $3 "/" $4; next} {print $1 "/" $2 "/" $3}' | sort -u)

# The tree as it is breaks none.
if grep '(depguard)' "$scratch/report" | grep -v 'zz_arrow_' >"$scratch/real"; then
  fail "forbidden imports in the tree:"
  cat "$scratch/real" >&2
fi

# Generated code stays inside plugins/: Go's own rule for internal packages refuses it.
for folder in cmd/payrack adapters/outbound/providers core/app; do
  mkdir -p "$copy/$folder/zzwire"
  printf 'package zzwire\n\nimport _ "%s/plugins/internal/wire/zzleaf"\n' "$module" >"$copy/$folder/zzwire/wire.go"
  if ! (cd "$copy" && go build "./$folder/zzwire") >"$scratch/lines" 2>&1 && grep -q 'use of internal package' "$scratch/lines"; then
    printf '%-6s %-34s %-36s %-62s ok\n' deny compiler "$folder" plugins/internal/wire
  else
    fail "the compiler lets $folder import plugins/internal/wire"
  fi
done

if [ "$failures" -gt 0 ]; then
  printf 'arrows: %d failures\n' "$failures" >&2
  exit 1
fi
printf 'arrows: %d imports tried, every rule fires, the tree breaks none\n' $((${#rows[@]} + 3))
