"""kernel-module against this kernel. Nothing is loaded: modules are in no namespace."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from saltern_agent.host.kernel import KernelModules
from saltern_states.kernel_module import KIND, KernelModule

from tests.system.disk_node import differences, node_below, snapshot

pytestmark = pytest.mark.system

PROC_MODULES = Path("/proc/modules")


def loaded() -> set[str]:
    """What lsmod(8) would list; nothing on a kernel that takes no modules."""
    if not PROC_MODULES.exists():
        return set()
    rows = (line.split() for line in PROC_MODULES.read_text().splitlines())
    return {row[0] for row in rows if row[4] == "Live"}


def test_the_state_is_the_one_that_proc_modules_tells() -> None:
    modules = KernelModules()
    there = set(os.listdir("/sys/module"))

    states = {name: modules.state(name) for name in there | loaded()}

    assert {name for name, state in states.items() if state == "loaded"} == loaded()
    assert {name for name, state in states.items() if state == "built-in"} == there - loaded()
    assert modules.state("no_such_module_anywhere") == "absent"


def test_what_the_kernel_can_do_is_not_told_to_be_absent() -> None:
    """Filesystems name themselves: one that is registered is built in or loaded."""
    modules = KernelModules()
    known = Path("/proc/filesystems").read_text().split()

    for name in {"overlay", "ext4", "xfs", "btrfs"} & set(known):
        assert modules.state(name) != "absent"


def test_one_that_is_there_is_kept_for_the_next_boot_if_it_was_loaded(tmp_path: Path) -> None:
    top = tmp_path / "root"
    (top / "etc/modules-load.d").mkdir(parents=True)
    node, bare = node_below(top, tmp_path / "blobs"), snapshot(top)
    name = next(iter(sorted(loaded())), "bridge")
    files = {f"etc/modules-load.d/saltern-{name}.conf"} if name in loaded() else set()
    if KernelModules().state(name) == "absent":
        pytest.skip(f"this kernel has neither a loaded module nor {name}")

    for change in KIND.plan(node, KernelModule(name=name)):
        KIND.apply(node, change)  # type: ignore[arg-type]

    assert differences(bare, snapshot(top)) == files
    for change in KIND.plan_removal(node, KernelModule(name=name)):
        KIND.apply(node, change)  # type: ignore[arg-type]
    assert snapshot(top) == bare
