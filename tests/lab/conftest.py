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
    free = network.free(network.links(), network.used_subnets(), first=os.getpid())
    made = Lab(f"t{os.getpid()}-{secrets.token_hex(2)}", free)
    try:
        yield made
    finally:
        made.down()


@pytest.fixture(scope="module")
def node(lab: Lab) -> Machine:
    """A bare node, booted: `node.exec([...])`, `node.copy_in(path, "/...")`, `node.place.root`."""
    return lab.up(("w1",))[0]
