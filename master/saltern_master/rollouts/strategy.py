"""What a person chose for a rollout: how many at once, how long to look on, and when to stop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct

Share = Annotated[
    str,
    Meta(pattern=r"^([0-9]{1,6}|([0-9]|[1-9][0-9]|100)%)\Z", description="a number, or like 25%"),
]
Seconds = Annotated[float, Meta(ge=0, le=7 * 24 * 3600)]


class Probe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A look from the master at a node's address: whether its port takes a connection, or answers.

    Only a connection or one GET is made, redirects are not followed: it is never a command.
    """

    port: Annotated[int, Meta(ge=1, le=65535)]
    path: Annotated[str, Meta(pattern=r"^(/[!-~]{0,1000})?\Z")] = ""
    """Of a GET over HTTP; "": the connection alone is enough."""
    status: Annotated[int, Meta(ge=100, le=599)] = 200
    """That the GET has to be answered with."""
    timeout: Annotated[float, Meta(ge=0.1, le=30)] = 3.0


class Strategy(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How a rollout goes. Times are seconds.

    Shares are of the rollout's nodes, those of `max_unavailable` of its group's; a percentage is
    rounded up. A canary that fails stops the rollout whatever the budget.
    """

    canary: Share = "1"
    waves: tuple[Share, ...] = ("10%", "30%", "100%")
    """How many have had their turn at each wave's end, the canary among them."""
    max_unavailable: Mapping[str, Share] = {}
    """Of each group that may be away at once; DEFAULT_UNAVAILABLE of one that is not named."""
    soak: Seconds = 60.0
    """Between two waves, during which the gates are looked at."""
    budget: Share = "0"
    """How many may fail before it stops."""
    on_spent: Literal["stop", "undo"] = "stop"
    hold: Seconds = 10.0
    """For which a node's gates have to stay good before it counts as done."""
    patience: Seconds = 600.0
    """For a node to apply, and for its gates to become good, each."""
    absence: Seconds = 120.0
    """For which a node may be away in the middle of its turn before it has failed."""
    drain: Seconds = 300.0
    """For its pods to leave."""
    on_drain_timeout: Literal["pause", "force", "skip"] = "pause"
    probes: Annotated[tuple[Probe, ...], Meta(max_length=16)] = ()
    """Gates of every node, beside the agent's word and Kubernetes'."""


DEFAULT_UNAVAILABLE: Share = "1"


def faults(strategy: Strategy) -> tuple[str, ...]:
    """Say all that is wrong with it."""
    found = []
    if strategy.waves and any(one == "0" or one == "0%" for one in strategy.waves):
        found.append("waves: a wave of 0 brings nobody further")
    if not strategy.waves or strategy.waves[-1] != "100%":
        found.append('waves: the last one has to be "100%", or some nodes would never be reached')
    found += [
        f"maxUnavailable: {group}: with 0 no node of it could ever begin"
        for group, share in sorted(strategy.max_unavailable.items())
        if share in ("0", "0%")
    ]
    return tuple(found)


def number(share: Share, total: int) -> int:
    """Give how many of `total` a share is, at most all of them; a percentage is rounded up."""
    if share.endswith("%"):
        return -(-int(share[:-1]) * total // 100)
    return min(int(share), total)
