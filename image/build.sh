#!/usr/bin/env bash
# What the image holds, made below OUT: the program, its bill of materials, an empty data directory.
#
#   image/build.sh OUT
#
# The same sources at the same path give the same bytes: nothing of the machine, the time or the
# user goes in. The Dockerfile calls this, and so does its test.

set -euo pipefail
cd "$(dirname "$0")/.."

out=$(mkdir -p "$1" && cd "$1" && pwd)
home=${CARGO_HOME:-$HOME/.cargo}

export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0} CARGO_INCREMENTAL=0 LC_ALL=C TZ=UTC
# Where sources lay is of no use to who reads a backtrace.
export RUSTFLAGS="--remap-path-prefix=$PWD=/src --remap-path-prefix=$home=/cargo"
export CFLAGS="-ffile-prefix-map=$PWD=/src -ffile-prefix-map=$home=/cargo"
export CXXFLAGS=$CFLAGS

cargo build --release --locked --package syncline-hub --bin hub
mkdir -p "$out/usr/bin" "$out/usr/share/doc/hub" "$out/data"
cp "${CARGO_TARGET_DIR:-target}/release/hub" "$out/usr/bin/hub"
chmod 755 "$out/usr/bin/hub"
cargo tree --locked --package syncline-hub --edges normal,build --prefix none --format '{p}|{l}' \
  --target "$(rustc -vV | sed -n 's/^host: //p')" |
  python3 -B image/sbom.py Cargo.lock >"$out/usr/share/doc/hub/sbom.cdx.json"
cp LICENSE "$out/usr/share/doc/hub/LICENSE"
find "$out" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
