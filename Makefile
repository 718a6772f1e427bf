# `make run` and `make test` do everything from a bare checkout; a second call only does the job.
# Tasks of everyday work (format, lint, types, …) are poe's: see [tool.poe] in pyproject.toml.

.DEFAULT_GOAL := help
.PHONY: help run test faults bench venv pins clean

BIN := .venv/bin
PROJECTS := pyproject.toml $(sort $(wildcard core/*/pyproject.toml flownodes-*/pyproject.toml \
                                             plugins/*/pyproject.toml apps/*/pyproject.toml))
FOLDERS := $(patsubst %/,./%,$(filter-out ./,$(dir $(PROJECTS))))
AS_ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo -n)
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

# Each candidate is asked for its version: a name on PATH may be old, or a shim with nothing behind it.
# Override with `make PYTHON=/path/to/python3.12 test`.
PYTHON ?= $(shell for python in python3 python python3.14 python3.13 python3.12 python3.11; do \
	$$python -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$python && break; done)

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

run: .venv/installed ## set up, then run the example workflow
	@$(BIN)/python examples/make_run.py

test: .venv/installed ## set up, then check everything: format, lint, types, layers, tests
	@# Tests with a PostgreSQL server, which Debian does not put on PATH, are skipped without it, visibly.
	@command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 \
		|| { $(AS_ROOT) apt-get update -qq && $(AS_ROOT) apt-get install -y -qq postgresql; } \
		|| echo 'The PostgreSQL tests will be skipped. To run them: apt-get install postgresql' >&2
	@$(BIN)/poe check

faults: .venv/installed ## set up, then kill 200 processes at random times of their runs
	@$(BIN)/poe faults

# More words go on: make bench WORDS='--quick', WORDS='--only chain fan', WORDS='soak', WORDS='profile chain'.
bench: .venv/installed ## set up, then measure the engine against hand-written asyncio
	@$(BIN)/python -m benchmarks $(WORDS)

venv: .venv/installed ## set up .venv with the whole workspace, editable

pins: .venv/installed ## choose the newest versions of all dependencies, anew, into constraints.txt
	@# Universal: one file for every supported Python and platform, hence the markers on some lines.
	@# Only `name==version` lines are kept; the members themselves come out as paths.
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
		--no-emit-index-url --all-extras --group dev $(PROJECTS) | grep '==' > constraints.tmp
	@mv constraints.tmp constraints.txt
	@git --no-pager diff --stat -- constraints.txt

clean: ## remove .venv and everything that tools leave behind
	rm -rf .venv build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

.venv/installed: $(PROJECTS) constraints.txt
	@if ! "$(PYTHON)" -c '$(NEW_ENOUGH)' 2>/dev/null; then \
		echo 'Flownodes needs Python 3.11 or newer, and none was found on PATH (or in PYTHON=…).' >&2; \
		echo 'Install it, on Debian or Ubuntu with: apt-get install python3 python3-venv' >&2; \
		exit 1; \
	fi
	@# Debian's bare python3 has venv but not ensurepip, without which a venv has no pip.
	@if ! "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null; then \
		if ! command -v apt-get >/dev/null; then SUDO=none; \
		elif [ "$$(id -u)" = 0 ]; then SUDO=; \
		elif sudo -n true 2>/dev/null; then SUDO='sudo -n'; \
		else SUDO=none; fi; \
		if [ "$$SUDO" = none ] || ! { $$SUDO apt-get update -qq && $$SUDO apt-get install -y -qq python3-venv; } \
				|| ! "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null; then \
			echo 'This Python cannot make virtual environments. Run: apt-get install python3-venv' >&2; \
			exit 1; \
		fi; \
	fi
	@# What is there is kept when it still works: other shells may be using it.
	@if ! $(BIN)/python -c '$(NEW_ENOUGH)' 2>/dev/null; then \
		echo "Creating .venv with $$("$(PYTHON)" --version)"; \
		"$(PYTHON)" -m venv --clear .venv; \
	fi
	@echo 'Installing the workspace into .venv'
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --constraint constraints.txt uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt \
		--build-constraint constraints.txt --group dev --editable . $(addprefix --editable ,$(FOLDERS))
	@touch $@
