"""Confirm: which changes could cut a node off, and how long they stand unproved. Pure.

    nothing open --risky change--> making --made--> waiting --lease over a newer connection--> none
                                      ^                |
                                      '--risky change--'--WINDOW went by--> over: all is taken back

* Only a lease proves, and only one that came over a connection opened after the last such change
  was made: each change has a number, and a proof names the newest one that it saw made.
* While a change is being made its time does not run: a slow start of docker is not cut off.
* Monotonic seconds are given by the caller; they are of this boot. A boot ends what was open.

What a kind does is known to the kind; what it may cost the node is judged here, by its Spec alone,
so a new kind that touches the network is added to NETWORK.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from saltern_states.absent_link import AbsentLink
from saltern_states.body import Resource
from saltern_states.bridge import Bridge
from saltern_states.chain import Chain
from saltern_states.pod_routes import PodRoutes
from saltern_states.route import Route
from saltern_states.unit import Unit

WINDOW: Final = 60.0
"""Seconds for a lease to come."""

NETWORK: Final = (Bridge, Route, Chain, PodRoutes, AbsentLink)
UNITS: Final = re.compile(
    r"(docker|containerd|saltern-agent|systemd-networkd|networking|NetworkManager|dhcpcd|ifup@.*"
    r"|nftables|netfilter-persistent|firewalld|ufw)\.(service|socket)\Z"
)
"""Units that make links, addresses, routes or rules, and our own."""

OWN: Final = (
    "/etc/saltern/",
    "/usr/bin/saltern-agent",
    "/usr/lib/saltern-agent/",
    "/etc/systemd/system/saltern-agent.service",
)
"""What the agent itself lives by; prefixes of paths."""

WHY: Final = (
    f"taken back: no lease came within {WINDOW:.0f} s over a connection that was opened after its "
    "last change to the network or to the agent itself; the node holds what it held before, and "
    "takes the next document that is newer"
)


def could_cut_off(resource: Resource) -> bool:
    """Say whether making or taking back a resource could part this node from its master."""
    spec = resource.spec
    if isinstance(spec, Unit):
        return UNITS.match(spec.unit) is not None
    return isinstance(spec, NETWORK) or any(map(is_own, resource.paths))


def is_own(path: str) -> bool:
    """Say whether a path is of what the agent lives by, or holds any of it: a directory, a tree."""
    return path.startswith(OWN) or any(one.startswith(f"{path.rstrip('/')}/") for one in OWN)


def nothing_can(_resource: Resource) -> bool:
    """Say the same of a node that has no master: there is nobody to be parted from."""
    return False


@dataclass(slots=True)
class Proof:
    """The newest change that was seen proved; written by the loop's thread alone."""

    number: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """What stands unproved: the newest change's number, and until when (monotonic seconds)."""

    number: int
    until: float
    at_once: bool  # nothing more comes: prove it now


Judge = Callable[[Resource], bool]


@dataclass(frozen=True, slots=True)
class Trial:
    """The state of the machine above. `number`: of risky changes, since the agent's start."""

    number: int = 0
    open: bool = False
    making: str = ""  # the resource in hand
    until: float = math.inf

    def begin(self, resource: str) -> Trial:
        """A risky change is about to be made."""
        return replace(self, number=self.number + 1, open=True, making=resource, until=math.inf)

    def made(self, now: float) -> Trial:
        """The change in hand was made, or given up."""
        return replace(self, making="", until=now + WINDOW) if self.making else self

    def resumed(self, until: float) -> Trial:
        """Go on with what another process left open."""
        return replace(self, number=self.number + 1, open=True, making="", until=until)

    def proved(self, number: int) -> bool:
        """Say whether a proof that saw this number's change made proves all."""
        return self.open and not self.making and number >= self.number

    def ended(self) -> Trial:
        """Give what follows a proof, or a taking back."""
        return Trial(self.number)

    def over(self, now: float) -> bool:
        """Say whether its time has run out."""
        return self.open and not self.making and now >= self.until

    def left(self, now: float) -> float:
        """Give the seconds that are left; 0 where nothing is open."""
        if not self.open:
            return 0.0
        return WINDOW if self.making else max(0.0, self.until - now)
