# Needed beforehand: make and Python >= 3.11 with venv and ensurepip. Everything else comes from the lock files.
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$p" && break; done)
BIN := .venv/bin
export TRIPTYCH_WORKSPACE ?= workspace
export TRIPTYCH_PORT ?= 8050
export OMP_NUM_THREADS ?= 1
PORT ?= $(TRIPTYCH_PORT)
PIP = $(BIN)/python -m pip --disable-pip-version-check -q
LOCK = printf 'hatchling\neditables\n' | uv pip compile pyproject.toml - --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" -q

.PHONY: demo install install-test test lint shots bench lock samples mutations clean

demo: install
	$(BIN)/triptych demo --port $(PORT)

install: .venv/.installed
install-test: .venv/.installed-test

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "No Python >= 3.11 with venv and ensurepip was found: install one, or name it with make PYTHON=..."; exit 1; }
	"$(PYTHON)" -m venv .venv

.venv/.installed: requirements.txt pyproject.toml | .venv/bin/python
	$(PIP) install --require-hashes -r requirements.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@

.venv/.installed-test: requirements-test.txt .venv/.installed
	$(PIP) install --require-hashes -r requirements-test.txt
	touch $@

lint: install-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: install-test
	bash .ci/test

shots: install-test
	$(BIN)/python -m tests.browser.shots --out shots

bench: install-test
	$(BIN)/python -m tests.bench

mutations: install-test
	$(BIN)/python -m tests.mutations

samples: install
	$(BIN)/python -m analysis.simulate.samples data_samples

lock:
	$(LOCK) -o requirements.txt
	$(LOCK) --extra test --extra cluster -c requirements.txt -o requirements-test.txt

clean:
	rm -rf .venv workspace shots
