#!/usr/bin/env bash
# The image without an engine to build it: the Dockerfile and the compose file are read as Docker reads
# them, and the build's own steps are taken twice, in a directory with nothing but the build's context
# and no variables but the machine's. These are two release builds from nothing.

set -euo pipefail
cd "$(dirname "$0")/../.."

tests/chart/tools.sh chart
tests/chart/tools.sh image
tests/needs.sh go
(cd tests/image/compose && go build -o ../../../target/image/bin/compose .)

there=$(mktemp -d "${TMPDIR:-/tmp}/syncline-image.XXXXXX")
trap 'rm -rf "$there"' EXIT

# The context: what .dockerignore lets through of what is not ignored anyway.
mkdir "$there/src"
sed -n 's/^!//p' .dockerignore | xargs git ls-files --cached --others --exclude-standard -- |
  tar -cf - -T - | tar -xf - -C "$there/src"

# build OUT: from nothing.
build() {
  rm -rf "$there/src/target"
  (
    cd "$there/src"
    env -i PATH="$PATH" HOME="$HOME" ${CARGO_HOME:+CARGO_HOME="$CARGO_HOME"} \
      ${RUSTUP_HOME:+RUSTUP_HOME="$RUSTUP_HOME"} image/build.sh "$1"
  )
}
build "$there/first"
build "$there/second"

export FIRST=$there/first SECOND=$there/second HUB=$there/first/usr/bin/hub
PATH=$PWD/target/image/bin:$PWD/target/chart/bin:$PATH \
  target/chart/bin/python -B tests/chart/run.py tests/image "$@"
