"""route: one IPv4 route of the main table, marked as ours by its protocol number."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from saltern_states.bridge import Address4
from saltern_states.contract import Spec

PROTOCOL = 83
"""rtm_protocol of every route that we make: a number that rtnetlink.h gives to nobody."""


class Route(Spec, frozen=True, kw_only=True, tag="route/1"):
    """A route. `via` "": on the link itself; `device` "": the kernel finds it by `via`."""

    destination: Address4
    via: Annotated[str, Meta(pattern=r"^(([0-9]{1,3}\.){3}[0-9]{1,3})?\Z")] = ""
    device: Annotated[str, Meta(pattern=r"^([a-zA-Z0-9][a-zA-Z0-9._-]{0,14})?\Z")] = ""
    metric: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0
