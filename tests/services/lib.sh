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
