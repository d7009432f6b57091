"""What a node's own kernel and system decide about its resources.

`saltern-agent facts` prints them on the node as JSON; the file is kept beside the keys
(HOME/facts/NODE.json). Fields that compile does not use are passed over, so a newer
agent may print more.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from saltern_master.errors import MasterError


class FactsError(MasterError):
    """Facts that cannot be read."""


USUAL_MTU = 1500
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""As the kernel says it, and as Go and Debian do."""


class Facts(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What compile must know of a node."""

    mtu: Annotated[int, Meta(ge=0, le=65535)] = 0
    """Of the link that has the default route, in bytes; 0: the node told none."""
    iptables_backend: Literal["nft", "legacy"] = "nft"
    """Which tables the node's `iptables` writes."""
    architecture: Literal["x86_64", "aarch64"] = "x86_64"
    python: Annotated[str, Meta(max_length=40)] = ""
    """The version that the node's agent runs by; "": it told none."""

    def __post_init__(self) -> None:
        """Refuse an MTU that IPv4 cannot have."""
        if 0 < self.mtu < 576:
            raise ValueError(f"mtu: {self.mtu} is less than the 576 of IPv4")

    @property
    def pods_mtu(self) -> int:
        """The MTU that pods get, in bytes: their node's."""
        return self.mtu or USUAL_MTU

    @property
    def python_minor(self) -> str:
        """Which Python a package for this node is for: "3.11"; "" where it told none."""
        return ".".join(self.python.split(".")[:2])

    @property
    def go_architecture(self) -> str:
        """Which build of a program the node runs."""
        return ARCHITECTURES[self.architecture]


def read_facts(data: bytes, name: str) -> Facts:
    """Read what an agent printed; FactsError names the file."""
    try:
        return msgspec.json.decode(data, type=Facts)
    except (ValueError, RecursionError) as error:
        raise FactsError(
            f"cannot read {name}: {error}; run saltern-agent facts on the node again"
        ) from error
