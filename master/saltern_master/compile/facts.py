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


class Facts(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What compile must know of a node."""

    mtu: Annotated[int, Meta(ge=576, le=65535)] = 1500
    """Of the link that has the default route, in bytes; pods get the same."""
    iptables_backend: Literal["nft", "legacy"] = "nft"
    """Which tables the node's `iptables` writes."""


def read_facts(data: bytes, name: str) -> Facts:
    """Read what an agent printed; FactsError names the file."""
    try:
        return msgspec.json.decode(data, type=Facts)
    except msgspec.DecodeError as error:
        raise FactsError(
            f"cannot read {name}: {error}; run saltern-agent facts on the node again"
        ) from error
