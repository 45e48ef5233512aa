# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

PYTHON ?= python3
STAMP := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help setup

help: ## Lists these commands.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Makes .venv with the collection, its commands and the tools that test it (PYTHON=python3).

$(STAMP): pyproject.toml tools/setup
	@tools/setup "$(PYTHON)"
	@touch $@
