# `make demo` runs the main job; `make test` runs everything that CI runs. Both set up what they need.
# `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
DEMO := examples/guestbook
STACKWRIGHT := target/debug/stackwright

.PHONY: help
help: ## Lists the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 18

.PHONY: setup
setup: ## Checks that a Rust toolchain and a C compiler are there, and says how to get them.
	@tests/setup.sh

.PHONY: build
build: setup ## Builds the library, the program `stackwright` and the examples.
	$(CARGO) everything

.PHONY: demo
demo: build ## Brings up the guestbook on this machine and prints its address.
	@examples/guestbook/demo.sh up

.PHONY: demo-down
demo-down: build ## Takes the guestbook down again: no process, file or row is left.
	@examples/guestbook/demo.sh down

.PHONY: test
test: setup lint unit bindings doc plans demo-test app-store-test crash-test ## Runs everything that CI runs.

.PHONY: lint
lint: ## Formatting and clippy, warnings are errors.
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --quiet -- -D warnings

# The same cases every time; `make unit SEED=` draws new ones.
SEED ?= 20261121

.PHONY: unit
unit: ## Unit, property, literate, conformance and crash tests.
	$(if $(SEED),PROPTEST_RNG_SEED=$(SEED)) $(CARGO) test --workspace --quiet

.PHONY: bindings
bindings: setup ## The packages for Python, Node and the JVM and their examples; types in each through apply, SIGKILL and resume.
	@tests/bindings.sh

CALLS ?= 100000

.PHONY: soak
soak: setup ## CALLS=100000 calls of types in Python, Node and Kotlin (LANGUAGES="python node jvm"): memory, and what one costs (minutes; the short form runs with the bindings).
	@tests/soak.sh $(CALLS)

.PHONY: doc
doc: ## Documentation, warnings are errors. Its examples run with the unit tests.
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --quiet

.PHONY: plans
plans: build ## Plans of generated templates, against what was recorded of Terraform.
	@tests/oracle_plans/run.py replay

# More of them, against the `terraform` on PATH.
STORIES ?= 2000

.PHONY: oracle-plans
oracle-plans: build ## The same for 2,000 templates, against the `terraform` on PATH (half an hour).
	@tests/oracle_plans/run.py live $(STORIES)

.PHONY: demo-test
demo-test: build ## The demo from end to end, with its drift, its change and its removal, checked.
	@examples/guestbook/demo.sh test

.PHONY: app-store-test
app-store-test: build ## The app store: a package for two customers of the pretend cloud, from its price to its end.
	@examples/app-store/app-store.sh

.PHONY: bench
bench: ## Benchmarks: parse, evaluate, plan, apply (minutes).
	$(CARGO) bench -p stackwright-benches

.PHONY: bench-measure
bench-measure: ## Tables of times, memory and allocations over the number of instances (minutes).
	@$(CARGO) run --release --quiet -p stackwright-benches --bin measure

.PHONY: bench-stores
bench-stores: ## Durable commits and applies in SQLite and PostgreSQL, side by side (minutes).
	@$(CARGO) run --release --quiet -p stackwright-benches --bin stores

.PHONY: bench-peer
bench-peer: ## The same shapes through `terraform`, where it is on PATH.
	@benches/peer.sh

.PHONY: mutations
mutations: ## 5,000 seeded mutations of each example template (the short form runs with the unit tests).
	STACKWRIGHT_MUTATIONS=5000 $(CARGO) test --release -p stackwright-tests --test mutations

# How long each target runs; `make fuzz SECONDS=600 TARGETS="hcl yaml"`.
SECONDS_EACH ?= $(or $(SECONDS),600)

.PHONY: fuzz
fuzz: setup ## Fuzzing guided by coverage, ten minutes for each target (the corpus is replayed with the unit tests).
	@tests/fuzz/run.sh $(SECONDS_EACH) $(TARGETS)

EXPRESSIONS ?= 50000

.PHONY: oracle
oracle: ## EXPRESSIONS=50000 generated expressions here and in `terraform` 1.11, which is on PATH (minutes; it is the slow one).
	$(CARGO) run --quiet -p stackwright-oracle --bin oracle -- run $(EXPRESSIONS) $(or $(SEED),1)

.PHONY: oracle-record
oracle-record: ## Writes down anew what `terraform` says of tests/oracle/hand and of 3,000 generated expressions.
	$(CARGO) run --quiet -p stackwright-oracle --bin oracle -- record 3000

.PHONY: oracle-census
oracle-census: ## How many vectors each function and each rule of the language has, and which have too few.
	@$(CARGO) run --quiet -p stackwright-oracle --bin oracle -- census

.PHONY: sweep
sweep: ## The long crash sweep in process (the short form runs with the unit tests).
	STACKWRIGHT_CASES=2000 $(CARGO) test --release -p stackwright-tests --test crash

KILLS ?= 200

.PHONY: crash
crash: build ## KILLS=200 kills of a real engine in a pretend cloud, state and cloud compared (minutes).
	@nice -n 10 target/debug/crash --kills $(KILLS) --peer 10 $(if $(SEED),--seed $(SEED))

.PHONY: crash-test
crash-test: build ## The same with 15 kills, in about a minute.
	@target/debug/crash --kills 15 --quiet $(if $(SEED),--seed $(SEED))

STACKS ?= 10000
WORKERS ?= 8

.PHONY: load
load: setup ## STACKS=10000 stacks on one PostgreSQL with WORKERS=8 processes, some of which are killed (minutes; the short form runs with the unit tests).
	LOAD_STACKS=$(STACKS) LOAD_WORKERS=$(WORKERS) $(CARGO) test --release -p stackwright-store-postgres --test load -- --nocapture
