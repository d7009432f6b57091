"""bridge: a Linux bridge with its one address, up; cbr0 is one."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from saltern_states.contract import LinkName, Spec

Address4 = Annotated[str, Meta(pattern=r"^([0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}\Z")]
"""An IPv4 address with the prefix of its network: "10.10.5.1/24"."""


class Bridge(Spec, frozen=True, kw_only=True, tag="bridge/1"):
    """A bridge. Other IPv4 addresses on it are taken away: a stale pod range breaks the node
    (kubernetes/kubernetes#32900).
    """

    name: LinkName
    address: Address4
    mtu: Annotated[int, Meta(ge=576, le=65535)] | None = None  # None: as the kernel chose it
    promiscuous: bool = False
