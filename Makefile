# The few commands of this repository. Everything they do is in the scripts they call.

# Cargo is often installed where only a login shell looks.
export PATH := $(PATH):$(HOME)/.cargo/bin

.PHONY: run print-web-dir demo test test-fast autobahn client chart test-chart audit-chart test-image sim fmt lint bench-http bench-sockets bench-cluster bench-storage bench-compute bench-client

# Build and start the hub on SQLite (./data) with the development issuer and the demo app.
run print-web-dir: export HUB__WEB__DIR := $(or $(HUB__WEB__DIR),client/demo/dist)
run: demo
	cargo run --release --locked -p syncline-hub --bin hub -- serve --dev --config $(or $(wildcard hub.toml),client/demo/hub.toml)

# Where `run` has the hub look for the app, for the test that looks there too.
print-web-dir:
	@echo $(HUB__WEB__DIR)

# Build the Todo app into client/demo/dist. Needs Node.js 20.19.
demo:
	tests/needs.sh node
	cd client && npm ci --silent && npm run --silent build --workspace demo

# Everything: formatting, lints, all tests, the Autobahn cases.
test:
	tests/run.sh

# Tests only; T=name runs those whose name holds it.
test-fast:
	tests/run.sh --fast $(T)

# The Autobahn cases alone, against an echo over the hub's WebSocket framing and the hub itself.
autobahn:
	tests/autobahn/run.sh

# The TypeScript client alone: lint, size, tests against a real hub. Needs Node.js 20.19 and Chromium.
client: export CHROMIUM := $(or $(CHROMIUM),/usr/bin/chromium)
client:
	cargo build --workspace --locked --bin hub-under-test
	cd client && npm ci && npm run lint && npm run size && npm test

# The chart alone, without a cluster: what it renders, what it refuses, whether the hub takes it.
chart:
	tests/chart/run.sh

# The chart on a real API server: installed, upgraded, rolled back and removed with every values file.
# Pods stay pending, since there is no node. Builds the server once, which takes minutes and Go.
test-chart:
	tests/chart/cluster/run.sh

# What checkov finds in the rendered chart. Nothing may be left but what is excused where it is skipped.
audit-chart:
	tests/chart/audit.sh

# The Dockerfile and compose.yaml, read as Docker reads them, and the build's steps in a clean directory,
# twice. No engine is needed; Go is.
test-image:
	tests/image/run.sh

# The simulation alone: SEEDS seeds (16,000 by default) from SEED on. A failing seed prints how to
# replay it: SIM_SEED=n SIM_TRACE=1 make sim tells one line by line.
sim: export SIM_SEEDS := $(or $(SEEDS),$(SIM_SEEDS),16000)
sim: export SIM_SEED := $(or $(SEED),$(SIM_SEED),0)
sim:
	cargo test --workspace --locked --test it whatever_happens -- --nocapture

fmt:
	cargo fmt --all

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

# Figures of a real hub over loopback; nothing in `make test` waits for them.
bench-http:
	cargo build --release --locked -p syncline-hub -p syncline-chaos
	target/release/bench-http --hub target/release/hub

# What sockets cost: bytes at rest, opening, pings, fan-out, pushes. Takes some minutes and 20,000 files.
bench-sockets:
	cargo build --release --locked -p syncline-hub -p syncline-chaos
	target/release/bench-sockets --hub target/release/hub

# Three hubs on one Postgres and one NATS server: delays between them, writers that contend.
bench-cluster:
	cargo build --release --locked -p syncline-hub -p syncline-chaos
	target/release/bench-cluster --hub target/release/hub
	target/release/bench-cluster --hub target/release/hub --store cassandra --only contention
	target/release/bench-cluster --hub target/release/hub --store sqlite --only contention

# What the stores do a second, beside one insert a change: SQLite, and of its own each a Postgres, a Cassandra with its
# default log sync, and one with `commitlog_sync: batch`.
bench-storage:
	cargo build --release --locked -p syncline-chaos --bin bench-storage
	target/release/bench-storage

# What the TypeScript client costs in Chromium, beside its goals, and what it weighs.
bench-client:
	cargo build --release --locked -p syncline-hub
	cd client && npm ci --silent && HUB=$(CURDIR)/target/release/hub npm run --silent bench

# Expansions of recurrences on one core, beside the bare rrule crate and, where Node is, rrule.js; then
# jobs a second on SQLite and on a Postgres of its own; the lag of reminders on a hub; pushes, encrypted on one core
# and delivered by a hub. One of them alone: `target/release/bench-compute --only push`.
RRULE_JS := chaos/src/bin/bench-compute/rrule-js
bench-compute:
	cargo build --release --locked -p syncline-hub -p syncline-chaos --bin hub --bin bench-compute
	if command -v npm >/dev/null; then \
	  npm ci --silent --prefix $(RRULE_JS) && \
	  target/release/bench-compute --rrule-js $(RRULE_JS)/measure.js; \
	else target/release/bench-compute; fi
