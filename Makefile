# Each target sets up .venv in the checkout first. Needed: Python 3.11 or newer, make, pip.

PYTHON ?= $(or $(shell for p in python3.11 python3.12 python3.13 python3; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done),python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TYPED := .mypy_cache/tree
PYTEST_WORKERS ?= 2
# Each begins with a part of its own, so that a file's tests share what they set up, and takes from the other's end when done.
WORKERS = -n $(PYTEST_WORKERS) --dist worksteal
# Without --no-compile pip would compile 14,000 files, one after the other; Python compiles those it imports, when it does.
QUICKLY := --quiet --disable-pip-version-check --no-compile
# So it must be allowed to keep what it compiled: else every process here compiles torch anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint types bench docs clean install before collected kernels-packet kernels-flit

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## set up .venv (the other targets do this themselves)

# torch goes first, alone and pinned: without the exact version pip may choose a build of several gigabytes.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("Python >= 3.11 needed, found %d.%d.%d (set PYTHON=)" % v[:3])'
	@test -x $(BIN)/python || { echo "creating $(VENV) with $(PYTHON)"; $(PYTHON) -m venv $(VENV); }
	@echo "installing torch (pinned in constraints.txt)"
	@$(BIN)/python -m pip install $(QUICKLY) -c constraints.txt torch
	@echo "installing sfnhw and its tools"
	@$(BIN)/python -m pip install $(QUICKLY) -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP) ## train, convert, map, simulate and price the digits network; writes out/demo
	@$(BIN)/sfnhw demo -o out/demo

lint: $(STAMP) ## ruff: style and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

# mypy knows packages by their folders, so it gets a tree of links in which the package stands as it installs.
types: $(STAMP) ## mypy
	@rm -rf $(TYPED) && mkdir -p $(TYPED)/sfnhw
	@for part in sfnhw/*.py sfnhw/py.typed sfnhw/*/ mapping sim reports; do \
	  ln -s "$(CURDIR)/$${part%/}" $(TYPED)/sfnhw/; done
	@for part in examples benchmarks; do ln -s "$(CURDIR)/$$part" $(TYPED)/; done
	@cd $(TYPED) && $(CURDIR)/$(BIN)/mypy --config-file $(CURDIR)/pyproject.toml --cache-dir $(CURDIR)/.mypy_cache .

# mypy has one processor busy: the other one compiles kernels, which the tests' processes then find.
kernels-packet kernels-flit: kernels-%: $(STAMP)
	@$(BIN)/python -m tests.kernels $*

# pytest rewrites the assertions of every test file and keeps them, for all workers; what is wrong here, the tests will say.
collected: $(STAMP)
	@$(BIN)/python -m pytest -q --collect-only >/dev/null 2>&1 || true

before: lint
	@$(MAKE) --no-print-directory -j2 kernels-flit types kernels-packet collected

test: before ## lint, types and the fast tests
	@$(BIN)/python -m pytest -q -m "not slow" $(WORKERS)

test-all: before ## the same with the slow tests
	@$(BIN)/python -m pytest -q $(WORKERS)

bench: $(STAMP) ## speed and memory, also beside SANA-FE; a quick look at every coding's accuracy; threshold units as gates; networks-on-chip
	@$(BIN)/python -m benchmarks
	@$(BIN)/python -m pip install $(QUICKLY) -c constraints.txt -e '.[bench]' \
	  || echo "SANA-FE cannot be installed here"
	@$(BIN)/python -m benchmarks.sana_fe
	@$(BIN)/python -m benchmarks.accuracy --quick
	@$(BIN)/python -m benchmarks.synthesis --no-widths
	@$(BIN)/python -m benchmarks.noc

docs: $(STAMP) ## check that the pages' links lead somewhere and their Python runs
	@$(BIN)/python -m pytest -q tests/test_docs.py

clean: ## remove everything that was built or downloaded here
	rm -rf $(VENV) build dist out *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
