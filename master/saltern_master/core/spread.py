"""Over how many seconds nodes shall spread their coming back. Pure.

Two cores do about 1,000 CURVE handshakes a second and nothing else (libzmq 4.3.5, measured with
8,000 peers; a Hello costs core a signature besides). HANDSHAKES_A_SECOND leaves them half.
"""

from __future__ import annotations

from math import ceil
from typing import Final

HANDSHAKES_A_SECOND: Final = 500
SHORTEST: Final = 1
LONGEST: Final = 300


def spread_of(nodes: int) -> int:
    """Give the seconds for so many nodes."""
    return min(LONGEST, max(SHORTEST, ceil(nodes / HANDSHAKES_A_SECOND)))
