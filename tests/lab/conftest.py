"""A booted bare node for tests, and a lab that is surely taken down.

Every test run has labs of its own (name, bridge, subnet), so runs side by side, and beside a
person's demo, do not meet. Labs of runs that were killed are swept away at the start.
"""

import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from saltern_master.lab import Lab, Machine, network, state
from saltern_master.lab.agent_package import checkout
from saltern_master.lab.trial import Trial

from tests.lab.held import Held, prepare


@pytest.fixture(scope="session")
def _swept() -> None:
    for name in state.names():
        if (match := re.match(r"t([0-9]+)-[0-9a-f]+\Z", name)) and not Path(
            f"/proc/{match[1]}"
        ).exists():
            Lab(name).down()


@pytest.fixture(scope="module")
def lab(_swept: None) -> Iterator[Lab]:
    """A lab of this module's own, not up yet; taken down at the end."""
    made = _own_lab()
    try:
        yield made
    finally:
        made.down()


def _own_lab() -> Lab:
    free = network.free(network.links(), network.used_subnets(), first=os.getpid())
    return Lab(f"t{os.getpid()}-{secrets.token_hex(2)}", free)


@pytest.fixture(scope="module")
def node(lab: Lab) -> Machine:
    """A bare node, booted: `node.exec([...])`, `node.copy_in(path, "/...")`, `node.place.root`."""
    return lab.up(("w1",))[0]


@pytest.fixture(scope="session")
def _prepared(_swept: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    lab = _own_lab()
    home = tmp_path_factory.mktemp("saltern") / "home"
    cluster = checkout() / "docs/tutorial/one-node.yaml"
    try:
        (machine,) = lab.up(("w1",))
        held = Held(Trial(lab, "w1", home, cluster, print), machine)
        prepare(held)
        yield held
    finally:
        lab.down()


@pytest.fixture
def held(_prepared: Held) -> Held:
    """The run's one node under Saltern: it holds the base document, and its pod answers."""
    _prepared.settle()
    return _prepared
