# Saltern. `make help` explains itself.
.DEFAULT_GOAL := help
SHELL := /bin/sh

# What a fresh Debian 12 machine lacks for the tests on its kernel, and for booting nodes. Go and
# Debian's source tools build the kubelet where Kubernetes' own download site is not reached.
SYSTEM_PACKAGES := iptables iproute2 procps kmod dbus binutils gcc libc6-dev strace faketime e2fsprogs openssh-client
LAB_PACKAGES := $(SYSTEM_PACKAGES) mmdebstrap systemd-container golang-go dpkg-dev
# What looks at packages after they were built; the shells check what they are to complete.
PACKAGES_PACKAGES := binutils lintian rpm rpmlint mandoc zsh fish
# Tests without nodes wait for processes half of their time; of the labs, each has a network and names
# of its own. One after the other: `make test-lab test-cluster`.
SIDE_BY_SIDE := -n 4 --dist worksteal
LABS := 3
BOOTSTRAP := packaging/tools/bootstrap
BIN := .venv/bin

.PHONY: help setup lint test test-fast test-system test-lab test-cluster test-packages test-upgrade-kills test-away test-plans test-laws faults faults-all demo bench bench-agent bench-packages bench-crowd bench-cluster bench-rollout bench-drift bench-drift-cost soak packages units docs lock clean

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make .venv from the lock
	@$(BOOTSTRAP)

.PHONY: system-setup lab-setup stock
system-setup:
	@$(BOOTSTRAP) system $(SYSTEM_PACKAGES)

lab-setup:
	@$(BOOTSTRAP) system $(LAB_PACKAGES)

stock: lab-setup
	@$(BIN)/python -m tests.stock

lint: setup ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lab-setup lint ## all but what takes minutes by its nature: unit, contract and golden tests, the real kernel, faults, lab nodes, a cluster
	$(BIN)/pytest -q $(SIDE_BY_SIDE) -m "not lab and not cluster and not packages"
	$(BIN)/python -m tests.faults --seed 1
	$(BIN)/python -m tests.stock
	$(BIN)/pytest -q -p no:randomly -n $(LABS) --dist loadfile --durations=12 -m "(lab or cluster) and not long" tests/lab tests/cluster

test-fast: setup ## what needs no root: seconds
	$(BIN)/pytest -q $(SIDE_BY_SIDE) -m "not system and not lab and not cluster and not packages"

test-system: system-setup ## the real kernel, in namespaces; needs root
	$(BIN)/pytest -q $(SIDE_BY_SIDE) -m "system and not packages"

test-lab: stock ## real nodes with systemd, docker and kubelet; needs root
	$(BIN)/pytest -q -p no:randomly -m lab tests/lab

test-cluster: stock ## three real nodes, a master, and the Kubernetes that comes of them; needs root
	$(BIN)/pytest -q -p no:randomly -m cluster tests/cluster

test-packages: stock ## packages installed, upgraded and removed on real nodes of Debian 12 and 13; needs root
	@$(BOOTSTRAP) system $(PACKAGES_PACKAGES)
	$(BIN)/pytest -q -p no:randomly -m packages

test-upgrade-kills: system-setup ## two hundred kills at random moments of upgrades of the agent, with a real dpkg (SALTERN_KILLS)
	$(BIN)/python -m tests.upgrade --kills $${SALTERN_KILLS:-200}

test-away: stock ## the master away for ten minutes (SALTERN_AWAY, in seconds) while a node breaks
	SALTERN_AWAY=$${SALTERN_AWAY:-600} $(BIN)/pytest -q -p no:randomly -m cluster tests/cluster/test_master_away.py

test-plans: setup ## what the plan said is what apply did: twenty thousand bodies and nodes, in memory
	SALTERN_CHANCE=1 SALTERN_EXAMPLES=$${SALTERN_EXAMPLES:-20000} $(BIN)/pytest -q -p no:randomly tests/agent/test_plan_law.py

test-laws: system-setup ## every law over examples by chance; `make test` takes the same ones each time
	SALTERN_CHANCE=1 $(BIN)/pytest -q $(SIDE_BY_SIDE) -m "hypothesis and not lab and not cluster and not packages"

faults: lab-setup ## faults tried on purpose, a line each, in the short form
	$(BIN)/python -m tests.faults

faults-all: lab-setup ## the same in full, for half an hour; writes a dated page to docs/measured
	$(BIN)/python -m tests.faults --full --page docs/measured/$$(date -u +%F)-faults.md

demo: lab-setup ## watch three bare machines become a Kubernetes cluster, break, and heal
	$(BIN)/python -m saltern_master.demo

bench: ## all figures that docs/measured has; for a machine with nothing else on it
	@missed=0; for one in agent packages crowd cluster rollout drift drift-cost; do $(MAKE) bench-$$one || missed=1; done; exit $$missed

bench-agent: lab-setup ## figures of the agent on a lab node
	$(BIN)/python -m saltern_master.bench

bench-packages: lab-setup ## figures of the packages, installed on a fresh Debian 12 and 13
	$(BIN)/python -m saltern_master.bench.packages

bench-crowd: lab-setup ## figures of fifty agents at one master
	$(BIN)/python -m saltern_master.bench.crowd

bench-cluster: lab-setup ## figures of a cluster: apply, no-op, and at rest
	$(BIN)/python -m saltern_master.bench.cluster

bench-rollout: setup ## figures of a rollout over a thousand simulated nodes
	$(BIN)/python -m tests.simulation

bench-drift: lab-setup ## from damage on a joined node to the master's store, and to healed: 26 kinds
	$(BIN)/python -m saltern_master.bench.drift

bench-drift-cost: lab-setup ## what listening costs: at rest, over events, in a storm
	$(BIN)/python -m saltern_master.bench.drift.cost

soak: lab-setup ## half an hour of a cluster at work (SALTERN_SOAK, in seconds): nothing may be drift but what is planted
	$(BIN)/python -m saltern_master.bench.soak

packages: setup ## .deb for Debian 12 and 13, .rpm, wheels, sdists and a wheelhouse into dist/; looked at by lintian and rpm
	@$(BOOTSTRAP) system $(PACKAGES_PACKAGES)
	PYTHONPATH=packaging $(BIN)/python -m saltern_build all

units: ## what systemd thinks of each unit (docs/reference/units.md)
	@for unit in packaging/systemd/*.service; do systemd-analyze security --offline=yes --no-pager $$unit \
	| sed -n 's/^.* for \(.*\): \([0-9.]* [A-Z]*\).*/\1 \2/p'; done

docs: setup ## write the reference pages from the kinds and the doctors' traps
	$(BIN)/python packaging/tools/reference.py
	$(BIN)/python packaging/tools/traps.py

lock: setup ## choose new versions and lock them by hash
	packaging/tools/lock

clean: ## remove what was made here; the cache in ~/.cache/saltern stays
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
