#!/usr/bin/env bash
# Builds what the cases run against, sets the runner up under target/, and runs the cases.
# Needs cargo and a Python 3 that can make virtual environments; `tests/run.sh` sees to both.

set -euo pipefail
cd "$(dirname "$0")/../.."

venv=target/autobahn
wanted=tests/autobahn/requirements.txt

cargo build --workspace --locked --bin ws-echo --bin hub-under-test

# The copy is the last thing made, so a set-up that was cut short is done again.
if ! cmp -s "$wanted" "$venv/installed.txt"; then
  python3 -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check \
    --require-hashes --only-binary :all: -r "$wanted"
  cp "$wanted" "$venv/installed.txt"
fi

# -B: no compiled files beside the sources.
exec "$venv/bin/python" -B tests/autobahn/run.py "${CARGO_TARGET_DIR:-target}/debug"
