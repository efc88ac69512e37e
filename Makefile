# GNU make 4 and a POSIX shell; all else is installed into .venv from the locks in requirements/.
# `make` alone lists the targets.

MAKEFLAGS += --no-print-directory --no-builtin-rules
SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:

BIN := .venv/bin
WEEK ?=
DUMP ?=
ARGS ?=
# Through the environment, so that a blank or a quote in a folder's name reaches the command as it is.
export WEEK DUMP

# $(call have,run|dev): nothing when .venv is whole (under a second, no network), else make or mend it.
have = @$(BIN)/python -I tools/environment.py check $(1) 2>/dev/null || \
	{ python=$$(sh tools/find-python) && "$$python" -I tools/environment.py install $(1); }

.PHONY: help
help: ## this list
	@echo "make TARGET, where TARGET is one of:"
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  \1	\2/p' Makefile | expand -t 14

.PHONY: setup
setup: ## make or mend .venv with all that the other targets need
	$(call have,dev)

.PHONY: shortlist
shortlist: ## rank the newest dump of data/dumps/ (WEEK=2026-W47 DUMP=folder ARGS="--top 100"); the sample when there is none
	$(call have,run)
	@$(BIN)/shortlist run --sample-if-empty $${WEEK:+--week "$$WEEK"} $(ARGS) $${DUMP:+-- "$$DUMP"}

.PHONY: test
test: ## run the tests (ARGS="-k fees" for some of them)
	$(call have,dev)
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

.PHONY: check
check: lint test ## everything below and above: formatter, linter, types, examples in docstrings, imports, then the tests

.PHONY: lint
lint: ## the quick part of check, without the tests
	$(call have,dev)
	@$(BIN)/ruff format --check --quiet --output-format concise . || { echo "make format puts this right" >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/python -m pytest --doctest-modules pipeline
	@$(BIN)/python -m pytest tests/repository/test_architecture.py

.PHONY: format
format: ## write all Python files in the house's form
	$(call have,dev)
	@$(BIN)/ruff check --quiet --fix-only . && $(BIN)/ruff format --quiet .

.PHONY: bench
bench: ## time whole runs, reading, the price history, margins, forecasts and the category gate (benchmarks/README.md)
	$(call have,dev)
	@$(BIN)/python -m benchmarks $(ARGS)
	@$(BIN)/python -m benchmarks.reading
	@$(BIN)/python -m benchmarks.margin
	@$(BIN)/python -m benchmarks.forecasts
	@$(BIN)/python -m benchmarks.gate_market
	@$(BIN)/python -m benchmarks.history_race
	@$(BIN)/python -m benchmarks.history_race --by-day

.PHONY: evaluate
evaluate: ## figures of models and filters on real files (SHORTLIST_TEST_DATA=folder, tests/README.md)
	$(call have,dev)
	@$(BIN)/python -m benchmarks.evaluate $(ARGS)

.PHONY: soak
soak: ## the long forms of the fault and random tests (an hour or more)
	$(call have,dev)
	@$(BIN)/python -m pytest -m soak -s $(ARGS)

.PHONY: lock
lock: ## write requirements/*.txt again from pyproject.toml (needs uv; ARGS=--upgrade for newer versions)
	@sh tools/lock $(ARGS)

.PHONY: clean
clean: ## remove .venv and every cache; data/ stays
	@rm -rf .venv .soak .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
