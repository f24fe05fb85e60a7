# `make demo` and `make test` set up whatever they need; the second time they start at once.
# Variables: PYTHON=python3.12 (3.10 to 3.13), VENV=.venv, EPOCHS=3 (demo), NO_APT=1 (leave Debian packages alone).

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint constraints wheel startup bench-mcu bench-mcu-diff clean distclean

VENV ?= .venv
export VENV PYTHON NO_APT EPOCHS
BIN = $(VENV)/bin

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

demo:  ## train fashion_mnist_cnn for a few epochs, quantize, export, measure, write the report
	@tools/timed.sh 'make demo' sh -c 'tools/setup.sh all && tools/demo.sh'

test:  ## every test (about 25 minutes at most on two cores)
	@tools/timed.sh 'make test' sh -c 'tools/setup.sh dev && $(BIN)/python -m pytest -n auto --dist loadscope $(ARGS)'

check: setup  ## the quick loop: ruff, mypy, the tests that take no training
	@tools/timed.sh 'make check' sh -c '$(MAKE) --no-print-directory lint && $(BIN)/python -m pytest -n auto --dist loadscope -q -m "not slow" $(ARGS)'

lint: setup  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/mypy

setup:  ## virtual environment, packages, Debian packages (as root or with sudo)
	@tools/setup.sh dev

constraints: setup  ## newest versions that fit pyproject.toml into constraints.txt
	@tools/constraints.sh

wheel: setup  ## source distribution and wheel into dist/
	$(BIN)/python -m hatchling build -d dist

startup: setup  ## start-up time of edgecnn --help against python -c "import click, numpy"
	$(BIN)/python benchmarks/startup.py

bench-mcu: setup  ## instructions, memory and flash on every core, written to benchmarks/mcu_figures.json
	$(BIN)/python benchmarks/mcu.py --keep $(ARGS)

bench-mcu-diff: setup  ## what changed against these figures; fails if one got worse
	$(BIN)/python benchmarks/mcu.py --diff $(ARGS)

clean:  ## remove caches and built files, keep the environment and the runs
	rm -rf dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean  ## remove the virtual environment too
	rm -rf $(VENV)
