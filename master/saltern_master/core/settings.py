"""Settings of a running master: where it listens, where nodes find it, how patient it is."""

from __future__ import annotations

import socket
import sys
from typing import Final

import msgspec

from saltern_master.core.pace import Pace
from saltern_master.core.turns import Limits
from saltern_master.front.frames import Confinement
from saltern_master.metrics.address import Address

EVERYWHERE: Final = "0.0.0.0"
FRONT: Final = (sys.executable, "-P", "-s", "-B", "-m", "saltern_master.front")
ELSEWHERE: Final = ("192.0.2.1", 9)
"""An address that is nobody's (RFC 5737): only the way to it is asked for, nothing is sent."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a person may say of `saltern master run`."""

    listen: str = EVERYWHERE
    link_port: int = 6555  # 0: any
    door_port: int = 6556
    addresses: tuple[str, ...] = ()  # for tokens; none: as addresses_of() finds
    limits: Limits = Limits()
    pace: Pace = Pace()  # of rollouts
    front: tuple[str, ...] = FRONT
    confinement: Confinement = "whole"  # of the front
    metrics: Address | None = None  # where /metrics is told besides the API's socket


def addresses_of(settings: Settings) -> tuple[str, ...]:
    """Give where nodes find this master: as told, as it listens, or this machine's own address."""
    if settings.addresses:
        return settings.addresses
    if settings.listen != EVERYWHERE:
        return (settings.listen,)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(ELSEWHERE)
        except OSError:
            return ("127.0.0.1",)  # no way out of this machine: its nodes are on it
        return (str(asking.getsockname()[0]),)
