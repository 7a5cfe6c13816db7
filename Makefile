# Everything runs in .venv, made on first use. Variables: PYTHON (which python builds it).
PYTHON ?= python3
BIN := .venv/bin
# Huge pages where memory is asked for: on virtual machines with slow page tables 2.5 to 5 times the network calls.
export THP_MEM_ALLOC_ENABLE := 1
export GLIBC_TUNABLES := glibc.malloc.hugetlb=1
# Tests start many processes: what one has compiled is there for the others.
unexport PYTHONDONTWRITEBYTECODE
# A file stays in one process, whose fixtures are made once; files go out in the order of tests/conftest.py.
SPREAD := --dist loadfile --no-loadscope-reorder

.PHONY: help study test test-fast test-oldest lint type format bench results docs clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.venv/study: pyproject.toml
	@echo "Installing into .venv, once; this takes a few minutes."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/dev: pyproject.toml
	@echo "Installing into .venv, once; this takes a few minutes."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

study: .venv/study ## the main job: invert, learn a prior, sample, judge, report
	$(BIN)/ood-diffusion

test: .venv/dev ## all tests
	$(BIN)/python -m pytest -n 2 $(SPREAD)

test-fast: .venv/dev ## the tests that take seconds
	$(BIN)/python -m pytest -n 2 $(SPREAD) -m "not slow"

build/oldest: pyproject.toml
	$(PYTHON) -m venv build/oldest
	build/oldest/bin/python -m pip install --quiet --disable-pip-version-check uv
	build/oldest/bin/uv pip install --quiet --python build/oldest/bin/python --resolution lowest-direct --editable '.[test]'
	@touch $@

test-oldest: build/oldest ## the fast tests with the oldest dependencies of pyproject.toml; PYTHON=python3.10
	build/oldest/bin/python -m pytest -n 2 $(SPREAD) -m "not slow"

lint: .venv/dev ## style, imports, docstrings, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

type: .venv/dev ## types only
	$(BIN)/mypy

format: .venv/dev ## rewrite files in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/dev ## speed, as ratios measured side by side; wants an idle machine for 40 minutes
	$(BIN)/python -m benchmarks

results: .venv/dev ## the tables and pictures of the documentation (hours; a second call continues); DATA=FOLDER, ONLY='default pictures'
	$(BIN)/python docs/results.py $(ONLY) $(if $(DATA),data=$(DATA))

docs: .venv/dev ## the documentation as a site, in build/site; runs the gallery's commands, for some minutes
	GALLERY=1 NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build
	@echo "Open build/site/index.html"

clean: ## remove the environment and build products (outputs/ stays)
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
