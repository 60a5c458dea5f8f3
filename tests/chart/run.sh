#!/usr/bin/env bash
# Tests of the chart in helm/, without a cluster: what it renders, what it refuses, and whether the
# hub takes it. HUB names the program; otherwise the one of the Rust tests is built and taken.

set -euo pipefail
cd "$(dirname "$0")/../.."

export HUB=${HUB:-}
if [ -z "$HUB" ]; then
  cargo build --workspace --locked --bin hub-under-test
  HUB=${CARGO_TARGET_DIR:-target}/debug/hub-under-test
fi
HUB=$(readlink -f "$HUB")

tests/chart/tools.sh chart
tests/services/nats.sh install
tests/services/postgres.sh install

# -B: no compiled files beside the sources.
PATH=$PWD/target/chart/bin:$PATH exec target/chart/bin/python -B tests/chart/run.py tests/chart "$@"
