#!/bin/sh
# sdk-test.sh PAYRACK CHECKOUT
#
# Shows that a provider can be added without a line written by hand and without a change of payrack: it makes a
# provider outside the repository, builds it, proves it with the conformance kit, installs it into a running
# `payrack dev`, and pays and searches through it over HTTP. PAYRACK is the binary, CHECKOUT this tree.
# The project resolves the SDK by a replace to CHECKOUT; other modules come from the module cache or proxy.
# POSIX sh, coreutils, sed and curl. Everything that was started ends with the script.
set -eu

payrack=$1
checkout=$2
go=${GO:-go}
name=sdktest
type=SDKTEST_PAY
export CGO_ENABLED=0 GOFLAGS=-mod=mod GOWORK=off

if ! command -v curl >/dev/null; then
  echo "make sdk-test: curl is missing" >&2
  exit 1
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/sdk.XXXXXX")
dev= gateway= step=0
began=$(date +%s)

# end_process PID: asks, waits, and only then kills.
end_process() {
  [ -n "$1" ] && kill -0 "$1" 2>/dev/null || return 0
  kill "$1" 2>/dev/null || return 0
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    kill -0 "$1" 2>/dev/null || return 0
    sleep 0.5
  done
  kill -9 "$1" 2>/dev/null || true
}

finish() {
  code=$?
  trap - EXIT INT TERM
  if [ "$code" -ne 0 ]; then
    echo "sdk-test failed in step $step" >&2
    for log in "$work"/*.log; do
      [ -s "$log" ] && { echo "--- $(basename "$log")"; tail -20 "$log"; } >&2
    done
  fi
  end_process "$dev"
  end_process "$gateway"
  rm -rf "$work"
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

say() {
  step=$((step + 1))
  printf '%2d  %4ss  %s\n' "$step" "$(($(date +%s) - began))" "$1"
}

# member FILE NAME: a text member at the top of a JSON object.
member() {
  tr -d '\n' <"$1" | sed -n 's/.*"'"$2"'"[[:space:]]*:[[:space:]]*"\([^"]*\)".*/\1/p'
}

# await SECONDS WHAT COMMAND...
await() {
  seconds=$1 what=$2
  shift 2
  waited=0
  until "$@" >/dev/null 2>&1; do
    if [ "$waited" -ge "$((seconds * 4))" ]; then
      echo "waited $seconds s for $what" >&2
      return 1
    fi
    waited=$((waited + 1))
    sleep 0.25
  done
}

# Where the project is made: any folder that is not below the checkout.
case $(cd "$work" && pwd -P)/ in
"$(cd "$checkout" && pwd -P)"/*)
  echo "make sdk-test: $work lies in the checkout; set TMPDIR to another place" >&2
  exit 1
  ;;
esac

say "payrack plugin new $name"
project=$work/payrack-provider-$name
# A port below those that the system gives to connections: one of these could take it before the gateway does.
port=$((10000 + $$ % 20000))
"$payrack" plugin new "$name" --module "example.com/$name" --sdk "$checkout" --dir "$project" --fake-gateway "127.0.0.1:$port" >"$work/new.log"

say "build: one static file"
(cd "$project" && make --no-print-directory build GO="$go") >"$work/build.log" 2>&1
binary=$project/bin/payrack-provider-$name
written=$(cat "$project"/*.go "$project"/fakegateway/*.go "$project"/fakegateway/cmd/*.go | grep -vcE '^[[:space:]]*(//.*)?$')

say "test: unit tests and the conformance kit"
(cd "$project" && "$go" test -count=1 ./...) >"$work/test.log" 2>&1

say "payrack plugin verify"
"$payrack" plugin verify "$binary" --config "$project/conformance.json" --report "$work/report.json" >"$work/verify.log" 2>&1
tail -1 "$work/verify.log" | sed 's/^/           /'

say "the project's fake gateway"
(cd "$project" && "$go" build -o bin/fakegateway ./fakegateway/cmd) >"$work/gateway-build.log" 2>&1
"$project/bin/fakegateway" >"$work/gateway.log" 2>&1 &
gateway=$!
await 20 "the fake gateway" grep -q 'serves on' "$work/gateway.log"

say "payrack dev, told where that gateway is"
"$payrack" dev --gateway "$name=$(sed -n 's/.*serves on //p' "$work/gateway.log")" --data "$work/data" --http 127.0.0.1:0 --admin 127.0.0.1:0 --sandbox 127.0.0.1:0 --plugins "$checkout/bin/plugins" >"$work/dev.log" 2>&1 &
dev=$!
await 60 "payrack dev" test -s "$work/data/dev.json"
url=$(member "$work/data/dev.json" http_url)
client=$(member "$work/data/dev.json" client_id)
PAYRACK_CLIENT_SECRET=$(member "$work/data/dev.json" client_secret)
PAYRACK_ADMIN_URL=$(member "$work/data/dev.json" admin_url)
PAYRACK_ADMIN_TOKEN=$(member "$work/data/dev.json" admin_token)
export PAYRACK_CLIENT_SECRET PAYRACK_ADMIN_URL PAYRACK_ADMIN_TOKEN

say "install and activate, into the running platform"
"$payrack" plugin install "$binary" -o json >"$work/installed.json" 2>"$work/install.log"
"$payrack" plugin activate "$name" "$(member "$work/installed.json" version)" -o json >"$work/active.json" 2>"$work/activate.log"

say "credential set of a store"
sed -n 's/^credential set: //p' "$work/gateway.log" |
  "$payrack" credential add --company dev --store 1 --type "$type" --environment test >"$work/credential.log" 2>&1

token=$("$payrack" token --url "$url" --client-id "$client" 2>"$work/token.log")

# integrate PATH BODY FILE: a call of the public API as a till makes it.
integrate() {
  curl -sS --max-time 30 -o "$3" -w '%{http_code}' -X POST "$url$1" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d "$2"
}

order=SDK-$$-$began
say "pay $order: 229 TWD over HTTP"
status=$(integrate /v1/payment/integrate/pay \
  '{"type":"'$type'","store_id":"1","is_test":true,"request":{"order_no":"'"$order"'","amount":229,"currency":"TWD","code":"381234567890123456"}}' "$work/pay.json")
if [ "$status" != 200 ] || ! grep -q '"code":"0000"' "$work/pay.json" || ! grep -q "$order" "$work/pay.json"; then
  echo "the payment was answered $status $(cat "$work/pay.json")" >&2
  exit 1
fi
sed 's/^/           /' "$work/pay.json"
echo

say "search for it over HTTP"
status=$(integrate /v1/payment/integrate/search \
  '{"type":"'$type'","store_id":"1","is_test":true,"request":{"order_no":"'"$order"'"}}' "$work/search.json")
if [ "$status" != 200 ] || ! grep -q '"amount":229' "$work/search.json" || ! grep -q "$order" "$work/search.json"; then
  echo "the search was answered $status $(cat "$work/search.json")" >&2
  exit 1
fi

say "stop"
end_process "$dev"
end_process "$gateway"
dev= gateway=
printf 'lines written by hand: 0 (the scaffold wrote %s)\nseconds: %s\n' "$written" "$(($(date +%s) - began))"
