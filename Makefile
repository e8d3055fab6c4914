# streamgauge: everything a person or CI does. `make help` lists it.
# The work is in scripts/, which also run alone; this file names it.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run demo build dashboard test check lint fmt bench fuzz e2e faults chaos vanish upgrade clean

# Where cargo builds; the same default as cargo's own.
export CARGO_TARGET_DIR ?= $(CURDIR)/target

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Build everything and serve with conf/streamgauge.yaml (CONFIG=file for another)
	@exec $(CARGO_TARGET_DIR)/release/streamgauge up --config $(or $(CONFIG),conf/streamgauge.yaml)

demo: build ## Build everything and serve in front of four simulated replicas with traffic
	@exec scripts/demo.sh

build: dashboard ## Build the optimised binary, dashboard included
	@scripts/setup-build.sh
	cargo build --release --locked -p streamgauge

dashboard: ## Build the dashboard, when something in it changed
	@scripts/dashboard.sh

test: ## Install what the tests need and run all of them, as CI does
	@exec scripts/test.sh

check: ## The quick part of the tests: formats, lints, types, house rules
	@exec scripts/test.sh --quick

lint: ## Clippy and ESLint alone
	@scripts/setup-build.sh
	@scripts/dashboard.sh
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cd dashboard && npm run --silent lint

fmt: ## Format all code
	cargo fmt --all
	@scripts/dashboard.sh --install-only
	cd dashboard && npm run --silent format

bench: ## Run the micro-benchmarks
	@scripts/setup-build.sh
	cargo bench --locked -p benches

fuzz: ## Run every fuzz target of the observer (FOR=60 seconds each)
	@exec scripts/fuzz.sh $(or $(FOR),60)

e2e: build ## Drive streamgauge in front of llama-server and vLLM with the official clients
	STREAMGAUGE_BIN=$(CARGO_TARGET_DIR)/release/streamgauge scripts/e2e/run.sh

faults: build ## Break the ledger's disk and kill the proxy under load, and print what was lost (ten minutes)
	STREAMGAUGE_BIN=$(CARGO_TARGET_DIR)/release/streamgauge scripts/faults.sh

chaos: ## Kill, hang, reset, slow and restart replicas for two minutes at 200 requests a second
	@exec scripts/chaos.sh

vanish: build ## Take the network of a replica away under load, and print what clients and records saw
	STREAMGAUGE_BIN=$(CARGO_TARGET_DIR)/release/streamgauge scripts/vanish.sh

upgrade: build ## Replace the proxy under load, and print what clients and records saw
	STREAMGAUGE_BIN=$(CARGO_TARGET_DIR)/release/streamgauge scripts/upgrade.sh

clean: ## Remove what was built; data/ stays
	cargo clean
	rm -rf dashboard/dist dashboard/node_modules
