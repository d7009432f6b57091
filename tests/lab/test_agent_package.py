"""Which package a node of a lab gets, and from where."""

from __future__ import annotations

import pytest
from saltern_master.lab import LabError, agent_package


@pytest.mark.parametrize(
    ("said", "target"),
    [
        ('PRETTY_NAME="x"\nID=debian\nVERSION_ID="12"\n', "deb12"),
        ("ID=debian\nVERSION_ID=13", "deb13"),
    ],
)
def test_a_node_gets_the_package_of_its_release(said: str, target: str) -> None:
    assert agent_package.target_of(said, "w1") == target


@pytest.mark.parametrize(
    "said", ['ID=ubuntu\nVERSION_ID="12"', "ID=debian\nVERSION_ID=11", "ID=debian", ""]
)
def test_a_node_that_no_package_is_for_is_named(said: str) -> None:
    with pytest.raises(LabError, match=r"on w1: .* packages are for Debian 12 and 13"):
        agent_package.target_of(said, "w1")


def test_this_is_a_checkout() -> None:
    assert (agent_package.checkout() / "agent/saltern_agent/__init__.py").is_file()
