#!/bin/sh
# A PostgreSQL server for tests: a temporary cluster on the loopback, with fsync on, owned by whoever calls.
#
#   postgres.sh start   starts it, installing Debian's postgresql if there is none
#   postgres.sh url     prints its URL
#   postgres.sh stop    stops it and removes its files; also after half a start
#
# PAYRACK_POSTGRES_DIR names its folder; by default one in the temporary folder that belongs to this checkout.
set -eu

checkout=$(cd "$(dirname "$0")/../.." && pwd)
dir=${PAYRACK_POSTGRES_DIR:-${TMPDIR:-/tmp}/payrack-postgres-$(id -u)-$(printf %s "$checkout" | cksum | cut -d' ' -f1)}

fail() {
  echo "postgres.sh: $*" >&2
  exit 1
}

# The folder of initdb and pg_ctl, the newest version first.
find_bin() {
  for candidate in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5 -n -r); do
    if [ -x "$candidate/initdb" ] && [ -x "$candidate/pg_ctl" ]; then
      echo "$candidate"
      return
    fi
  done
  if command -v initdb >/dev/null && command -v pg_ctl >/dev/null; then
    dirname "$(command -v initdb)"
  fi
}

# PostgreSQL refuses to run as root: then it runs as the package's own user.
as_owner() {
  if [ "$(id -u)" = 0 ]; then
    setpriv --reuid=postgres --regid=postgres --init-groups env HOME="$dir" "$@"
  else
    "$@"
  fi
}

install_server() {
  command -v apt-get >/dev/null || fail "there is no PostgreSQL server and no apt-get to install one"
  sudo=
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail "installing PostgreSQL needs root"
    sudo="sudo -n"
  fi
  echo "postgres.sh: installing postgresql" >&2
  # No cluster of the package's own: this one is enough.
  $sudo mkdir -p /etc/postgresql-common
  [ -e /etc/postgresql-common/createcluster.conf ] ||
    echo "create_main_cluster = false" | $sudo tee /etc/postgresql-common/createcluster.conf >/dev/null
  # The package lists may be old or missing.
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql >&2 ||
    { $sudo apt-get update >&2 && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql >&2; } ||
    fail "postgresql could not be installed"
}

# Removes the folder, and nothing that is not ours.
clean() {
  if [ -d "$dir/data" ] || [ ! -e "$dir" ]; then
    rm -rf "$dir"
  else
    rmdir "$dir" 2>/dev/null || fail "$dir holds something else; it is left as it is"
  fi
}

running() { [ -n "$bin" ] && [ -f "$dir/data/PG_VERSION" ] && as_owner "$bin/pg_ctl" -D "$dir/data" status >/dev/null 2>&1; }

start() {
  if [ -z "$bin" ]; then
    install_server
    bin=$(find_bin)
    [ -n "$bin" ] || fail "initdb and pg_ctl are not there after the installation"
  fi
  if running; then
    return
  fi
  clean
  mkdir -m 700 "$dir"
  mkdir -m 700 "$dir/data" "$dir/run"
  if [ "$(id -u)" = 0 ]; then
    chown -R postgres:postgres "$dir"
  fi
  as_owner "$bin/initdb" -D "$dir/data" -U payrack --auth=trust -E UTF8 --locale=C.UTF-8 >"$dir/initdb.log" 2>&1 ||
    { cat "$dir/initdb.log" >&2; fail "initdb failed"; }
  # A free port cannot be reserved from here, so a few are tried.
  port=$((20000 + $$ % 20000))
  for _ in 1 2 3 4 5 6 7 8; do
    if as_owner "$bin/pg_ctl" -D "$dir/data" -w -t 60 -l "$dir/server.log" \
      -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$dir/run -c max_connections=400 -c fsync=on" \
      start >/dev/null 2>&1; then
      echo "postgres://payrack@127.0.0.1:$port/postgres?sslmode=disable" >"$dir/url"
      return
    fi
    port=$((port + 997))
  done
  cat "$dir/server.log" >&2
  fail "the server did not start"
}

stop() {
  if running; then
    as_owner "$bin/pg_ctl" -D "$dir/data" -w -m fast stop >/dev/null 2>&1 ||
      as_owner "$bin/pg_ctl" -D "$dir/data" -w -m immediate stop >/dev/null
  fi
  clean
}

bin=$(find_bin)
case ${1:-} in
  start) start ;;
  stop) stop ;;
  url) cat "$dir/url" 2>/dev/null || fail "the server was not started" ;;
  *) fail "usage: postgres.sh start|stop|url" ;;
esac
