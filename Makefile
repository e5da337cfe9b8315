# Everything a contributor needs, one target each. The virtual environment makes itself from the locked versions.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made

.DEFAULT_GOAL := help
.PHONY: help run test check torture lab lab-down bench format lock clean

help:  ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(STAMP): .ci/requirements.txt pyproject.toml
	@echo "making the virtual environment (1 minute)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tierup needs Python 3.11 or newer")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement .ci/requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: $(STAMP)  ## the homelab preset, from an empty practice cluster in the lab to five tiers Ready
	@$(BIN)/python -m tests.lab.demo

check: $(STAMP)  ## format, lint, types, import contracts, unit tests: no lab
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache | tail -n 4
	@$(BIN)/python -m pytest tests/unit $(wildcard tests/tui)

test: check  ## everything CI runs: check, then the suites in the lab
	@$(BIN)/python -m pytest tests/lab -m "not torture"

torture: check  ## everything, long: every crash point, every fault
	@$(BIN)/python -m pytest tests/lab

lab: $(STAMP)  ## bring the lab up and leave it running
	@$(BIN)/python -m tests.lab up

lab-down: $(STAMP)  ## take the labs of `make lab` and `make run` down
	@$(BIN)/python -m tests.lab down --name lab
	@$(BIN)/python -m tests.lab down --name demo

bench: $(STAMP)  ## measure: times as ratios of one run
	@$(BIN)/python -m tests.bench

format: $(STAMP)  ## format and mend what can be mended
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix --quiet .

lock: $(STAMP)  ## renew the locked versions
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile pyproject.toml --group dev --no-header --no-annotate --generate-hashes --no-emit-index-url --universal --quiet --output-file .ci/requirements.txt --upgrade

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
