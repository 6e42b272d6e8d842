# The two commands of the README. A fresh machine needs Python 3.10 to 3.12, git and make, nothing else.
PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= 2

.PHONY: run quick test check bench golden clean help

help:            ## list the targets
	@grep -E '^[a-z]+: .*##' Makefile | sed 's/:.*## /\t/'

run: .venv/.installed          ## install if need be, then answer the question for rain-turn
	$(BIN)/dagger run

quick: .venv/.installed        ## the same in two minutes, with less evidence
	$(BIN)/dagger run --quick

test: .venv/.tested            ## install if need be, then run the whole test suite
	$(BIN)/python -m pytest -n $(WORKERS)

check: .venv/.checked          ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/.installed        ## the figures of the README
	$(BIN)/dagger bench

golden: .venv/.tested          ## redraw the golden images after a deliberate change of looks
	REDRAW_GOLDEN=1 $(BIN)/python -m pytest tests -k golden -q

.venv/bin/python:
	$(PYTHON) -m venv .venv

# torch first and alone: a resolver that sees it together with the rest may prefer a build with gigabytes of CUDA.
.venv/.installed: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet "torch==2.13.0"
	$(BIN)/python -m pip install --quiet -e .
	touch $@

.venv/.tested: .venv/.installed
	$(BIN)/python -m pip install --quiet -e ".[test,gpu]"
	touch $@

.venv/.checked: .venv/.tested
	$(BIN)/python -m pip install --quiet -e ".[check]"
	touch $@

clean:           ## remove the environment and the runs
	rm -rf .venv runs
