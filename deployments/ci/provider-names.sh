#!/usr/bin/env bash
# No provider's name stands in core, ports or adapters: a new provider changes nothing there. The words looked for come
# from plugins/providers itself (folder names, and the payment types and labels that the providers declare), in any
# case and with any separator, in code, SQL and embedded documents; guides, tests and contract suites may give examples.
set -euo pipefail

cd "$(dirname "$0")/../.."
rooms=(core ports adapters)
failures=0
fail() { printf 'provider-names: %s\n' "$*" >&2; failures=$((failures + 1)); }

words() {
  find plugins/providers -mindepth 1 -maxdepth 1 -type d -exec basename {} \;
  # Upper-case texts such as "LINE_PAY" or "IPASS_OFFLINE_PAY" in the providers' own code.
  find plugins/providers -name '*.go' ! -name '*_test.go' -exec grep -ohE '"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*_PAY"' {} + | tr -d '"'
}
# An underscore stands for any separator or none: LINE_PAY, line-pay, LinePay and linepay are one word.
pattern=$(words | tr '[:upper:]' '[:lower:]' | sort -u | sed -e 's/_/[ _-]?/g' | paste -sd '|' -)
[ -n "$pattern" ] || { fail "no provider found in plugins/providers"; exit 1; }

search() { grep -rniE --include='*.go' --include='*.sql' --include='*.json' --include='*.yaml' --include='*.html' --exclude='*_test.go' --exclude-dir=testdata --exclude-dir=inboundtest --exclude-dir=outboundtest -- "$pattern" "$@"; }

# Positive control: the same search finds each kind of spelling where one was put.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
planted=('case "linepay":' '// asks iPASS first' 'LINE_QRCODE_PAY' 'type LinePay struct{}' '/v1/payment/ipass/offline/pay')
for i in "${!planted[@]}"; do
  printf 'package planted\n\n%s\n' "${planted[$i]}" >"$scratch/planted_$i.go"
done
cp "$scratch/planted_0.go" "$scratch/planted_0_test.go"
search "$scratch" >"$scratch/control" || true
for i in "${!planted[@]}"; do
  grep -q "planted_$i.go:3:" "$scratch/control" || fail "the search does not find: ${planted[$i]}"
done
if grep -q planted_0_test.go "$scratch/control"; then fail "the search looks into tests"; fi

files=$(find "${rooms[@]}" -name '*.go' ! -name '*_test.go' | wc -l)
[ "$files" -gt 0 ] || fail "nothing to search in ${rooms[*]}"
if search "${rooms[@]}" >"$scratch/found"; then
  fail "a provider is named outside plugins/:"
  cat "$scratch/found" >&2
fi

if [ "$failures" -gt 0 ]; then exit 1; fi
printf 'provider-names: %d files of %s name no provider (looked for %s)\n' "$files" "${rooms[*]}" "$pattern"
