"""Where a start looks for what an agent that was killed left half-made."""

from __future__ import annotations

from pathlib import Path

from saltern_agent.host.node import written_in
from saltern_states.body import Resource
from saltern_states.contract import Spec
from saltern_states.file import File
from saltern_states.kernel_module import KernelModule
from saltern_states.swap import Swap
from saltern_states.sysctl import Sysctl
from saltern_states.unit import Unit


def looked_at(*specs: Spec) -> set[str]:
    owned = (Resource(id=str(number), spec=spec) for number, spec in enumerate(specs))
    return {str(path) for path in written_in(owned)}


def test_it_looks_where_files_are_that_only_follow_from_a_claim() -> None:
    assert looked_at(Unit(unit="docker.service")) == {
        "/etc/systemd/system/docker.service.d",
        "/run/saltern/started",
    }
    assert looked_at(Sysctl(key="vm.swappiness", value="0")) == {"/etc/sysctl.d"}
    assert looked_at(KernelModule(name="overlay")) == {"/etc/modules-load.d"}
    assert looked_at(Swap()) == {"/etc"}


def test_each_directory_comes_once_and_in_order() -> None:
    owned = [
        Resource(id=path, spec=File(path=path, text="")) for path in ("/opt/b", "/opt/a", "/etc/a")
    ]

    assert written_in(owned) == [Path("/etc"), Path("/opt")]
