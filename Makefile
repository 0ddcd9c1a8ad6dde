# Everything is one command from a fresh clone; each target is a script of the same name in scripts/.
# PG chooses the PostgreSQL major version: make demo PG=17

PG ?= 15

.PHONY: help demo demo-stop test test-all test-core test-server hostile postgrest-matrix storm random-calls check lint bench bench-compare install package clean
.DEFAULT_GOAL := help

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  PG=15|16|17|18 chooses the PostgreSQL major version (default 15)."

demo: ## build, start a throw-away Postgres and a stand-in for Clerk, and tell the story
	@scripts/demo start $(PG)

demo-stop: ## stop what the demo left running
	@scripts/demo stop

test: ## PostgreSQL 15 in full, 17 but for what needs no server, 16 and 18 in brief; what continuous integration runs
	@scripts/test

test-all: ## every test on PostgreSQL 15, 16, 17 and 18
	@scripts/test --all

test-core: ## the tests that need no Postgres
	@scripts/test-core

test-server: ## only the tests that depend on the PostgreSQL version
	@scripts/install-prerequisites --tests
	@scripts/test-server $(PG)

hostile: ## every change that a hostile owner of the extension can make; hours
	@scripts/hostile $(PG)

postgrest-matrix: ## how long Clerk's tokens are refused after each way to lose PostgREST's keys, at defaults; minutes
	@scripts/postgrest-matrix $(PG)

storm: ## 20,000 cancelled calls of what needs a background worker
	@scripts/storm $(PG)

check: ## format, lints, links of the manual, licences and sources of dependencies
	@scripts/check

lint: ## only clippy, for one PostgreSQL version
	@scripts/lint $(PG)

bench: ## release build, one page of measurements
	@scripts/bench $(PG)

random-calls: ## 100,000 random calls as every role; CLERK_SYNC_RANDOM_CALLS and CLERK_SYNC_RANDOM_SEED choose others
	@scripts/random-calls $(PG)

bench-compare: ## BASE=commit: this tree and that one measured in turn, with the ratio of each figure
	@scripts/bench-compare $(PG) $(BASE) $(or $(PAIRS),5) $(SECTIONS)

install: ## release build, installed into a server of this machine: make install PG=17 PG_CONFIG=/path/to/pg_config
	@scripts/install $(PG) $(PG_CONFIG)

package: ## release build, as a tree of files to package
	@scripts/package $(PG)

clean: ## stop what is running, remove what was built
	@scripts/clean
