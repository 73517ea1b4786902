PYTHON ?= python3
PIP := -m pip --disable-pip-version-check install --quiet
BIN := .venv/bin
SOURCES := $(shell find src/lookonce -type f -not -path '*/__pycache__/*')
# Those that need no data and no choice.
BENCHMARKS := benchmarks/label_speed.py benchmarks/postprocessing.py

.PHONY: help demo venv test format lint types layers unit bench web webcheck clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

demo: .demo-venv/.stamp  ## fresh machine: install the core alone (no torch), label a bundled scan, say where the page is
	.demo-venv/bin/lookonce demo

# An installed copy, not an editable one: the demo shows what a user gets.
.demo-venv/.stamp: pyproject.toml README.md LICENSE $(SOURCES)
	test -x .demo-venv/bin/python || $(PYTHON) -m venv .demo-venv
	.demo-venv/bin/python $(PIP) .
	@touch $@

venv: .venv/.stamp  ## .venv with every extra and the tools; nothing to do when up to date

# __init__.py holds the version, which an editable install copies into its metadata.
.venv/.stamp: pyproject.toml constraints.txt src/lookonce/__init__.py
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python $(PIP) -c constraints.txt -e '.[all,dev]'
	@touch $@

test: lint types layers unit  ## everything that CI checks

format: .venv/.stamp  ## rewrite the sources in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lint: .venv/.stamp  ## style only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.stamp  ## types only
	$(BIN)/mypy

layers: .venv/.stamp  ## the layers of the package only
	$(BIN)/lint-imports

unit: .venv/.stamp  ## tests and doctests only
	MPLBACKEND=Agg $(BIN)/python -m pytest

bench: .venv/.stamp  ## run the benchmarks of time that need no data
	@set -e; for script in $(BENCHMARKS); do echo "== $$script"; $(BIN)/python $$script; done

web: web/node_modules/.stamp  ## check and build the web page (needs node); the result is committed
	cd web && npx tsc && npx vitest run && npx vite build

# A page that differs from its sources, or a build that differs from machine to machine, shows here.
webcheck: web/node_modules/.stamp  ## build the web page elsewhere and compare it with the committed one
	cd web && npx vite build --outDir ../build/page
	diff -r build/page src/lookonce/server/page

web/node_modules/.stamp: web/package-lock.json
	cd web && npm ci --ignore-scripts --no-fund --no-audit
	@touch $@

clean:  ## remove environments, caches and build outputs
	rm -rf web/node_modules .venv .demo-venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
