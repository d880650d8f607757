# Everything a person or a build server does with this repository. Needs python3 (3.11 or newer), make and git.
#
#   make serve    the host with the example plugins, on http://127.0.0.1:$(PORT)
#   make check    lint, types, architecture and unit tests: under a minute, before each commit
#   make test     everything that must hold for a commit, long runs sampled: within ten minutes
#   make verify   everything in full, on every supported interpreter of this machine: before a release
#   make bench    measure, and write docs/performance.md
#   make docs     write the generated pages of docs/reference
#   make lock     resolve requirements/*.txt anew (needs uv)
#   make clean    remove what the targets above made; .somnus, where your plugins and their data are, stays

PYTHON ?= python3
VENV ?= .venv
SOMNUS_HOME ?= $(CURDIR)/.somnus
ADDRESS ?= 127.0.0.1
PORT ?= 8765
JOBS ?= 2
UV ?= uv

BIN := $(VENV)/bin
INTERPRETERS := 3.11 3.12 3.13
LINTED := $(wildcard src tests docs bench examples)

# Plugins are processes, and processes that may not keep bytecode compile the whole package at each start.
unexport PYTHONDONTWRITEBYTECODE

.DELETE_ON_ERROR:
.PHONY: serve test check verify bench docs lock clean static quick live venv

# --- the environment: made once, renewed when the lock or the metadata changes ---------------------------------------

venv: $(VENV)/.installed

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is older than Python 3.11; name a newer one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.locked: $(VENV)/.python requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.installed: $(VENV)/.locked pyproject.toml src/somnus_plugins/_version.py
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.bench: $(VENV)/.installed requirements/bench.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	@touch $@

# --- use -------------------------------------------------------------------------------------------------------------

serve: export SOMNUS_HOME := $(SOMNUS_HOME)
serve: $(VENV)/.installed
	@for plugin in examples/plugins/*/; do \
	  $(BIN)/somnus-plugins install "$$plugin" --yes || exit; \
	done
	$(BIN)/somnus-plugins config documents "folder=$(CURDIR)/docs"
	exec $(BIN)/somnus-plugins serve --host $(ADDRESS) --port $(PORT)

# --- check -----------------------------------------------------------------------------------------------------------

static: $(VENV)/.installed
	$(BIN)/ruff check $(LINTED)
	$(BIN)/ruff format --check $(LINTED)
	$(BIN)/mypy src docs/generate.py

# No process, socket or clock is shared by these, so they may run beside one another.
quick: $(VENV)/.installed
	$(BIN)/python -m pytest -q -n $(JOBS) tests/architecture tests/unit tests/contract

# Real processes under real deadlines: one after another, so that a busy neighbour is never the reason of a failure.
live: $(VENV)/.installed
	$(BIN)/python -m pytest tests/integration tests/acceptance tests/adversarial

check: static
	$(BIN)/python -m pytest -q -n $(JOBS) tests/architecture tests/unit

test: static
	$(MAKE) --no-print-directory quick
	$(MAKE) --no-print-directory live

# SOMNUS_VERIFY=1 is what tests read for their rounds, sizes and numbers of inputs.
verify: export SOMNUS_VERIFY := 1
verify:
	@verified=; for version in $(INTERPRETERS); do \
	  if python=$$(.ci/interpreter $$version); then \
	    echo "== Python $$version: $$python"; \
	    $(MAKE) --no-print-directory test PYTHON="$$python" VENV=.venv-$$version || exit; \
	    verified="$$verified $$version"; \
	  else \
	    echo "== Python $$version: not found on this machine, not verified"; \
	  fi; \
	done; \
	test -n "$$verified" && echo "verified in full on:$$verified"

# --- write -----------------------------------------------------------------------------------------------------------

bench: $(VENV)/.bench
	$(BIN)/python -m bench.run

docs: $(VENV)/.installed
	$(BIN)/python docs/generate.py

LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock"
lock:
	$(LOCK) --upgrade --exclude-newer "7 days" --group dev pyproject.toml --output-file requirements/dev.txt
	$(LOCK) --upgrade --exclude-newer "7 days" --group bench --constraints requirements/dev.txt pyproject.toml \
	  --output-file requirements/bench.txt

clean:
	rm -rf $(VENV) $(INTERPRETERS:%=.venv-%) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find $(LINTED) -name __pycache__ -type d -prune -exec rm -rf {} +
