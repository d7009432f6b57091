"""Where /metrics may listen over TCP: nowhere, if nothing is said.

    127.0.0.1:9655            this machine alone
    10.0.0.5:9655,anybody     whoever reaches it: the word says that nobody is asked who he is

What is told there is names of nodes, resources' kinds and counts: no content, no secret. It is
told unauthenticated and in clear.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

from msgspec import Struct

from saltern_master.errors import MasterError

ANYBODY: Final = "anybody"
MOST_PORT: Final = 65_535


class AddressError(MasterError):
    """A text that is no address to listen on, or one that needs a word more."""


class Address(Struct, frozen=True):
    """Where to listen. Port 0: any that is free."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address_of(text: str) -> Address:
    """Read ADDRESS:PORT or ADDRESS:PORT,anybody; AddressError."""
    place, comma, word = text.partition(",")
    host, _, port = place.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        found = ip_address(host)
        number = int(port) if port.isascii() and port.isdigit() else -1
    except ValueError:
        number = -1
    if not 0 <= number <= MOST_PORT or (comma and word != ANYBODY):
        raise AddressError(
            f"cannot tell metrics on {text!r}: write ADDRESS:PORT, such as 127.0.0.1:9655"
        )
    if not found.is_loopback and not comma:
        raise AddressError(
            f"cannot tell metrics on {text}: others than this machine's users reach it, and nobody "
            f"is asked who he is; if that is meant, write {place},{ANYBODY}"
        )
    return Address(str(found), number)
