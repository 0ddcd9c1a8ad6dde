# Everything is one command from a fresh clone; each target is a script of the same name in scripts/.
# PG chooses the PostgreSQL major version: make test PG=17

PG ?= 15

.PHONY: help demo demo-stop test test-core test-server random-calls check lint bench install package clean
.DEFAULT_GOAL := help

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  PG=15|16|17|18 chooses the PostgreSQL major version (default 15)."

demo: ## build, start a throw-away Postgres and a stand-in for Clerk, and tell the story
	@scripts/demo start $(PG)

demo-stop: ## stop what the demo left running
	@scripts/demo stop

test: ## every test
	@scripts/test $(PG)

test-core: ## the tests that need no Postgres
	@scripts/test-core

test-server: ## only the tests that depend on the PostgreSQL version
	@scripts/test --server-only $(PG)

check: ## format, lints, links of the manual, licences and sources of dependencies
	@scripts/check $(PG)

lint: ## only clippy, for one PostgreSQL version
	@scripts/lint $(PG)

bench: ## release build, one page of measurements
	@scripts/bench $(PG)

random-calls: ## 100,000 random calls as every role; CLERK_SYNC_RANDOM_CALLS and CLERK_SYNC_RANDOM_SEED choose others
	@scripts/random-calls $(PG)

install: ## release build, installed into the server that scripts/postgres finds
	@scripts/install-prerequisites
	@scripts/install-extension $(PG) --release

package: ## release build, as a tree of files to package
	@scripts/package $(PG)

clean: ## stop what is running, remove what was built
	@scripts/clean
