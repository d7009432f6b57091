# Saltern. `make help` explains itself.
.DEFAULT_GOAL := help
SHELL := /bin/sh

# What a fresh Debian 12 machine lacks. The lab boots nodes; the build is for where Kubernetes'
# own download site is not reached.
TEST_PACKAGES := iptables iproute2 procps kmod strace
LAB_PACKAGES := mmdebstrap systemd-container debian-archive-keyring util-linux
BUILD_PACKAGES := golang-go jq rsync dpkg-dev gcc libc6-dev make
BIN := .venv/bin

.PHONY: help setup lint test test-fast test-system test-lab demo bench docs lock clean

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make .venv from the lock, and install the Debian packages that tests and lab need
	@packaging/tools/bootstrap system $(TEST_PACKAGES) $(LAB_PACKAGES) $(BUILD_PACKAGES)

lint: setup ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint ## everything: unit, contract and golden tests, the real kernel, one lab node
	$(BIN)/pytest -q -m "not lab"
	$(BIN)/pytest -q -m lab

test-fast: setup ## what needs no root: seconds
	$(BIN)/pytest -q -m "not system and not lab"

test-system: setup ## the real kernel, in namespaces; needs root
	$(BIN)/pytest -q -m system

test-lab: setup ## real nodes with systemd, docker and kubelet; needs root
	$(BIN)/pytest -q -m lab

demo: setup ## watch a bare Debian node become what a signed document says, break, and heal
	$(BIN)/python -m saltern_master.demo

bench: setup ## figures of the agent on a lab node
	$(BIN)/python -m saltern_master.bench

docs: setup ## write the reference pages from the kinds
	$(BIN)/python packaging/tools/reference.py

lock: setup ## choose new versions and lock them by hash
	packaging/tools/lock

clean: ## remove what was made here; the cache in ~/.cache/saltern stays
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
