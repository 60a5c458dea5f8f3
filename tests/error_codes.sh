#!/usr/bin/env bash
# Holds docs/errors.md to the source: it names every code, with its retry class and HTTP status, and no other.

set -euo pipefail
cd "$(dirname "$0")/.."

told() {
  sed -nE 's/^\| `([a-z_]+)` \|.*\| `([a-z]+)` \| ([0-9]+) \|$/\1 \2 \3/p' docs/errors.md
}

made() {
  sed -nE 's/^    [A-Za-z]+ = "([a-z_]+)", ([A-Za-z]+), ([0-9]+);$/\1 \L\2 \3/p' protocol/src/error.rs
}

if [ "$(made | wc -l)" -lt 30 ]; then
  echo "protocol/src/error.rs: the codes are not written as this script reads them" >&2
  exit 1
fi
if ! diff <(made | sort) <(told | sort); then
  echo "docs/errors.md (>) is not what protocol/src/error.rs says (<)" >&2
  exit 1
fi
