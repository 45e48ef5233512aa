# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

PYTHON ?= python3
ROUNDS ?= 100
# One more than the processors that the tests are meant for: those of a cloud wait most of the time.
WORKERS ?= 3
STAMP := .venv/.ready

# Ansible looks at this checkout only, whatever the environment and ~/.ansible of whoever runs it say.
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/build/collections
export ANSIBLE_CONFIG := $(CURDIR)/tests/ansible.cfg
export ANSIBLE_HOME := $(CURDIR)/build/ansible
export ANSIBLE_REMOTE_TMP := $(CURDIR)/build/ansible/tmp
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Tests start programs thousands of times; without bytecode each would compile the collection anew.
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup quickstart test test-unit test-fast test-integration test-cores soak lint format bench docs package clean

help: ## Lists these commands.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## Makes .venv with the collection, its commands and the tools that test it (PYTHON=python3).

# The stamp tells where the checkout was: one that moved, or whose build/ is gone, is set up again.
ifneq ($(shell test -e build/collections/ansible_collections/freezer/backup/galaxy.yml && cat $(STAMP) 2>&1),$(CURDIR))
.PHONY: $(STAMP)
endif

$(STAMP): pyproject.toml tools/setup
	@tools/setup "$(PYTHON)"
	@echo "$(CURDIR)" >$@

quickstart: setup ## Backs a folder up twice and restores it, through API, modules and a playbook (SRC=/any/folder).
	@.venv/bin/python tools/quickstart.py "$(SRC)" $(if $(STATE),--state "$(STATE)")

test: setup ## Runs every check and every test, three at a time (WORKERS=3); says what took longest.
	@tools/check $(WORKERS)

test-unit: setup ## Runs the tests that need no lab and no Ansible, in about two minutes.
	@.venv/bin/python -m pytest --quiet --numprocesses $(WORKERS) tests/unit $(ARGS)

test-fast: setup ## Runs the tests without the checks; choose some with ARGS="-k levels".
	@.venv/bin/python -m pytest $(ARGS)

test-integration: setup ## Runs ansible-test integration; choose targets with ARGS="job session".
	@.venv/bin/python tools/integration.py $(ARGS)

test-cores: setup ## Tests modules and playbooks with other ansible-cores (PYTHON=python3.12, CORES="2.22.0rc1").
	@tools/cores $(ARGS)

soak: setup ## Breaks backups at random for an hour: trees, damage, faults, kills; more or less with ROUNDS=100.
	@FREEZER_SOAK_ROUNDS=$(ROUNDS) .venv/bin/python -m pytest -m "rounds or soak" $(ARGS)

lint: setup ## Runs every static check, ansible-test sanity included; choose some with ARGS="ruff mypy-engine".
	@tools/lint $(ARGS)

format: setup ## Formats the Python code and sorts its imports.
	@.venv/bin/ruff check --quiet --fix-only .
	@.venv/bin/ruff format --quiet .

bench: setup ## Measures backup and restore against tar and zstd, and the scheduler; writes build/bench*.json.
	@.venv/bin/python tests/bench/bench.py $(ARGS)
	@$(if $(ARGS),:,.venv/bin/python tests/bench/scheduler.py)

docs: setup ## Writes the reference of modules, plugins and roles as HTML to build/docs.
	@tools/docs

package: setup ## Builds the collection's archive for ansible-galaxy and the wheel for pip in build/package.
	@tools/package

clean: ## Removes what these commands made: build/ and .venv.
	@rm -rf build .venv .ansible .pytest_cache .ruff_cache .mypy_cache changelogs/.plugin-cache.yaml
	@find . -name __pycache__ -prune -exec rm -rf {} +
