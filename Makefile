# The two commands of the README. A fresh machine needs Python 3.10 to 3.12, git and make, nothing else.
PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= 2
SITE := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet && $(BIN)/python docs/check_site.py site

.PHONY: run quick test check docs bench golden clean help

help:            ## list the targets
	@grep -E '^[a-z]+: .*##' Makefile | sed 's/:.*## /\t/'

run: .venv/.installed          ## install if need be, then answer the question for rain-turn
	$(BIN)/dagger run

quick: .venv/.installed        ## the same in two minutes, with less evidence
	$(BIN)/dagger run --quick

test: .venv/.tested            ## install if need be, then run the whole test suite
	$(BIN)/python -m pytest -n $(WORKERS)

check: .venv/.checked          ## ruff, mypy, and whether the documentation is up to date and builds
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python docs/generate.py --check
	$(SITE)

docs: .venv/.documented        ## write the generated pages, build the documentation into site/, without a network
	$(BIN)/python docs/generate.py
	$(SITE)

bench: .venv/.installed        ## the figures of docs/explanation/performance.md
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
	$(BIN)/python -m pip install --quiet -e ".[check,docs]"
	touch $@

.venv/.documented: .venv/.installed
	$(BIN)/python -m pip install --quiet -e ".[docs]"
	touch $@

clean:           ## remove the environment, the runs and the built site
	rm -rf .venv runs site
