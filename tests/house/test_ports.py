"""Every port of a node is there thrice: real, in memory, and while planning."""

from __future__ import annotations

import ast
import inspect
from typing import get_type_hints

import pytest
from saltern_agent.foreseen import READS, ForeseenHost
from saltern_agent.host.node import Node
from saltern_states.ports import Host
from saltern_states.testing import FakeHost

from tests.house.tree import ROOT

PORTS = {
    name: get_type_hints(port.fget)["return"]
    for name, port in vars(Host).items()
    if isinstance(port, property)
}


def methods(protocol: type) -> dict[str, str]:
    """Give a protocol's methods with their parameters."""
    return {
        name: str(inspect.signature(method))
        for name, method in vars(protocol).items()
        if inspect.isfunction(method) and not name.startswith("_")
    }


def made(name: str) -> set[str]:
    """Give what Node gives itself: it is not made here, since that would ask this machine."""
    tree = ast.parse((ROOT / "agent/saltern_agent/host/node.py").read_text())
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == name
    }


def test_a_node_has_every_port() -> None:
    assert PORTS
    assert Node.__module__ == "saltern_agent.host.node"
    assert made("self") == set(PORTS)


@pytest.mark.parametrize("name", PORTS)
def test_the_fake_has_every_method_of_the_port(name: str) -> None:
    fake = type(getattr(FakeHost(), name))

    assert methods(PORTS[name]).items() <= methods(fake).items()


def test_a_plan_reads_every_port_and_writes_none() -> None:
    host = ForeseenHost(FakeHost())

    assert set(vars(host)) == set(PORTS)
    for name, port in PORTS.items():
        kept = type(getattr(host, name))
        if name in READS:
            assert READS[name] <= set(methods(port))
        elif name == "units":  # of a start nobody foresees what comes
            assert methods(port).items() - methods(kept).items() == {
                (job, methods(port)[job]) for job in ("start", "restart", "reload", "unmask")
            }
        else:
            assert methods(port).items() <= methods(kept).items()
