#!/usr/bin/env bash
# The chart on a real API server with its controllers: installed, upgraded, rolled back, removed.
# There is no node, so what is looked at is what is admitted and reconciled; pods stay pending.
# Building the server takes minutes, once (tests/services/kube.sh).

set -euo pipefail
cd "$(dirname "$0")/../../.."

tests/chart/tools.sh chart
tests/services/kube.sh install

PATH=$PWD/target/chart/bin:$PATH exec target/chart/bin/python -B tests/chart/run.py tests/chart/cluster "$@"
