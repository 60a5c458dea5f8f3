#!/usr/bin/env bash
# A private PostgreSQL on a free port of 127.0.0.1, in a directory that goes with it.
#
#   postgres.sh install       Debian's packages, if they are missing
#   postgres.sh run [--tls CERT KEY] [NAME=VALUE…]
#                             a server with these settings, until the standard input ends
#
# `run` prints the server's URL when it takes connections. Then it reads commands, a line each,
# and answers each with a line, `ok` or what went wrong:
#
#   crash   ends the server at once, as a power cut would for what is only in its memory
#   start   starts it again on the same directory and port
#   pause   stops all its processes where they are
#   resume  lets them go on
#
# The input ends with the program that holds its other end, however that ends; so no server is
# left behind by a test that was killed. Debian's own cluster is never touched.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

find_bin() {
  local found
  found=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1) && [ -n "$found" ] ||
    found=$(dirname "$(command -v initdb 2>/dev/null)")
  [ ! -x "$found/initdb" ] || echo "$found"
}

install() {
  [ -z "$(find_bin)" ] || return 0
  # No cluster of the system's when the package comes in.
  as_root mkdir -p /etc/postgresql-common/createcluster.d
  echo 'create_main_cluster = false' |
    as_root tee /etc/postgresql-common/createcluster.d/no-cluster.conf >/dev/null
  install_packages postgresql
  [ -n "$(find_bin)" ] || die "there is no initdb after the installation"
}

# The server refuses to run as root. The command takes the place of this shell.
as_server() {
  if [ "$(id -u)" = 0 ]; then
    exec setpriv --reuid=postgres --regid=postgres --clear-groups env HOME="$dir" "$@"
  else
    exec "$@"
  fi
}

initialise() {
  chmod 700 "$dir"
  [ "$(id -u)" != 0 ] || chown postgres: "$dir"
  # What initdb writes need not survive a power cut; what the server writes must.
  (as_server "$bin/initdb" -D "$dir/data" -U syncline -A trust -E UTF8 --locale=C --no-sync) \
    >"$dir.log" 2>&1 || {
    cat "$dir.log" >&2
    die "initdb failed"
  }
}

# Starts the server and waits until it takes connections. Fails if it ends before.
start() {
  # Should this shell be killed, the server is told to end.
  (as_server setpriv --pdeathsig INT "$bin/postgres" -D "$dir/data" -p "$port" \
    -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
    -c fsync=on -c full_page_writes=on \
    -c max_connections=200 -c shared_buffers=128MB "${settings[@]}") \
    </dev/null >>"$dir.log" 2>&1 &
  server=$!
  for _ in $(seq 1200); do
    ! "$bin/pg_isready" -q -h 127.0.0.1 -p "$port" -U syncline -d postgres || return 0
    kill -0 "$server" 2>/dev/null || break
    sleep 0.05
  done
  return 1
}

# signal_all NAME: to the server and the processes it has.
signal_all() {
  kill "-$1" "$server" $(pgrep -P "$server")
}

end() {
  [ -n "${server:-}" ] || return 0
  signal_all CONT 2>/dev/null || true
  # QUIT is `pg_ctl stop -m immediate`.
  kill -QUIT "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=
}

clean_up() {
  end
  rm -rf "$dir" "$dir.log"
}

# use_tls CERT KEY: the server takes a key only if nobody else can read it.
use_tls() {
  local owner=()
  [ "$(id -u)" != 0 ] || owner=(-o postgres)
  install_file -m 644 "${owner[@]}" "$1" "$dir/tls.crt"
  install_file -m 600 "${owner[@]}" "$2" "$dir/tls.key"
  settings+=(-c ssl=on -c "ssl_cert_file=$dir/tls.crt" -c "ssl_key_file=$dir/tls.key")
}

# The program of that name; `install` is ours here.
install_file() { command install "$@"; }

run() {
  local tls=()
  if [ "${1:-}" = --tls ]; then
    tls=("$2" "$3")
    shift 3
  fi
  settings=()
  for setting in "$@"; do settings+=(-c "$setting"); done
  install
  bin=$(find_bin)
  dir=$(mktemp -d "${TMPDIR:-/tmp}/syncline-postgres.XXXXXX")
  trap clean_up EXIT
  trap 'exit 143' TERM INT HUP
  initialise
  [ ${#tls[@]} = 0 ] || use_tls "${tls[@]}"
  start_somewhere "$dir.log"
  echo "postgres://syncline@127.0.0.1:$port/postgres"
  obey
}

case "${1:-}" in
  install) install ;;
  run) shift && run "$@" ;;
  *) die "usage: $0 install | run [--tls CERT KEY] [NAME=VALUE…]" ;;
esac
