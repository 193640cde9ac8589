# Everything is set up by the targets themselves: a fresh Debian machine needs Python 3.11 or newer
# with its venv module, node with npm (for the second verifier and the EVM node of the tests) and openssl.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$p; break; }; done)
UV_VERSION := 0.13.9
UV := .tools/uv/bin/uv
BIN := .venv/bin
WEB := api/anchor_api/web
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := .venv
export UV_SYSTEM_CERTS := true

.DEFAULT_GOAL := help

.PHONY: help
help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */  \1\t/' | expand -t 20

.PHONY: demo
demo: .venv/.vestige-demo  ## the whole job on this machine: record, anchor, verify offline
	$(BIN)/vestige demo

.PHONY: test
test: lint types test-web test-python  ## everything that CI runs; needs under 15 minutes on two cores

.PHONY: test-python
test-python: .venv/.vestige-dev node_modules/.vestige-npm $(WEB)/node_modules/.vestige-npm
	$(BIN)/python -m pytest -n 2 --dist worksteal

.PHONY: web
web: $(WEB)/node_modules/.vestige-npm  ## build the second verifier, verify.html, into the service's static files
	npm run --silent --prefix $(WEB) build
	cp $(WEB)/dist/verify.html api/anchor_api/static/verify.html

.PHONY: test-web
test-web: $(WEB)/node_modules/.vestige-npm  ## the second verifier's types and tests
	npm run --silent --prefix $(WEB) types
	npm run --silent --prefix $(WEB) test

.PHONY: fuzz
fuzz: .venv/.vestige-dev $(WEB)/node_modules/.vestige-npm  ## ask both verifiers about changed proofs; SEED=1 COUNT=4000
	$(BIN)/python -m tests.interop.fuzz_second_verifier $(or $(SEED),0) $(or $(COUNT),4000)

.PHONY: lint
lint: .venv/.vestige-dev  ## style, floors, docstrings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYTHONPATH=.:api $(BIN)/lint-imports --no-cache
	$(BIN)/interrogate -q anchor api/anchor_api

.PHONY: types
types: .venv/.vestige-dev  ## mypy, strict
	$(BIN)/mypy
	$(BIN)/mypy integrations/comfyui_vestige
	MYPYPATH=integrations/a1111-vestige $(BIN)/mypy integrations/a1111-vestige/scripts/vestige_record.py

.PHONY: cover
cover: .venv/.vestige-dev node_modules/.vestige-npm $(WEB)/node_modules/.vestige-npm  ## line and branch coverage of the tests
	$(BIN)/coverage run -m pytest -q
	$(BIN)/coverage report --skip-covered

.PHONY: bench
bench: .venv/.vestige-dev  ## list the measurements of docs/performance.md
	$(BIN)/python -m bench

.PHONY: build
build: .venv/.vestige-dev  ## wheel and source distribution in dist/
	$(UV) build

.PHONY: format
format: .venv/.vestige-dev  ## rewrite the sources in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: clean
clean:  ## remove what the targets made
	rm -rf .venv .tools node_modules $(WEB)/node_modules $(WEB)/dist $(WEB)/dist-runner build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*

.PHONY: check-python check-node
check-python:
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 or newer is needed (Debian: apt install python3 python3-venv)" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "make: Python's venv module is needed (Debian: apt install python3-venv)" >&2; exit 1; }

check-node:
	@node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null || { echo "make: node 20.19 or newer is needed for the second verifier and the tests' EVM node; found $$(node --version 2>/dev/null || echo none)" >&2; exit 1; }
	@command -v npm >/dev/null || { echo "make: node and npm are needed for the second verifier and the tests' EVM node (Debian: apt install nodejs npm)" >&2; exit 1; }

$(UV): | check-python
	@echo "setting up uv $(UV_VERSION) in .tools/"
	@$(PYTHON) -m venv .tools/uv
	@.tools/uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.vestige-demo: $(UV) uv.lock pyproject.toml
	@echo "installing Vestige and what it needs into .venv/"
	@$(UV) sync --quiet --locked --inexact --python $(PYTHON) --extra all --no-dev --no-editable
	@touch $@

.venv/.vestige-dev: $(UV) uv.lock pyproject.toml
	$(UV) sync --quiet --locked --python $(PYTHON) --all-extras
	@touch $@ .venv/.vestige-demo

node_modules/.vestige-npm: package.json package-lock.json | check-node
	npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

$(WEB)/node_modules/.vestige-npm: $(WEB)/package.json $(WEB)/package-lock.json | check-node
	npm ci --ignore-scripts --no-audit --no-fund --prefix $(WEB)
	@touch $@
