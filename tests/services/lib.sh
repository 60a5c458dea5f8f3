# Shared by the scripts that run services for tests. Sourced, not run.
set -euo pipefail

die() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

# as_root COMMAND…: by sudo if we are not root.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# install_packages NAME…: from the distribution, without asking.
install_packages() {
  as_root apt-get update -qq >&2 &&
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends "$@" >&2
}

# port_taken PORT: somebody listens there.
port_taken() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# free_port: one nobody listens on now, below those the kernel gives to connections.
free_port() {
  local port
  for _ in $(seq 100); do
    port=$((20000 + RANDOM % 12000))
    port_taken "$port" || {
      echo "$port"
      return
    }
  done
  die "no free port"
}

# What follows is for scripts with functions `start`, which starts the server on $port and sets
# $server; `end`, which ends it at once and empties $server; and `signal_all NAME`.

# start_somewhere LOG: on a free port.
start_somewhere() {
  # Another program may take the port before the server does.
  for _ in 1 2 3 4 5; do
    port=$(free_port)
    ! start || break
    end
  done
  [ -n "$server" ] || {
    tail -n 20 "$1" >&2
    die "the server does not start"
  }
}

# stop_all: stops the server and the processes it has where they are. The signal is taken by one thread of
# each, and until that is run the others go on and answer; so they are all waited for.
stop_all() {
  signal_all STOP || return 1
  local _
  for _ in $(seq 1200); do
    ! all_stand || return 0
    sleep 0.05
  done
  return 1
}

all_stand() {
  local each
  for each in "$server" $(pgrep -P "$server"); do
    [ -z "$(grep -L '^State:.[TZ] (' "/proc/$each/task/"*/status 2>/dev/null)" ] || return 1
  done
}

# obey: commands from the standard input, a line each, until it ends. Each is answered by a line.
obey() {
  local command
  while read -r command; do
    case $command in
      crash) end && echo ok ;;
      start) start && echo ok || echo "it does not start" ;;
      pause) stop_all && echo ok || echo "it was not stopped" ;;
      resume) signal_all CONT && echo ok || echo "it does not go on" ;;
      *) echo "unknown: $command" ;;
    esac
  done
}
