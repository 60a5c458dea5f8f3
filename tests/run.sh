#!/usr/bin/env bash
# Runs the stages one after another, says how long each took, and fails if any failed.
#
#   tests/run.sh                  set-up, lint, rust, autobahn, client, chart
#   tests/run.sh --fast [FILTER]  set-up, rust (only tests whose name holds FILTER)
#
# Needs nothing but PATH, HOME and 12,000 open files in a process. All stages together may take an hour.

set -uo pipefail
cd "$(dirname "$0")/.."

source tests/needs.sh

LIMIT_S=3600
LOGS=target/test-logs

fast=false
filter=()
if [ "${1:-}" = --fast ]; then
  fast=true
  shift
  filter=("$@")
fi

# Cargo is often installed where only a login shell looks.
if ! command -v cargo >/dev/null && [ -x "${HOME:-}/.cargo/bin/cargo" ]; then
  PATH="$HOME/.cargo/bin:$PATH"
fi

set_up() {
  if ! command -v cargo >/dev/null; then
    echo "cargo is missing: install Rust (the version is in rust-toolchain.toml)"
    return 1
  fi
  cargo --version || return 1
  if ! command -v cc >/dev/null; then
    install build-essential || return 1
  fi
  cc --version | head -n 1
  # Here and not in the tests, which would do it all at once.
  tests/services/postgres.sh install && tests/services/nats.sh install &&
    tests/services/cassandra.sh install
}

lint() {
  tests/error_codes.sh && cargo fmt --all --check &&
    cargo clippy --workspace --all-targets --locked -- -D warnings
}

rust() {
  # Two thousand devices that come back at once, with the hub in one process.
  local FILES_MIN=12000
  ulimit -Sn "$(ulimit -Hn)"
  if [ "$(ulimit -n)" != unlimited ] && [ "$(ulimit -n)" -lt "$FILES_MIN" ]; then
    echo "the tests need $FILES_MIN open files in a process, and may have $(ulimit -n): see ulimit -Hn"
    return 1
  fi
  cargo test --workspace --locked --no-fail-fast -- "$@"
}

autobahn() {
  if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    install python3 python3-venv || return 1
  fi
  tests/autobahn/run.sh
}

client() {
  need_node || return 1
  export CHROMIUM=${CHROMIUM:-/usr/bin/chromium}
  [ -x "$CHROMIUM" ] || install chromium || return 1
  # The one that the rust stage built.
  cargo build --workspace --locked --bin hub-under-test &&
    cd client && export NO_COLOR=1 && npm ci && npm run lint &&
    # The second looks at what the first has built.
    npm run size && node ../tests/served_app.mjs && npm test
}

# The chart without a cluster; with one it is `make test-chart`.
chart() {
  tests/chart/run.sh
}

names=() results=() times=()
failed=0

# Runs a stage with what is left of the time; its output is shown and kept.
stage() {
  local name=$1 began=$SECONDS left=$((LIMIT_S - SECONDS)) code
  shift
  echo "== $name"
  # A shell of its own, so that `timeout` can end it with all it started.
  export -f set_up lint rust autobahn client chart
  if ((left > 0)); then
    timeout --kill-after=10 "$left" bash -uo pipefail -c '"$@"' stage "$@" 2>&1 |
      tee "$LOGS/$name.log"
    code=${PIPESTATUS[0]}
  else
    code=124
  fi
  case $code in
    0) results+=(ok) ;;
    124 | 137) results+=("out of time") ;;
    *) results+=("failed ($code)") ;;
  esac
  ((code == 0)) || failed=1
  names+=("$name")
  times+=($((SECONDS - began)))
  echo "== $name: ${results[-1]}, ${times[-1]} s"
  return "$code"
}

summary() {
  echo
  printf '%-10s %8s  %s\n' stage seconds result
  local at
  for at in "${!names[@]}"; do
    printf '%-10s %8s  %s\n' "${names[at]}" "${times[at]}" "${results[at]}"
  done
  printf '%-10s %8s  %s\n' all "$SECONDS" "$([ "$failed" = 0 ] && echo ok || echo failed)"
  # The runners' own last words.
  [ ! -f "$LOGS/rust.log" ] || grep -E '^(test result:|error: )|^test .* FAILED$' "$LOGS/rust.log"
  # The conformance suite and what else an engine is tried with are tests like others: built with
  # them, they cost half a minute and no second build.
  for engine in sqlite postgres cassandra; do
    [ ! -f "$LOGS/rust.log" ] || printf 'engine %s: %s tests ok, %s failed\n' "$engine" \
      "$(grep -cE "^test $engine::.* ok$" "$LOGS/rust.log")" \
      "$(grep -cE "^test $engine::.* FAILED$" "$LOGS/rust.log")"
  done
  [ ! -f "$LOGS/autobahn.log" ] || grep '^autobahn: ' "$LOGS/autobahn.log"
  [ ! -f "$LOGS/client.log" ] || grep -E '^ *(Test Files|Tests) |gzipped|^cold start' "$LOGS/client.log"
  [ ! -f "$LOGS/chart.log" ] || grep -E '^(Ran [0-9]+ tests|chart: )' "$LOGS/chart.log"
}

rm -rf "$LOGS"
mkdir -p "$LOGS"
export PATH
if stage set-up set_up; then
  $fast || stage lint lint
  stage rust rust "${filter[@]}"
  $fast || stage autobahn autobahn
  $fast || stage client client
  $fast || stage chart chart
fi
summary
exit "$failed"
