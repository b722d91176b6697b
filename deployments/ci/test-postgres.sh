#!/bin/sh
# Runs every package whose tests can use PostgreSQL, with a server that must be there. Set PAYRACK_TEST_POSTGRES
# to the URL of a server on which databases may be created to use that one; otherwise a temporary one is started.
set -eu

go=${GO:-go}
here=$(dirname "$0")

# PACKAGES names them by hand.
packages=${PACKAGES:-$(grep -rl --include="*_test.go" PAYRACK_TEST_POSTGRES adapters cmd core ports 2>/dev/null | xargs -r -n1 dirname | sort -u | sed "s|^|./|")}
if [ -z "$packages" ]; then
  echo "test-postgres: no test reads PAYRACK_TEST_POSTGRES" >&2
  exit 1
fi

if [ -z "${PAYRACK_TEST_POSTGRES:-}" ]; then
  # A folder of its own: a server that somebody started by hand stays as it is.
  export PAYRACK_POSTGRES_DIR="${TMPDIR:-/tmp}/payrack-test-postgres-$$"
  # The trap is set before the start, so that half a start is cleaned up too.
  trap '"$here/postgres.sh" stop >&2' EXIT
  trap 'exit 130' INT TERM
  "$here/postgres.sh" start >&2
  PAYRACK_TEST_POSTGRES=$("$here/postgres.sh" url)
  export PAYRACK_TEST_POSTGRES
fi

# What leads a provider, not a database, through its cases: make test runs it on SQLite.
skip='^(TestReturnCodes|TestUndocumentedCodes|TestRandomOrders|TestRandomOrdersFindAMistake|TestForeignClient|TestLineSignature|TestSignatures'
skip="$skip|TestSeedPreapproved.*|TestMandate.*|TestCallback.*|TestFollowUps|TestNeutralFollowUps|TestIPass.*|TestNewProviderAtRunTime|TestReportsAreDemanded"
skip="$skip|TestPaymentCommands|TestSwapUnderLoad|TestCanary|TestBadCanaryIsRolledBack|TestDisabledProvider|TestOpenPaymentsOutliveReleases)\$"

# -count=1: an answer from the cache says nothing about this server.
# shellcheck disable=SC2086 # flags and packages are words
# The folder is this script's own matter: a program under test would take it for a mistake in its configuration.
env -u PAYRACK_POSTGRES_DIR PAYRACK_REQUIRE_POSTGRES=1 $go test -count=1 -skip "$skip" ${TEST_FLAGS:-} $packages
